"""Realised volatility."""

from __future__ import annotations

from math import log, sqrt

# Log returns are kept as whole multiples of 2**-60 (1e-18): running sums of Python's whole numbers are
# exact, so they cannot drift from the batch value, and a flat window gives exactly 0.
_UNIT = float(2**60)


class RealisedVolatility:
    """Population standard deviation of the last n one-bar log returns, a fraction; warm at n + 1 bars.

    Attributes
    ----------
    value : float or None
        Volatility with the last bar included.
    log_return : float
        Log return of the last bar, 0 for the first.
    """

    __slots__ = ("_close", "_lacking", "_n", "_next", "_ring", "_squares", "_total", "log_return", "value")

    def __init__(self, n: int = 30) -> None:
        self.value: float | None = None
        self.log_return = 0.0
        self._n = n
        self._lacking = n
        self._close: float | None = None
        self._ring = [0] * n
        self._next = 0
        self._total = 0
        self._squares = 0

    def update(self, close: float) -> float | None:
        """Take the next close and return the volatility."""
        before = self._close
        self._close = close
        if before is None:
            return None
        change = self.log_return = log(close / before)
        newest = int(change * _UNIT)
        ring = self._ring
        at = self._next
        oldest = ring[at]
        ring[at] = newest
        at += 1
        n = self._n
        self._next = at if at < n else 0
        difference = newest - oldest
        total = self._total = self._total + difference
        squares = self._squares = self._squares + difference * (newest + oldest)
        if self._lacking:
            self._lacking -= 1
            if self._lacking:
                return None
        value = self.value = sqrt(n * squares - total * total) / (n * _UNIT)
        return value
