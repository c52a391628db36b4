"""`sample`: the embedded market, for trying the desk offline.  It is SYNTHETIC and labelled so everywhere.

Its prices were made so that no rule can be proven on them; a good or a bad result here means nothing.

185 days of four perpetuals on the invented venue SAMPLE: 1h bars to warm up with, then 45 days of 5m bars,
settled funding every 8 hours and hourly index prices for all of it.  The same bytes every time.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath

import numpy as np

from catalog.importers import Progress
from catalog.schema import BAR_COLUMNS, LABEL_SYNTHETIC, TIME, Columns, Kind
from catalog.store import Catalog
from catalog.synthetic import DOWN, PANIC, QUIET, REBOUND, UP, WILD, Instrument, Path, Phase, simulate
from catalog.timeframes import BarArrays, resample
from risk.vocabulary import DAY_NS, MINUTE_NS

SEED = 1
FINE_START_NS = 1_736_121_600_000_000_000  # 2025-01-06 00:00 UTC, a Monday
FINE_DAYS = 45
WARMUP_DAYS = 140
START_NS = FINE_START_NS - WARMUP_DAYS * DAY_NS
END_NS = FINE_START_NS + FINE_DAYS * DAY_NS
SOURCE = f"catalog.sample seed {SEED}"

INSTRUMENTS = (
    Instrument("BTC-USDT.SAMPLE", 60_000.0, 1, 4, 1.0, 0.009, 6e9),
    Instrument("ETH-USDT.SAMPLE", 3_000.0, 2, 3, 1.15, 0.018, 3e9),
    Instrument("SOL-USDT.SAMPLE", 140.0, 3, 2, 1.4, 0.034, 9e8),
    Instrument("XRP-USDT.SAMPLE", 0.6, 4, 1, 0.9, 0.034, 5e8),
)

_WARMUP: tuple[Phase, ...] = (UP, QUIET, WILD, DOWN, QUIET, UP, WILD, QUIET, DOWN, QUIET)
_FINE: tuple[Phase, ...] = (QUIET, UP, QUIET, WILD, DOWN, PANIC, REBOUND, WILD, QUIET, UP, QUIET, DOWN)


def write_sample(path: FilePath | str, *, progress: Progress | None = None) -> Catalog:
    """Write the sample market into a catalog (made if there is none) and return it.

    Raises
    ------
    ConflictingRows
        If the catalog holds other data under the sample's names.
    """
    catalog = Catalog.create(path)
    if progress:
        progress("simulate", 0, len(INSTRUMENTS) + 1)
    for n, (name, market) in enumerate(sample_paths().items(), start=1):
        if progress:
            progress(name, n, len(INSTRUMENTS) + 1)
        _write(catalog, name, market)
    if progress:
        progress("done", len(INSTRUMENTS) + 1, len(INSTRUMENTS) + 1)
    return catalog


def sample_paths() -> dict[str, Path]:
    """Return the whole sample market in 5m bars, warm-up included."""
    phases = (*_fill(_WARMUP, WARMUP_DAYS), *_fill(_FINE, FINE_DAYS))
    return simulate(INSTRUMENTS, phases, START_NS, SEED)


def _fill(phases: tuple[Phase, ...], days: float) -> tuple[Phase, ...]:
    """Repeat the phases until they fill the days; the last one is cut."""
    filled: list[Phase] = []
    left = days
    while left > 0:
        phase = phases[len(filled) % len(phases)]
        length = min(phase.days, left)
        filled.append(replace(phase, days=length))
        left -= length
    return tuple(filled)


def _write(catalog: Catalog, name: str, market: Path) -> None:
    coarse = resample(market.bars.slice(None, FINE_START_NS), 5, 60)
    coarse = replace(coarse, volume=np.round(coarse.volume, 4))
    _add_bars(catalog, name, 60, coarse)
    _add_bars(catalog, name, 5, market.bars.slice(FINE_START_NS, None))
    funding: Columns = {TIME: market.funding_ts, "funding_rate": market.funding_rate}
    catalog.add(Kind.FUNDING, name, 480, funding, label=LABEL_SYNTHETIC, source=SOURCE)
    index: Columns = {TIME: market.index_ts - 60 * MINUTE_NS, "volume": np.zeros(len(market.index_ts))}
    index |= dict.fromkeys(BAR_COLUMNS[:4], market.index_price)
    catalog.add(Kind.REFERENCE, name, 60, index, label=LABEL_SYNTHETIC, source=SOURCE)


def _add_bars(catalog: Catalog, name: str, minutes: int, bars: BarArrays) -> None:
    columns: Columns = {TIME: bars.ts_event - minutes * MINUTE_NS}
    columns |= {column: getattr(bars, column) for column in BAR_COLUMNS}
    catalog.add(Kind.OHLCV, name, minutes, columns, label=LABEL_SYNTHETIC, source=SOURCE)
