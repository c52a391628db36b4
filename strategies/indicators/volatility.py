"""Realised volatility."""

from __future__ import annotations

from collections import deque
from math import dist, log, sqrt


class RealisedVolatility:
    """Population standard deviation of the last n one-bar log returns, a fraction; warm at n + 1 bars.

    Attributes
    ----------
    value : float or None
        Volatility with the last bar included.
    log_return : float
        Log return of the last bar, 0 for the first.
    """

    __slots__ = ("_close", "_n", "_root", "_window", "log_return", "value")

    def __init__(self, n: int = 30) -> None:
        self.value: float | None = None
        self.log_return = 0.0
        self._n = n
        self._root = sqrt(n)
        self._close: float | None = None
        self._window: deque[float] = deque(maxlen=n)

    def update(self, close: float) -> float | None:
        """Take the next close and return the volatility."""
        before = self._close
        self._close = close
        if before is None:
            return None
        change = self.log_return = log(close / before)
        self._window.append(change)
        window = tuple(self._window)
        n = self._n
        if len(window) < n:
            return None
        value = self.value = dist(window, (sum(window) / n,) * n) / self._root
        return value
