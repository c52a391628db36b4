"""Order statistics of a rolling window: percentile rank, median, quantile.

The percentile rank of x is the share of the n values BEFORE it (indices 1..n) that are < x, in [0, 1].
`SortedWindow` keeps it up with each value; where most values are not asked for, `steps.rank` counts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left


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
