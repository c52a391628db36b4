"""Comparing what was said on two histories."""

from __future__ import annotations

from typing import Any

import numpy as np

from research.lookahead.report import Leak
from research.lookahead.subjects import Column


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
    for name in {**expected, **found}:
        if name not in found or name not in expected:
            leaks.append(Leak(check, name, cut, cut, name in found, name in expected))
            continue
        one, other = found[name], expected[name]
        rows, others = _known(one, since_ts, cut_ts), _known(other, since_ts, cut_ts)
        count += rows[1] - rows[0]
        if not np.array_equal(one.ts_event[slice(*rows)], other.ts_event[slice(*others)]):
            leaks.append(Leak(check, name, cut, cut, rows[1] - rows[0], others[1] - others[0]))
            continue
        at = _first(one.values[slice(*rows)], other.values[slice(*others)])
        if at is not None:
            leaks.append(
                Leak(check, name, cut, others[0] + at, _plain(one.values[rows[0] + at]),
                     _plain(other.values[others[0] + at]))
            )  # fmt: skip
    return leaks, count


def _known(column: Column, since_ts: int, cut_ts: int) -> tuple[int, int]:
    """Return the rows whose values were known in [since, cut]."""
    first = int(np.searchsorted(column.ts_event, since_ts, side="left"))
    return first, int(np.searchsorted(column.ts_event, cut_ts, side="right"))


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
