"""Numeric kernels of the strategy language over whole columns.

Guarantees: an output at row t is a function of rows 0..t; recursive averages follow `strategies.indicators`
step by step, so they give the same bits; windows are summed anew at every row, oldest value first, so
nothing drifts and the streaming form, which calls the same window functions, agrees exactly.  Input
holds no NaN: `vector.skipping` takes missing rows out before and puts them back after.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from strategies.compiled import compiled
from strategies.indicators.steps import python_sum

Floats = NDArray[np.float64]

BLOCK = 128  # neighbouring windows worked on together
STRIDE = 4  # values of each of them at a time; the loops below are written out for four


@compiled
def missing(size: int) -> Floats:
    """Return a column of missing values; a loop compiles in a tenth of the time of `np.full`."""
    out = np.empty(size)
    for t in range(size):
        out[t] = np.nan
    return out


@compiled
def window_mean(x: Floats, first: int, n: int) -> float:
    """Return the mean of x[first : first + n], added from the oldest on."""
    total = 0.0
    for j in range(first, first + n):
        total += x[j]
    return total / n


@compiled
def window_deviation(x: Floats, first: int, n: int, mean: float) -> float:
    """Return the population standard deviation of x[first : first + n] around its mean."""
    squares = 0.0
    for j in range(first, first + n):
        squares += (x[j] - mean) * (x[j] - mean)
    return math.sqrt(squares / n)


@compiled
def _means(x: Floats, first: int, n: int, means: Floats) -> None:
    """Fill `means` with those of the windows x[first + k : first + k + n].

    Neighbouring windows are added side by side: each sum keeps the order of `window_mean`, and the loop over
    k runs in vector registers, four values of each window at a time, since sums that wait in memory cost more
    than adding.
    """
    size, whole = len(means), n - n % STRIDE
    means[:] = 0.0
    for j in range(0, whole, STRIDE):
        row = x[first + j : first + j + size + STRIDE - 1]
        for k in range(size):
            means[k] = means[k] + row[k] + row[k + 1] + row[k + 2] + row[k + 3]
    for j in range(whole, n):
        row = x[first + j : first + j + size]
        for k in range(size):
            means[k] += row[k]
    for k in range(size):
        means[k] /= n


@compiled
def _deviations(x: Floats, first: int, n: int, means: Floats, deviations: Floats) -> None:
    """Fill `deviations` with those of the same windows, in the order of `window_deviation`."""
    size, whole = len(means), n - n % STRIDE
    deviations[:] = 0.0
    for j in range(0, whole, STRIDE):
        row = x[first + j : first + j + size + STRIDE - 1]
        for k in range(size):
            mean = means[k]
            a, b, c, d = row[k] - mean, row[k + 1] - mean, row[k + 2] - mean, row[k + 3] - mean
            deviations[k] = deviations[k] + a * a + b * b + c * c + d * d
    for j in range(whole, n):
        row = x[first + j : first + j + size]
        for k in range(size):
            deviations[k] += (row[k] - means[k]) * (row[k] - means[k])
    for k in range(size):
        deviations[k] = math.sqrt(deviations[k] / n)


@compiled
def sma(x: Floats, n: int) -> Floats:
    """Return the mean of the last n values."""
    out = missing(len(x))
    for t in range(n - 1, len(x), BLOCK):
        _means(x, t - n + 1, n, out[t : t + BLOCK])
    return out


@compiled
def std(x: Floats, n: int) -> Floats:
    """Return the population standard deviation of the last n values."""
    out = missing(len(x))
    means = np.empty(BLOCK)
    for t in range(n - 1, len(x), BLOCK):
        block = out[t : t + BLOCK]
        mean = means[: len(block)]
        _means(x, t - n + 1, n, mean)
        _deviations(x, t - n + 1, n, mean, block)
    return out


@compiled
def zscore(x: Floats, n: int) -> Floats:
    """Return (x - mean) / deviation of the last n values; missing where the deviation is 0."""
    out = missing(len(x))
    means, deviations = np.empty(BLOCK), np.empty(BLOCK)
    for t in range(n - 1, len(x), BLOCK):
        block = out[t : t + BLOCK]
        mean, deviation = means[: len(block)], deviations[: len(block)]
        _means(x, t - n + 1, n, mean)
        _deviations(x, t - n + 1, n, mean, deviation)
        for k in range(len(block)):
            block[k] = (x[t + k] - mean[k]) / deviation[k] if deviation[k] > 0.0 else np.nan
    return out


@compiled
def ema(x: Floats, n: int) -> Floats:
    """Return the exponential mean as `strategies.indicators.moving_averages.Ema` does."""
    out = missing(len(x))
    if len(x) < n:
        return out
    alpha = 2.0 / (n + 1)
    value = python_sum(x, 0, n) / n
    out[n - 1] = value
    for t in range(n, len(x)):
        value = value + alpha * (x[t] - value)
        out[t] = value
    return out


@compiled
def highest(x: Floats, n: int) -> Floats:
    """Return the largest of the last n values; of equal ones the newest.

    Blocks of n (van Herk 1992, Gil and Werman 1993): a window is the end of one block and the beginning of
    the next, so that two running maxima give it, whatever n is.
    """
    out = missing(len(x))
    if len(x) < n:
        return out
    until_end = np.empty(n)  # largest from here to the end of the block before
    for first in range(0, len(x), n):
        last = min(first + n, len(x))
        best = x[first]
        for t in range(first, last):
            best = best if best > x[t] else x[t]
            at = t - first + 1
            if at == n:
                out[t] = best
            elif first > 0:
                out[t] = until_end[at] if until_end[at] > best else best
        best = x[last - 1]
        for t in range(last - 1, first - 1, -1):
            best = x[t] if x[t] > best else best
            until_end[t - first] = best
    return out


@compiled
def lowest(x: Floats, n: int) -> Floats:
    """Return the smallest of the last n values; of equal ones the newest."""
    return -highest(-x, n)


@compiled
def crossed(a: Floats, b: Floats) -> NDArray[np.bool_]:
    """Tell where a went from at or below b to above it; false where a value is missing."""
    out = np.empty(len(a), np.bool_)
    out[:1] = False
    for t in range(1, len(a)):
        out[t] = (a[t] > b[t]) & (a[t - 1] <= b[t - 1])
    return out


@compiled
def taken(x: Floats, rows: NDArray[np.int64]) -> Floats:
    """Return x[rows]; missing where the row is negative."""
    out = np.empty(len(rows))
    for t in range(len(rows)):
        out[t] = x[rows[t]] if rows[t] >= 0 else np.nan
    return out


@compiled
def speaking(
    long: NDArray[np.bool_], short: NDArray[np.bool_], atr: Floats, ready_bars: int
) -> NDArray[np.int8]:
    """Return +1, -1 or 0 a bar: the side that speaks alone, once there are enough bars and an ATR."""
    out = np.zeros(len(atr), np.int8)
    first = max(ready_bars - 1, 0)
    said, up, down, known = out[first:], long[first:], short[first:], atr[first:]
    for t in range(len(said)):
        said[t] = np.int8(up[t]) - np.int8(down[t])
    for t in range(len(said)):
        if known[t] - known[t] != 0.0:  # NaN or infinite
            said[t] = 0
    return out


@compiled
def rsi(x: Floats, n: int) -> Floats:
    """Return RSI as `strategies.indicators.rsi.Rsi` does."""
    out = missing(len(x))
    if len(x) <= n:
        return out
    gains, losses = np.empty(n), np.empty(n)
    ups, downs = 0, 0
    for j in range(n):
        change = x[j + 1] - x[j]
        if change > 0.0:
            gains[ups] = change
            ups += 1
        elif change < 0.0:
            losses[downs] = change
            downs += 1
    gain, loss = python_sum(gains, 0, ups) / n, -python_sum(losses, 0, downs) / n
    for t in range(n, len(x)):
        if t > n:
            change = x[t] - x[t - 1]
            gain, loss = gain * (n - 1), loss * (n - 1)
            if change > 0.0:
                gain += change
            else:
                loss -= change
            gain, loss = gain / n, loss / n
        if loss > 0.0:
            out[t] = 100.0 * gain / (gain + loss)
        else:
            out[t] = 100.0 if gain > 0.0 else 50.0
    return out


@compiled
def wilder(x: Floats, n: int) -> Floats:
    """Return Wilder's mean as `strategies.indicators.wilder.WilderMean` does."""
    out = missing(len(x))
    if len(x) < n:
        return out
    value = python_sum(x, 0, n) / n
    out[n - 1] = value
    for t in range(n, len(x)):
        value = (value * (n - 1) + x[t]) / n
        out[t] = value
    return out


@compiled
def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """Return the true range of every bar; that of the first is high - low."""
    out = np.empty(len(high))
    for t in range(len(high)):
        before = close[t - 1] if t > 0 else low[t]
        if low[t] <= before <= high[t]:
            out[t] = high[t] - low[t]
        elif before > high[t]:
            out[t] = before - low[t]
        else:
            out[t] = high[t] - before
    return out


@compiled
def directional_index(high: Floats, low: Floats, n: int) -> Floats:
    """Return ADX as `strategies.indicators.wilder.Adx` does."""
    size = len(high)
    out = missing(size)
    if size < 2 * n:
        return out
    plus, minus = np.empty(size - 1), np.empty(size - 1)
    for t in range(1, size):
        plus[t - 1] = minus[t - 1] = 0.0
        up, down = high[t] - high[t - 1], low[t - 1] - low[t]
        if up > down:
            if up > 0.0:
                plus[t - 1] = up
        elif down > up and down > 0.0:
            minus[t - 1] = down
    plus, minus = wilder(plus, n), wilder(minus, n)
    moves = np.empty(size - n)
    for t in range(n, size):
        total = plus[t - 1] + minus[t - 1]
        moves[t - n] = 100.0 * abs(plus[t - 1] - minus[t - 1]) / total if total > 0.0 else 0.0
    smooth = wilder(moves, n)
    for t in range(n, size):
        out[t] = smooth[t - n]
    return out
