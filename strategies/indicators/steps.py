"""Steps of the indicators as compiled kernels: one bar in, the state in a row of numbers.

Guarantees: the same bits as the classes of this package, bar by bar.  A desk holds the rows of all its
instruments in one table, and one call takes the bars of all of them: as many Python objects would cost
more, most of it for finding them in memory again.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from strategies.compiled import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@compiled
def python_sum(x: Floats, first: int, last: int) -> float:
    """Return sum(x[first:last]) to the bit that Python's `sum` gives."""
    total, lost = 0.0, 0.0
    for j in range(first, last):
        value = x[j]
        new = total + value
        if abs(total) >= abs(value):
            lost += (total - new) + value
        else:
            lost += (value - new) + total
        total = new
    return total + lost if lost != 0.0 and math.isfinite(lost) else total


# A row of an average: [inputs so far, value (NaN until warm), inputs that seed it ...].
MEAN_FLOATS = 2


@compiled
def wilder_step(row: Floats, n: int, x: float) -> float:
    """Take the next input of `WilderMean(n)`; `row` has `MEAN_FLOATS + n` numbers, all 0 at first."""
    count = int(row[0])
    row[0] = count + 1
    if count >= n:
        row[1] = (row[1] * (n - 1) + x) / n
    else:
        row[MEAN_FLOATS + count] = x
        row[1] = python_sum(row, MEAN_FLOATS, MEAN_FLOATS + n) / n if count == n - 1 else math.nan
    return float(row[1])


@compiled
def ema_step(row: Floats, n: int, x: float) -> float:
    """Take the next input of `Ema(n)`; `row` is as that of `wilder_step`."""
    count = int(row[0])
    row[0] = count + 1
    if count >= n:
        row[1] = row[1] + 2.0 / (n + 1) * (x - row[1])
    else:
        row[MEAN_FLOATS + count] = x
        row[1] = python_sum(row, MEAN_FLOATS, MEAN_FLOATS + n) / n if count == n - 1 else math.nan
    return float(row[1])


# A row of ATR: [close of the bar before, the row of its average ...].
ATR_FLOATS = 1 + MEAN_FLOATS


@compiled
def atr_step(row: Floats, n: int, high: float, low: float, close: float) -> float:
    """Take the next bar of `Atr(n)`; `row` has `ATR_FLOATS + n` numbers, all 0 at first."""
    before = row[0]
    row[0] = close
    if row[1] == 0.0 or low <= before <= high:
        true_range = high - low
    elif before > high:
        true_range = before - low
    else:
        true_range = high - before
    return wilder_step(row[1:], n, true_range)


# A row of ADX: [bars so far, high and low of the bar before, rows of +DM, -DM and DX ...].
ADX_FLOATS = 3 + 3 * MEAN_FLOATS


@compiled
def adx_step(row: Floats, n: int, high: float, low: float) -> float:
    """Take the next bar of `Adx(n)`; `row` has `ADX_FLOATS + 3 * n` numbers, all 0 at first."""
    count, up, down = row[0], high - row[1], row[2] - low
    row[0], row[1], row[2] = count + 1.0, high, low
    if count == 0.0:
        return math.nan
    size = MEAN_FLOATS + n
    plus = wilder_step(row[3 : 3 + size], n, up if up > down and up > 0.0 else 0.0)
    minus = wilder_step(row[3 + size : 3 + 2 * size], n, down if down > up and down > 0.0 else 0.0)
    if math.isnan(plus):
        return math.nan
    total = plus + minus
    strength = 100.0 * abs(plus - minus) / total if total > 0.0 else 0.0
    return wilder_step(row[3 + 2 * size :], n, strength)


# A row of a window: [values so far, the value n places before the newest, the last n values ...].
WINDOW_FLOATS = 2


@compiled
def push(row: Floats, x: float) -> None:
    """Take `x` into a window of `len(row) - WINDOW_FLOATS` values; the value before it is NaN at first."""
    n = len(row) - WINDOW_FLOATS
    count = int(row[0])
    at = WINDOW_FLOATS + count % n
    row[0] = count + 1
    row[1] = row[at] if count >= n else math.nan
    row[at] = x


@compiled
def rank(row: Floats) -> float:
    """Return the percentile rank of the newest value: the share of the n BEFORE it that are smaller.

    NaN until n values came before it.
    """
    n = len(row) - WINDOW_FLOATS
    count, dropped = int(row[0]), row[1]
    if count <= n:
        return math.nan
    x = row[WINDOW_FLOATS + (count - 1) % n]
    # The newest is in the window but not < itself; the one that it pushed out belongs to the n before it.
    smaller = 1 if dropped < x else 0
    for k in range(WINDOW_FLOATS, WINDOW_FLOATS + n):
        smaller += 1 if row[k] < x else 0
    return smaller / n


# A row of a slope: the row of its average, then the window of its last values.
SLOPE_FLOATS = MEAN_FLOATS + WINDOW_FLOATS


@compiled
def slope_step(row: Floats, n: int, k: int, close: float, atr: float) -> float:
    """Return (EMA(n)[0] - EMA(n)[k]) / (k * ATR[0]): signed, in ATRs a bar, 0 if ATR is 0.

    `row` has `SLOPE_FLOATS + n + k` numbers, all 0 at first; NaN until n + k bars are in and ATR is known.
    """
    average = ema_step(row[: MEAN_FLOATS + n], n, close)
    if math.isnan(average):
        return math.nan
    past = row[MEAN_FLOATS + n :]
    push(past, average)
    before = past[1]
    if math.isnan(before) or math.isnan(atr):
        return math.nan
    return (average - before) / (k * atr) if atr > 0.0 else 0.0
