"""Relative strength index (Wilder 1978)."""

from __future__ import annotations


class Rsi:
    """RSI of n changes, 0 to 100; warm at n + 1 bars.  100 if there was no loss, 50 if there was neither.

    Written as 100 * gain / (gain + loss), which equals 100 - 100 / (1 + gain / loss) and rounds only once.
    """

    __slots__ = ("_close", "_gain", "_less", "_loss", "_n", "_seeds", "value")

    def __init__(self, n: int = 14) -> None:
        self.value: float | None = None
        self._n = n
        self._less = n - 1
        self._close: float | None = None
        self._gain = 0.0
        self._loss = 0.0
        self._seeds: list[float] | None = []

    def update(self, close: float) -> float | None:
        """Take the next close and return RSI."""
        before = self._close
        self._close = close
        if before is None:
            return None
        change = close - before
        seeds = self._seeds
        if seeds is None:
            n = self._n
            gain = self._gain * self._less
            loss = self._loss * self._less
            if change > 0.0:
                gain += change
            else:
                loss -= change
            gain = self._gain = gain / n
            loss = self._loss = loss / n
        else:
            seeds.append(change)
            if len(seeds) < self._n:
                return None
            gain = self._gain = sum(change for change in seeds if change > 0.0) / self._n
            loss = self._loss = -sum(change for change in seeds if change < 0.0) / self._n
            self._seeds = None
        if loss > 0.0:
            self.value = 100.0 * gain / (gain + loss)
        else:
            self.value = 100.0 if gain > 0.0 else 50.0
        return self.value
