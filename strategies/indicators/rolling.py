"""Order statistics of a rolling window: percentile rank, median, quantile.

The percentile rank of x is the share of the n values BEFORE it (indices 1..n) that are < x, in [0, 1].
`SortedWindow` has it with each value; `RankWindow` only when asked, which is three times as quick where
most values are not asked for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from math import inf, isnan, nan

import numpy as np


class SortedWindow:
    """The last n values kept in order of size, O(log n) comparisons and one move of memory a value.

    Attributes
    ----------
    ordered : array of float
        The window sorted upwards, in one piece of memory; readers must not change it.
    """

    __slots__ = ("_n", "_next", "_ring", "ordered")

    def __init__(self, n: int) -> None:
        self.ordered = array("d")
        self._n = n
        self._next = 0
        self._ring = array("d")

    def update(self, x: float) -> float | None:
        """Return the percentile rank of `x`, None until n values came before, then take `x` in."""
        ordered = self.ordered
        ring = self._ring
        n = self._n
        smaller = bisect_left(ordered, x)
        if len(ring) < n:
            ring.append(x)
            ordered.insert(smaller, x)
            return None
        at = self._next
        oldest = ring[at]
        ring[at] = x
        at += 1
        self._next = at if at < n else 0
        del ordered[bisect_left(ordered, oldest)]
        ordered.insert(smaller - 1 if oldest < x else smaller, x)
        return smaller / n

    @property
    def count(self) -> int:
        """Values in the window, at most n."""
        return len(self._ring)

    def quantile(self, q: float) -> float | None:
        """Return the q-quantile with linear interpolation (numpy's default), None until n values are in."""
        ordered = self.ordered
        n = self._n
        if len(ordered) < n:
            return None
        place = (n - 1) * q
        index = int(place)
        part = place - index
        low = ordered[index]
        if part == 0.0:
            return low
        high = ordered[index + 1]
        # Interpolated from the nearer end, as numpy does, so that the two agree to the last bit.
        return high - (high - low) * (1.0 - part) if part >= 0.5 else low + (high - low) * part

    def median(self) -> float | None:
        """Return the median, None until n values are in."""
        ordered = self.ordered
        n = self._n
        if len(ordered) < n:
            return None
        half = n // 2
        return ordered[half] if n % 2 else (ordered[half - 1] + ordered[half]) / 2.0


class RankWindow:
    """The last n values, with the percentile rank of the newest worked out when asked for."""

    __slots__ = ("_dropped", "_n", "_next", "_pushes", "_ring", "_short", "_short_slack", "_values", "_x")

    def __init__(self, n: int) -> None:
        self._n = n
        self._next = 0
        self._ring = array("d", [nan]) * n
        self._values = np.frombuffer(self._ring)  # the same memory
        self._dropped = nan  # the value n places before the newest; NaN until there is one
        self._x = nan
        self._pushes = 0
        self._short = -inf  # a value that fell short in `rank_from`, ...
        self._short_slack = 0  # ... and how many values were below it then, less the pushes until then

    def push(self, x: float) -> None:
        """Take `x` in and drop the oldest value."""
        ring = self._ring
        at = self._next
        self._dropped = ring[at]
        ring[at] = self._x = x
        at += 1
        self._next = at if at < self._n else 0
        self._pushes += 1

    @property
    def warm(self) -> bool:
        """Whether n values came before the newest."""
        return not isnan(self._dropped)

    def rank(self) -> float | None:
        """Return the percentile rank of the newest value, None until n values came before it."""
        dropped, x = self._dropped, self._x
        if isnan(dropped):
            return None
        # The newest is in the ring but not < itself; the one that it pushed out belongs to the n before it.
        return (int(np.count_nonzero(self._values < x)) + (dropped < x)) / self._n

    def rank_from(self, least: float) -> float | None:
        """Return the rank if it is at least `least` (always the same one), else None, mostly uncounted.

        Each value that comes puts at most one more below a given one, so a value that is not above one
        that fell short lately falls short too.
        """
        n, x = self._n, self._x
        if x <= self._short and (self._short_slack + self._pushes) / n < least:
            return None
        rank = self.rank()
        if rank is None or rank >= least:
            return rank
        self._short, self._short_slack = x, round(rank * n) - self._pushes
        return None

    @property
    def count(self) -> int:
        """Values in the window, at most n."""
        return self._n - int(np.count_nonzero(np.isnan(self._values)))
