"""Bars as arrays: one-minute rows, the intervals of the venue, and how coarse bars come from fine ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

INTERVALS = {
    "1m": MINUTE_MS, "3m": 3 * MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS, "2h": 2 * HOUR_MS, "4h": 4 * HOUR_MS, "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS, "12h": 12 * HOUR_MS, "1d": DAY_MS,
    "3d": 3 * DAY_MS, "1w": 7 * DAY_MS, "1M": 30 * DAY_MS,
}  # fmt: skip

# How far back each granularity reaches (recorded mid 2026); what is not named reaches as far as a day does.
RETENTION_MS = {
    "1m": 632 * DAY_MS, "3m": 632 * DAY_MS, "5m": 92 * DAY_MS, "15m": 243 * DAY_MS, "30m": 243 * DAY_MS,
    "1h": 820 * DAY_MS,
}  # fmt: skip
LONGEST_RETENTION_MS = 1_900 * DAY_MS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(slots=True)
class Minutes:
    """Bars by open time in ms; prices in USDT, volume in base coins."""

    time_ms: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @classmethod
    def empty(cls) -> Minutes:
        none = np.empty(0, np.float64)
        return cls(np.empty(0, np.int64), none, none, none, none, none)

    def __len__(self) -> int:
        return len(self.time_ms)

    def slice(self, start_ms: int, end_ms: int) -> Minutes:
        """Return the bars that open in [start, end)."""
        first, last = (int(x) for x in np.searchsorted(self.time_ms, [start_ms, end_ms]))
        return self.take(slice(first, last))

    def take(self, which: Any) -> Minutes:
        columns = (self.time_ms, self.open, self.high, self.low, self.close, self.volume)
        return Minutes(*(column[which] for column in columns))

    def append(self, other: Minutes) -> Minutes:
        names = ("time_ms", "open", "high", "low", "close", "volume")
        return Minutes(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    def coarse(self, step_ms: int) -> Minutes:
        """Build bars of a longer step, aligned to the epoch; a step without a minute has no bar."""
        if not len(self) or step_ms == MINUTE_MS:
            return self
        opens = self.time_ms // step_ms * step_ms
        first = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
        last = np.append(first[1:], len(opens)) - 1
        return Minutes(
            opens[first],
            self.open[first],
            np.maximum.reduceat(self.high, first),
            np.minimum.reduceat(self.low, first),
            self.close[last],
            np.add.reduceat(self.volume, first),
        )
