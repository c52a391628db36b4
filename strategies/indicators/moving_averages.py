"""Exponential moving average."""

from __future__ import annotations


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
