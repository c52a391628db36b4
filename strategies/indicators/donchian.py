"""Rolling extremes and the Donchian channel, O(1) a bar by monotonic queues."""

from __future__ import annotations

from collections import deque


class RollingMax:
    """Largest of the n values BEFORE the current one (indices 1..n); warm when n values came before."""

    __slots__ = ("_count", "_n", "_queue")

    def __init__(self, n: int) -> None:
        self._n = n
        self._count = 0
        # (position, value) with values falling from left to right: the leftmost is the largest still inside.
        self._queue: deque[tuple[int, float]] = deque()

    def update(self, x: float) -> float | None:
        """Return the largest of the n values before `x`, then take `x` in."""
        queue = self._queue
        count = self._count
        self._count = count + 1
        out = None
        if count >= self._n:
            if queue[0][0] < count - self._n:
                queue.popleft()
            out = queue[0][1]
        while queue and queue[-1][1] <= x:
            queue.pop()
        queue.append((count, x))
        return out

    @property
    def count(self) -> int:
        """Values taken so far."""
        return self._count


class Donchian:
    """Highest high and lowest low of the n bars BEFORE the current one; warm at n + 1 bars.

    Attributes
    ----------
    high, low : float or None
        The channel that the last bar met.
    """

    __slots__ = ("_highs", "_lows", "high", "low")

    def __init__(self, n: int) -> None:
        self.high: float | None = None
        self.low: float | None = None
        self._highs = RollingMax(n)
        self._lows = RollingMax(n)

    def update(self, high: float, low: float) -> None:
        """Set the channel to the n bars before this one, then take this one in."""
        self.high = self._highs.update(high)
        lowest = self._lows.update(-low)
        self.low = None if lowest is None else -lowest

    @property
    def count(self) -> int:
        """Bars taken so far."""
        return self._highs.count
