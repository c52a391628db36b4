"""Small planted markets for scenario tests: a catalog from a few lines of prices.

Times are as a reader sees them: a bar, mark or reference is stamped at its close, funding at its settlement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from catalog.schema import BAR_COLUMNS, LABEL_SCRIPTED, TIME, Columns, Kind
from catalog.store import Catalog
from catalog.timeframes import BarArrays
from risk.vocabulary import MINUTE_NS

START_NS = 1_704_067_200_000_000_000  # 2024-01-01 00:00 UTC: the open of the first bar unless told otherwise

Ohlcv = tuple[float, float, float, float, float]
Market = BarArrays | Sequence[Ohlcv]
Stamped = Iterable[tuple[int, float]]  # (ts_event ns, value)


def bar_arrays(rows: Sequence[Ohlcv], minutes: int, start_ns: int = START_NS) -> BarArrays:
    """Return consecutive closed bars, the first one opening at `start_ns`."""
    table = np.array(rows, np.float64).reshape(-1, 5)
    stamps = start_ns + np.arange(1, len(table) + 1, dtype=np.int64) * minutes * MINUTE_NS
    return BarArrays(stamps, *(np.ascontiguousarray(table[:, k]) for k in range(5)))


def from_closes(closes: Iterable[float], *, wick: float = 0.0, volume: float = 1_000.0) -> list[Ohlcv]:
    """Return OHLCV rows through a list of closes; each bar opens at the close before, with equal wicks."""
    rows: list[Ohlcv] = []
    previous: float | None = None
    for close in closes:
        open_ = close if previous is None else previous
        rows.append((open_, max(open_, close) + wick, min(open_, close) - wick, close, volume))
        previous = close
    return rows


def write_catalog(
    path: Path,
    markets: Mapping[str, Market],
    base_minutes: int,
    *,
    start_ns: int = START_NS,
    funding: Mapping[str, Stamped] | None = None,
    funding_minutes: int = 480,
    references: Mapping[str, Stamped] | None = None,
    marks: Mapping[str, Stamped] | None = None,
    series_minutes: int = 60,
    label: str = LABEL_SCRIPTED,
) -> Catalog:
    """Write a catalog (or add to one) and return it.

    Parameters
    ----------
    markets : mapping of str to BarArrays or sequence of OHLCV
        Bars of `base_minutes` by instrument; a plain sequence begins with the bar opening at `start_ns`.
    funding, references, marks : mapping of str to (ts_event, value) pairs, optional
        Settled rates; index and mark prices at the close of a bar of `series_minutes`.
    """
    catalog = Catalog.create(path)
    for instrument, market in markets.items():
        bars = market if isinstance(market, BarArrays) else bar_arrays(market, base_minutes, start_ns)
        columns: Columns = {TIME: bars.ts_event - base_minutes * MINUTE_NS}
        columns.update({name: getattr(bars, name) for name in BAR_COLUMNS})
        catalog.add(Kind.OHLCV, instrument, base_minutes, columns, label=label, source="scripted market")
    for instrument, rates in (funding or {}).items():
        stamps, values = _columns(rates)
        columns = {TIME: stamps, "funding_rate": values}
        catalog.add(Kind.FUNDING, instrument, funding_minutes, columns, label=label, source="scripted market")
    for kind, series in ((Kind.REFERENCE, references), (Kind.MARK, marks)):
        for instrument, prices in (series or {}).items():
            stamps, values = _columns(prices)
            columns = {TIME: stamps - series_minutes * MINUTE_NS, "volume": np.zeros(len(values))}
            columns.update(dict.fromkeys(BAR_COLUMNS[:4], values))
            catalog.add(kind, instrument, series_minutes, columns, label=label, source="scripted market")
    return catalog


def _columns(pairs: Stamped) -> tuple[np.ndarray, np.ndarray]:
    rows = list(pairs)
    return np.array([ts for ts, _ in rows], np.int64), np.array([value for _, value in rows], np.float64)
