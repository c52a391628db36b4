"""Comparing what was said on two histories."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from research.lookahead.report import Leak
from research.lookahead.subjects import Column

Times = NDArray[np.int64]


def first_differences(
    check: str,
    cut: int,
    cut_ts: int,
    found: dict[str, Column],
    expected: dict[str, Column],
    since_ts: int = 0,
) -> tuple[list[Leak], int]:
    """Compare columns at the bars in [since, cut]; return the first difference of each and how many values
    were compared.

    A column that one side lacks is a difference, and so is a bar that one side lacks.
    """
    leaks, count = [], 0
    ranges: dict[tuple[int, int], tuple[int, int, int] | None] = {}  # many columns share their times
    for name in {**expected, **found}:
        if name not in found or name not in expected:
            leaks.append(Leak(check, name, cut, cut, name in found, name in expected))
            continue
        one, other = found[name], expected[name]
        key = (id(one.ts_event), id(other.ts_event))
        if key not in ranges:
            ranges[key] = _common(one.ts_event, other.ts_event, since_ts, cut_ts)
        rows = ranges[key]
        if rows is None:
            leaks.append(Leak(check, name, cut, cut, "other bars", "the same bars"))
            continue
        first, others, size = rows
        count += size
        at = _first(one.values[first : first + size], other.values[others : others + size])
        if at is not None:
            leaks.append(
                Leak(
                    check,
                    name,
                    cut,
                    others + at,
                    _plain(one.values[first + at]),
                    _plain(other.values[others + at]),
                )
            )
    return leaks, count


def _common(one: Times, other: Times, since_ts: int, cut_ts: int) -> tuple[int, int, int] | None:
    """Return where [since, cut] begins on both sides and how many bars it has; None if the bars differ."""
    first, others = (int(np.searchsorted(times, since_ts, side="left")) for times in (one, other))
    last, others_last = (int(np.searchsorted(times, cut_ts, side="right")) for times in (one, other))
    if not np.array_equal(one[first:last], other[others:others_last]):
        return None
    return first, others, last - first


def _first(one: Any, other: Any) -> int | None:
    """Return the first position at which two columns differ; two missing values are equal."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and one.dtype.kind in "fiub":
        differs = one != other
        if one.dtype.kind == "f" and other.dtype.kind == "f":
            differs &= ~(np.isnan(one) & np.isnan(other))
        return int(np.argmax(differs)) if differs.any() else None
    for at, (a, b) in enumerate(zip(one, other, strict=True)):
        if a is not b and a != b and not (a != a and b != b):  # noqa: PLR0124 - NaN is not equal to itself
            return at
    return None


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
