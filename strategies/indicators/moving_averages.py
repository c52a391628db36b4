"""Exponential moving average and its slope."""

from __future__ import annotations

from collections import deque


class Ema:
    """Exponential moving average, alpha = 2 / (n + 1), seeded with the mean of the first n closes; warm at
    n bars."""

    __slots__ = ("_alpha", "_n", "_seed", "value")

    def __init__(self, n: int) -> None:
        self.value: float | None = None
        self._n = n
        self._alpha = 2.0 / (n + 1)
        self._seed: list[float] = []

    def update(self, close: float) -> float | None:
        """Take the next close and return the average."""
        value = self.value
        if value is not None:
            value = self.value = value + self._alpha * (close - value)
            return value
        seed = self._seed
        seed.append(close)
        if len(seed) == self._n:
            value = self.value = sum(seed) / self._n
            seed.clear()
        return value


class EmaSlope:
    """(EMA[0] - EMA[k]) / (k * ATR[0]): signed, in ATRs per bar, 0 if ATR is 0; warm at n + k bars.

    Parameters
    ----------
    n : int
        Length of the moving average.
    k : int
        Bars over which the slope is taken.
    """

    __slots__ = ("_ema", "_k", "_past", "value")

    def __init__(self, n: int = 200, k: int = 5) -> None:
        self.value: float | None = None
        self._ema = Ema(n)
        self._k = k
        self._past: deque[float] = deque(maxlen=k)

    def update(self, close: float, atr: float | None) -> float | None:
        """Take the next close and the ATR of the same bar and return the slope."""
        ema = self._ema.update(close)
        if ema is None:
            return None
        past = self._past
        if atr is not None and len(past) == self._k:
            self.value = (ema - past[0]) / (self._k * atr) if atr > 0.0 else 0.0
        past.append(ema)
        return self.value
