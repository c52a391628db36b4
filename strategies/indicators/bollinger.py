"""Bollinger bands."""

from __future__ import annotations

from collections import deque
from math import dist, sqrt
from typing import NamedTuple


class Bands(NamedTuple):
    """Lower, middle and upper band, price units."""

    lower: float
    middle: float
    upper: float


class Bollinger:
    """SMA(n) of the close plus and minus k population standard deviations; warm at n bars.

    Pushing is cheap and the bands are worked out when asked for, since most bars do not need them.
    """

    __slots__ = ("_k", "_n", "_root", "_window")

    def __init__(self, n: int = 20, k: float = 2.0) -> None:
        self._n = n
        self._k = k
        self._root = sqrt(n)
        self._window: deque[float] = deque(maxlen=n)

    def push(self, close: float) -> None:
        """Take the next close."""
        self._window.append(close)

    def bands(self) -> Bands | None:
        """Return the bands of the last n closes, the current one included."""
        window = tuple(self._window)
        n = self._n
        if len(window) < n:
            return None
        mean = sum(window) / n
        width = self._k * dist(window, (mean,) * n) / self._root
        return Bands(mean - width, mean, mean + width)

    @property
    def count(self) -> int:
        """Closes in the window, at most n."""
        return len(self._window)
