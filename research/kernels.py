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


@compiled
def _missing(size: int) -> Floats:
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
    k runs in vector registers.
    """
    means[:] = 0.0
    for j in range(n):
        row = x[first + j : first + j + len(means)]
        for k in range(len(means)):
            means[k] += row[k]
    for k in range(len(means)):
        means[k] /= n


@compiled
def _deviations(x: Floats, first: int, n: int, means: Floats, deviations: Floats) -> None:
    """Fill `deviations` with those of the same windows, in the order of `window_deviation`."""
    deviations[:] = 0.0
    for j in range(n):
        row = x[first + j : first + j + len(means)]
        for k in range(len(means)):
            deviations[k] += (row[k] - means[k]) * (row[k] - means[k])
    for k in range(len(means)):
        deviations[k] = math.sqrt(deviations[k] / n)


@compiled
def sma(x: Floats, n: int) -> Floats:
    """Return the mean of the last n values."""
    out = _missing(len(x))
    for t in range(n - 1, len(x), BLOCK):
        _means(x, t - n + 1, n, out[t : t + BLOCK])
    return out


@compiled
def std(x: Floats, n: int) -> Floats:
    """Return the population standard deviation of the last n values."""
    out = _missing(len(x))
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
    out = _missing(len(x))
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
    out = _missing(len(x))
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
    """Return the largest of the last n values (a queue of candidates whose values fall)."""
    out = _missing(len(x))
    queue = np.empty(len(x), np.int64)
    head, tail = 0, 0
    for t in range(len(x)):
        while tail > head and x[queue[tail - 1]] <= x[t]:
            tail -= 1
        queue[tail] = t
        tail += 1
        if queue[head] <= t - n:
            head += 1
        if t >= n - 1:
            out[t] = x[queue[head]]
    return out


@compiled
def lowest(x: Floats, n: int) -> Floats:
    """Return the smallest of the last n values."""
    return -highest(-x, n)


@compiled
def rank(x: Floats, n: int) -> Floats:
    """Return the share of the n values before that are smaller."""
    out = _missing(len(x))
    counts = np.empty(BLOCK, np.int64)
    for t in range(n, len(x), BLOCK):
        now = x[t : t + BLOCK]
        count = counts[: len(now)]
        count[:] = 0
        for j in range(n):
            row = x[t - n + j : t - n + j + len(now)]
            for k in range(len(now)):
                count[k] += row[k] < now[k]
        for k in range(len(now)):
            out[t + k] = count[k] / n
    return out


@compiled
def _ascending(x: Floats, n: int) -> Floats:
    """Return the first n values in order."""
    ordered = x[:n].copy()
    for i in range(1, n):
        value, at = ordered[i], i
        while at > 0 and ordered[at - 1] > value:
            ordered[at] = ordered[at - 1]
            at -= 1
        ordered[at] = value
    return ordered


@compiled
def _exchange(ordered: Floats, old: float, new: float) -> None:
    """Replace a value by another in ordered values, moving only what lies between the two."""
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < old:
            low = middle + 1
        else:
            high = middle
    at = low
    while at + 1 < len(ordered) and ordered[at + 1] < new:
        ordered[at] = ordered[at + 1]
        at += 1
    while at > 0 and ordered[at - 1] > new:
        ordered[at] = ordered[at - 1]
        at -= 1
    ordered[at] = new


@compiled
def quantile(x: Floats, n: int, q: float) -> Floats:
    """Return the q-quantile of the n values before, interpolated as numpy does."""
    out = _missing(len(x))
    if len(x) <= n:
        return out
    ordered = _ascending(x, n)
    place = (n - 1) * q
    index = int(place)
    part = place - index
    for t in range(n, len(x)):
        low = ordered[index]
        if part == 0.0:
            out[t] = low
        else:
            high = ordered[index + 1]
            out[t] = high - (high - low) * (1.0 - part) if part >= 0.5 else low + (high - low) * part
        _exchange(ordered, x[t - n], x[t])
    return out


@compiled
def median(x: Floats, n: int) -> Floats:
    """Return the median of the n values before, as `SortedWindow.median` does."""
    out = _missing(len(x))
    if len(x) <= n:
        return out
    ordered = _ascending(x, n)
    half = n // 2
    for t in range(n, len(x)):
        out[t] = ordered[half] if n % 2 else (ordered[half - 1] + ordered[half]) / 2.0
        _exchange(ordered, x[t - n], x[t])
    return out


@compiled
def rsi(x: Floats, n: int) -> Floats:
    """Return RSI as `strategies.indicators.rsi.Rsi` does."""
    out = _missing(len(x))
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
    out = _missing(len(x))
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
    out = _missing(size)
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
