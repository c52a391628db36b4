"""One check for look-ahead: does what was said at a bar depend on anything that came after it?

Three comparisons at each cut, all on every value that the subject shows (not on its signals alone, which
hide most leaks):

- `prefix`: the subject on the history up to the cut says the same at every bar as the subject on all of it;
- `future`: with another future after the cut it says the same up to the cut;
- `definition`: at the cut it says what the definition, written independently and handed only the past, says.
  This finds windows that are one bar off (a channel or a rank that includes the current bar).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.histories import History

Subject = Callable[[History], Sequence[Any]]  # one value a bar: numbers, text, None, or tuples of them
Definition = Callable[[History], Any]  # the value at the last bar of the history it is handed


@dataclass(frozen=True)
class Leak:
    """A value that changed when only the future changed, or that is not what its definition says."""

    kind: str
    cut: int
    index: int
    found: Any
    expected: Any


def find_leaks(
    subject: Subject, history: History, cuts: Iterable[int], definition: Definition | None = None
) -> list[Leak]:
    """Return the first leak of each kind at each cut; none means that the subject passed."""
    whole = list(subject(history))
    assert len(whole) == len(history), f"the subject said {len(whole)} values on {len(history)} bars"
    leaks: list[Leak] = []
    for cut in cuts:
        expected = whole[: cut + 1]
        for kind, other in (
            ("prefix", history.until(cut)),
            ("future", history.with_other_future(cut, seed=cut)),
        ):
            found = list(subject(other))[: cut + 1]
            leaks += _first_difference(kind, cut, found, expected)
        if definition is not None:
            wanted = definition(history.until(cut))
            if not close_to(whole[cut], wanted):
                leaks.append(Leak("definition", cut, cut, whole[cut], wanted))
    return leaks


def _first_difference(kind: str, cut: int, found: list[Any], expected: list[Any]) -> list[Leak]:
    if found == expected:
        return []
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        if one != other:
            return [Leak(kind, cut, index, one, other)]
    return []


def close_to(found: Any, wanted: Any, rel: float = 1e-9, absolute: float = 1e-12) -> bool:
    """Whether two values agree: numbers up to rounding, tuples item by item, all else exactly."""
    if isinstance(found, tuple) and isinstance(wanted, tuple):
        return len(found) == len(wanted) and all(
            close_to(one, other, rel, absolute) for one, other in zip(found, wanted, strict=True)
        )
    if isinstance(found, float) and isinstance(wanted, int | float):
        return math.isclose(found, wanted, rel_tol=rel, abs_tol=absolute)
    return bool(found == wanted)
