"""Closed bars of higher timeframes from closed finer bars: the one definition, in its batch form.

Bars are stamped at their CLOSE.  A bucket of `m` minutes holds the bars whose open time lies in
[k*m, (k+1)*m) since 1970-01-01 UTC and is stamped at its end.  A higher bar exists if at least one fine bar
lies in its bucket; nothing is invented for an empty one.  That is pandas `resample(closed="left",
label="right")` on open stamps with empty buckets dropped, and `resample` and the streaming forms
(`catalog.building`, `catalog.panel`) give its values bit for bit.  So volume is summed as pandas sums sorted
groups, by numpy's `add.reduceat`: the first value plus the pairwise sum of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalogError
from risk.vocabulary import MINUTE_NS, Bar

TIMEFRAMES: dict[str, int] = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240}

_LABELS = {minutes: name for name, minutes in TIMEFRAMES.items()}

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Rows = slice | Ints | NDArray[np.bool_]


def label(minutes: int) -> str:
    """Return the label of a timeframe in minutes: 60 gives `1h`."""
    try:
        return _LABELS[minutes]
    except KeyError:
        raise _unknown(f"{minutes} minutes") from None


def parse_timeframe(text: str) -> int:
    """Return the minutes of a timeframe label: `1h` gives 60."""
    try:
        return TIMEFRAMES[text]
    except KeyError:
        raise _unknown(repr(text)) from None


def _unknown(found: str) -> CatalogError:
    return CatalogError("unknown timeframe", found=found, expected="one of " + " ".join(TIMEFRAMES))


@dataclass(frozen=True, slots=True)
class BarArrays:
    """Closed bars of one instrument and timeframe as columns, in time order.

    `ts_event` is the close time in ns UTC (int64); prices and volume (base coins) are float64.
    """

    ts_event: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.ts_event)

    @classmethod
    def empty(cls) -> BarArrays:
        """Return no bars."""
        none = np.empty(0, np.float64)
        return cls(np.empty(0, np.int64), none, none, none, none, none)

    def slice(self, start_ns: int | None, end_ns: int | None) -> BarArrays:
        """Return the bars with start_ns < ts_event <= end_ns (None: no bound), without copying."""
        first = 0 if start_ns is None else int(np.searchsorted(self.ts_event, start_ns, side="right"))
        last = len(self) if end_ns is None else int(np.searchsorted(self.ts_event, end_ns, side="right"))
        return self.take(slice(first, max(first, last)))

    def take(self, rows: Rows) -> BarArrays:
        """Return the chosen rows (a slice, indices or a mask)."""
        return BarArrays(
            self.ts_event[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
        )

    def bars(self, instrument: str, minutes: int) -> Iterator[Bar]:
        """Yield the rows as `Bar` values."""
        columns = (self.ts_event, self.open, self.high, self.low, self.close, self.volume)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            yield Bar(instrument, minutes, *row)


def resample(bars: BarArrays, source_minutes: int, target_minutes: int) -> BarArrays:
    """Build the bars of a higher timeframe from a finer one.

    Parameters
    ----------
    bars : BarArrays
        Bars of `source_minutes`, stamped at their close, strictly increasing in time.
    source_minutes, target_minutes : int
        The target is a multiple of the source; the same timeframe returns the bars unchanged.

    Raises
    ------
    CatalogError
        If the target is not a multiple of the source or the bars are not in time order.
    """
    require_multiple(source_minutes, target_minutes)
    if source_minutes == target_minutes or len(bars) == 0:
        return bars
    if not bool(np.all(bars.ts_event[1:] > bars.ts_event[:-1])):
        raise CatalogError(
            "bars must be strictly increasing in time to be resampled",
            remedy="read them through Catalog.bars, or sort them and drop duplicates",
        )
    step = target_minutes * MINUTE_NS
    bucket = (bars.ts_event - source_minutes * MINUTE_NS) // step
    first = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    return BarArrays(
        (bucket[first] + 1) * step,
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[np.append(first[1:], len(bucket)) - 1],
        np.add.reduceat(bars.volume, first),
    )


def require_multiple(source_minutes: int, target_minutes: int) -> None:
    """Refuse a timeframe that cannot be built from a finer one."""
    if source_minutes <= 0 or target_minutes % source_minutes:
        raise CatalogError(
            "a higher timeframe must be a multiple of its source",
            found=f"{target_minutes} minutes from {source_minutes}",
        )
