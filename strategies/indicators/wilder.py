"""Wilder's averages: true range, ATR and ADX (J. Welles Wilder, New Concepts in Technical Trading Systems,
1978).

All in mean form: the first value is the mean of the first n inputs, then (previous * (n - 1) + input) / n.
"""

from __future__ import annotations


class WilderMean:
    """Mean of the first n inputs, then (previous * (n - 1) + x) / n."""

    __slots__ = ("_less", "_n", "_seed", "value")

    def __init__(self, n: int) -> None:
        self.value: float | None = None
        self._n = n
        self._less = n - 1
        self._seed: list[float] = []

    def update(self, x: float) -> float | None:
        """Take the next input and return the average, None for the first n - 1."""
        value = self.value
        if value is not None:
            value = self.value = (value * self._less + x) / self._n
            return value
        seed = self._seed
        seed.append(x)
        if len(seed) == self._n:
            value = self.value = sum(seed) / self._n
            seed.clear()
        return value


class Atr:
    """Average true range of n bars, price units; warm at n bars.  The first bar's true range is high -
    low."""

    __slots__ = ("_close", "_less", "_n", "_seed", "value")

    def __init__(self, n: int = 14) -> None:
        self.value: float | None = None
        self._n = n
        self._less = n - 1
        self._seed: list[float] = []
        self._close: float | None = None

    def update(self, high: float, low: float, close: float) -> float | None:
        """Take the next bar and return ATR."""
        before = self._close
        self._close = close
        # Only a gap beyond the bar's own range makes another term of the true range the largest.
        if before is None or low <= before <= high:
            true_range = high - low
        elif before > high:
            true_range = before - low
        else:
            true_range = high - before
        value = self.value
        if value is not None:
            value = self.value = (value * self._less + true_range) / self._n
            return value
        seed = self._seed
        seed.append(true_range)
        if len(seed) == self._n:
            value = self.value = sum(seed) / self._n
            seed.clear()
        return value


class Adx:
    """Average directional index of n bars, 0 to 100; warm at 2n bars.

    Directional movements start at the second bar.  The smoothed true range divides +DI and -DI alike and
    cancels in DX, so it is not kept: DX = 100 * abs(+DM - -DM) / (+DM + -DM) of the smoothed movements, 0
    if both are 0.
    """

    __slots__ = ("_dx", "_high", "_less", "_low", "_minus", "_n", "_plus", "_seeds", "value")

    def __init__(self, n: int = 14) -> None:
        self.value: float | None = None
        self._n = n
        self._less = n - 1
        self._high: float | None = None
        self._low = 0.0
        self._plus = 0.0
        self._minus = 0.0
        self._seeds: list[tuple[float, float]] | None = []
        self._dx = WilderMean(n)

    def update(self, high: float, low: float) -> float | None:
        """Take the next bar and return ADX."""
        high_before = self._high
        low_before = self._low
        self._high = high
        self._low = low
        if high_before is None:
            return None
        up = high - high_before
        down = low_before - low
        plus = minus = 0.0
        if up > down:
            if up > 0.0:
                plus = up
        elif down > up and down > 0.0:
            minus = down
        seeds = self._seeds
        if seeds is None:
            n = self._n
            less = self._less
            plus = self._plus = (self._plus * less + plus) / n
            minus = self._minus = (self._minus * less + minus) / n
        else:
            seeds.append((plus, minus))
            if len(seeds) < self._n:
                return None
            plus = self._plus = sum(seed[0] for seed in seeds) / self._n
            minus = self._minus = sum(seed[1] for seed in seeds) / self._n
            self._seeds = None
        total = plus + minus
        value = self._dx.update(100.0 * abs(plus - minus) / total if total > 0.0 else 0.0)
        self.value = value
        return value
