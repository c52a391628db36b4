"""A day of one-minute bars of many instruments, with quotes each second for some, and history before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from catalog.instants import RunWindow
from catalog.schema import LABEL_SYNTHETIC, TIME, Columns, Kind
from catalog.store import Catalog
from catalog.timeframes import BarArrays, Floats, resample
from risk.vocabulary import DAY_NS, MINUTE_NS, Quote
from tests.fakes.live_feed import Arrival

HISTORY_DAYS = 40
FINE_DAYS_BEFORE = 2  # of one-minute bars before the start
SECOND_NS = 1_000_000_000
FIRST_NS = 1_672_531_200_000_000_000  # 2023-01-01
START_NS = FIRST_NS + HISTORY_DAYS * DAY_NS

VOLATILITY = 0.0009  # of one minute
VOLUME_COINS = 4_000.0


def soak_catalog(path: Path, instruments: int, hours: float, seed: int = 5) -> Catalog:
    """Write the market: hourly bars first, one-minute bars from two days before the start."""
    rows = HISTORY_DAYS * 1440 + round(hours * 60)
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal(rows)
    catalog = Catalog.create(path)
    cut = (HISTORY_DAYS - FINE_DAYS_BEFORE) * 1440
    for k in range(instruments):
        bars = _bars(np.random.default_rng((seed, k)), shared, float(k))
        hourly = resample(bars.take(slice(0, cut)), 1, 60)
        for minutes, part in ((60, hourly), (1, bars.take(slice(cut, None)))):
            catalog.add(
                Kind.OHLCV, f"C{k:02d}-USDT.SOAK", minutes, _raw(part, minutes),
                label=LABEL_SYNTHETIC, source="soak",
            )  # fmt: skip
    return catalog


def _bars(rng: np.random.Generator, shared: Floats, phase: float) -> BarArrays:
    rows = len(shared)
    slow = np.repeat(rng.standard_normal(rows // 240 + 1), 240)[:rows]
    volatility = VOLATILITY * np.exp(0.5 * np.convolve(slow, np.ones(60) / 60, "same"))
    trend = np.sign(np.sin(np.arange(rows) * np.pi / 2_000 + phase))
    noise = np.sqrt(0.4) * shared + np.sqrt(0.6) * rng.standard_normal(rows)
    returns = volatility * (0.05 * trend + noise)
    close = np.round(100.0 * np.exp(np.cumsum(returns - returns.mean())), 3)
    opened = np.concatenate(([100.0], close[:-1]))
    wicks = 1.0 + volatility * np.abs(rng.normal(0.0, 0.5, (2, rows)))
    volume = VOLUME_COINS * volatility / VOLATILITY * np.exp(rng.normal(0.0, 0.6, rows))
    stamps = FIRST_NS + (1 + np.arange(rows, dtype=np.int64)) * MINUTE_NS
    high = np.round(np.maximum(opened, close) * wicks[0], 3)
    low = np.round(np.minimum(opened, close) / wicks[1], 3)
    return BarArrays(stamps, opened, high, low, close, np.round(volume, 1))


def _raw(bars: BarArrays, minutes: int) -> Columns:
    return {
        TIME: bars.ts_event - minutes * MINUTE_NS,
        "open": bars.open,
        "high": bars.high,
        "low": bars.low,
        "close": bars.close,
        "volume": bars.volume,
    }


def arrivals(catalog: Catalog, window: RunWindow, quoted: int, seed: int = 9) -> Iterator[Arrival]:
    """Yield the day as a venue sends it: quotes each second, bars 0.2 to 3 s after their close."""
    rng = np.random.default_rng(seed)
    names = window.instruments
    bars = {name: list(catalog.bars(name, 1, window.start_ns, window.end_ns).bars(name, 1)) for name in names}
    for k in range(len(bars[names[0]]) + 1):
        begin = window.start_ns + k * MINUTE_NS
        minute: list[Arrival] = []
        if k:  # the bars that closed when this minute began
            delays = (rng.uniform(0.2, 3.0, len(names)) * SECOND_NS).astype(np.int64).tolist()
            minute += [Arrival(begin + d, bars[n][k - 1]) for n, d in zip(names, delays, strict=True)]
        if begin < window.end_ns:
            for name in names[:quoted]:
                bar = bars[name][k]
                for second, price in enumerate(np.linspace(bar.open, bar.close, 60).tolist()):
                    ts = begin + second * SECOND_NS
                    quote = Quote(name, ts, price * 0.9999, price * 1.0001)
                    minute.append(Arrival(ts + 30_000_000, quote))
        yield from sorted(minute, key=lambda a: a.at_ns)
