"""What a gate says: checks with their values and limits; anything that is not a number fails.

Guarantees: a check passes only for a finite value on the right side of its limit; a gate passes only when it
has at least one check and all of them pass; every value is kept, passed or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Self


class Status(StrEnum):
    """The verdict of a gate."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"  # recorded with its reason; counts as passed
    NOT_RUN = "not_run"  # an earlier gate failed; counts as failed


@dataclass(frozen=True, slots=True)
class Check:
    """One value against one limit; without a limit it is only reported."""

    name: str
    value: float
    rule: Literal[">=", ">", "<=", "<", "reported"]
    limit: float = math.nan

    @property
    def passed(self) -> bool:
        """Tell whether the value holds; NaN and infinities never do."""
        if self.rule == "reported":
            return True
        if not math.isfinite(self.value):
            return False
        return {
            ">=": self.value >= self.limit,
            ">": self.value > self.limit,
            "<=": self.value <= self.limit,
            "<": self.value < self.limit,
        }[self.rule]

    def __str__(self) -> str:
        shown = f"{self.name} {self.value:.4g}"
        return shown if self.rule == "reported" else f"{shown} (needs {self.rule} {self.limit:g})"


def at_least(name: str, value: float, limit: float) -> Check:
    """Return the check value >= limit."""
    return Check(name, float(value), ">=", float(limit))


def above(name: str, value: float, limit: float) -> Check:
    """Return the check value > limit."""
    return Check(name, float(value), ">", float(limit))


def at_most(name: str, value: float, limit: float) -> Check:
    """Return the check value <= limit."""
    return Check(name, float(value), "<=", float(limit))


def below(name: str, value: float, limit: float) -> Check:
    """Return the check value < limit."""
    return Check(name, float(value), "<", float(limit))


def reported(name: str, value: float) -> Check:
    """Return a value that decides nothing."""
    return Check(name, float(value), "reported")


def holds(name: str, truth: bool) -> Check:
    """Return the check that something is so."""
    return Check(name, float(truth), ">=", 1.0)


@dataclass(frozen=True, slots=True)
class GateResult:
    """The verdict of one gate on one candidate."""

    gate: str
    status: Status
    checks: tuple[Check, ...] = ()
    note: str = ""

    @classmethod
    def of(cls, gate: str, *checks: Check, note: str = "") -> Self:
        """Return the verdict of checks; without a deciding one the gate failed as inconclusive."""
        deciding = [check for check in checks if check.rule != "reported"]
        passed = bool(deciding) and all(check.passed for check in deciding)
        if not deciding:
            note = note or "inconclusive: nothing could be measured"
        return cls(gate, Status.PASSED if passed else Status.FAILED, checks, note)

    @classmethod
    def error(cls, gate: str, note: str) -> Self:
        """Return the failure of a gate that could not be computed."""
        return cls(gate, Status.FAILED, (), f"inconclusive: {note}")

    @classmethod
    def not_applicable(cls, gate: str, note: str) -> Self:
        """Return a verdict that says why there is nothing to judge."""
        return cls(gate, Status.NOT_APPLICABLE, (), note)

    @classmethod
    def not_run(cls, gate: str, note: str) -> Self:
        """Return the verdict of a gate behind one that failed."""
        return cls(gate, Status.NOT_RUN, (), note)

    @property
    def passed(self) -> bool:
        """Tell whether the candidate goes on."""
        return self.status in (Status.PASSED, Status.NOT_APPLICABLE)

    @property
    def failures(self) -> tuple[Check, ...]:
        """Return the checks that do not hold."""
        return tuple(check for check in self.checks if not check.passed)

    def value(self, name: str) -> float:
        """Return a check's value, NaN where there is none of that name."""
        return next((check.value for check in self.checks if check.name == name), math.nan)

    def why(self) -> str:
        """Return one line for people: what failed, or the note."""
        failed = "; ".join(str(check) for check in self.failures)
        return failed or self.note or self.status.value

    def to_body(self) -> dict[str, Any]:
        """Return the values a ledger line holds."""
        return {
            "gate": self.gate,
            "status": self.status.value,
            "note": self.note,
            "checks": [
                {"name": c.name, "value": c.value, "rule": c.rule, "limit": c.limit, "passed": c.passed}
                for c in self.checks
            ],
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Return the verdict of a ledger line; texts such as nan become numbers again."""
        checks = tuple(
            Check(c["name"], float(c["value"]), c["rule"], float(c["limit"])) for c in body["checks"]
        )
        return cls(body["gate"], Status(body["status"]), checks, body["note"])
