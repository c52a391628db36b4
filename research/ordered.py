"""Kernels of the strategy language that ask where a value stands among those before it.

The guarantees are those of `kernels`; a window here is the n values before the current one.
"""

from __future__ import annotations

import numpy as np

from research.kernels import BLOCK, STRIDE, Floats, missing
from strategies.compiled import compiled


@compiled
def rank(x: Floats, n: int) -> Floats:
    """Return the share of the n values before that are smaller."""
    out = missing(len(x))
    counts = np.empty(BLOCK, np.int64)
    for t in range(n, len(x), BLOCK):
        now = x[t : t + BLOCK]
        count = counts[: len(now)]
        count[:] = 0
        whole = n - n % STRIDE
        for j in range(0, whole, STRIDE):
            row = x[t - n + j : t - n + j + len(now) + STRIDE - 1]
            for k in range(len(now)):
                value = now[k]
                count[k] += (
                    np.int64(row[k] < value)
                    + np.int64(row[k + 1] < value)
                    + np.int64(row[k + 2] < value)
                    + np.int64(row[k + 3] < value)
                )
        for j in range(whole, n):
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
    at = _count_below(ordered, old)
    above, below = ordered[at + 1 :], ordered[:at]
    if len(above) and above[0] < new:
        moved = ordered[at : at + 1 + _count_below(above, new)]
        for i in range(len(moved) - 1):
            moved[i] = moved[i + 1]
        moved[-1] = new
    else:
        moved = ordered[at - _count_above(below, new) : at + 1]
        for i in range(len(moved) - 1, 0, -1):
            moved[i] = moved[i - 1]
        moved[0] = new


@compiled
def _count_below(ordered: Floats, value: float) -> int:
    """Return how many of some ordered values are below a value."""
    first, left = 0, len(ordered)
    while left > 0:
        half = left // 2
        if ordered[first + half] < value:
            first += half + 1
            left -= half + 1
        else:
            left = half
    return first


@compiled
def _count_above(ordered: Floats, value: float) -> int:
    """Return how many of some ordered values are above a value."""
    first, left = 0, len(ordered)
    while left > 0:
        half = left // 2
        if ordered[first + half] <= value:
            first += half + 1
            left -= half + 1
        else:
            left = half
    return len(ordered) - first


@compiled
def quantile(x: Floats, n: int, q: float) -> Floats:
    """Return the q-quantile of the n values before, interpolated as numpy does."""
    out = missing(len(x))
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
    out = missing(len(x))
    if len(x) <= n:
        return out
    ordered = _ascending(x, n)
    half = n // 2
    for t in range(n, len(x)):
        out[t] = ordered[half] if n % 2 else (ordered[half - 1] + ordered[half]) / 2.0
        _exchange(ordered, x[t - n], x[t])
    return out
