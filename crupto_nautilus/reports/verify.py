"""`crupto report --verify`: check a run from its folder alone, recomputing what the desk wrote about itself.

Guarantees: limits, books, stops and states are rebuilt from signals, decisions, orders, fills, funding,
protections, states and equity samples; the summary is not trusted.  A run that breaks a rule gives
violations, never an exception.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from crupto_nautilus.reports.checks import limits, liquidations, money, orders, protection, records, states
from crupto_nautilus.reports.checks.base import Check, Context, answer
from crupto_nautilus.reports.run_folder import RunFolder

CHECKS: tuple[Callable[[Context], Check], ...] = (
    records.files,
    records.times,
    records.answers,
    records.traces,
    limits.approvals,
    limits.entries,
    limits.samples,
    limits.drift,
    states.desk_state,
    states.loss_limits,
    protection.stops,
    orders.fills,
    orders.exits,
    liquidations.liquidations,
    money.bookings,
    money.equity,
    money.trades,
    money.change,
    money.summary,
)

_HASHED: dict[str, tuple[str, ...]] = {
    "signals": (),
    "decisions": (),
    "fills": ("ts_venue", "client_order_id"),
    "equity": (),
}
_NEVER_HASHED = ("seq",)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The answers of all checks of one run."""

    run_id: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether no check found a violation."""
        return all(check.ok for check in self.checks)

    @property
    def violations(self) -> tuple[str, ...]:
        """All violations, each with the name of its check."""
        return tuple(f"{check.name}: {text}" for check in self.checks for text in check.violations)

    def check(self, name: str) -> Check:
        """Return a check by name; KeyError if there is none."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able dict."""
        return {"run_id": self.run_id, "ok": self.ok, "checks": [asdict(check) for check in self.checks]}


def verify_run(folder: RunFolder) -> VerifyReport:
    """Check a finished run.

    Returns
    -------
    VerifyReport
        One answer a check, in the order of `CHECKS`; if the files cannot be read, or the recorded limits are
        no governance limits, only that is answered.
    """
    context = Context(folder)
    first = records.files(context)
    if any("sha256" not in text for text in first.violations):
        return VerifyReport(folder.run_id, (first,))
    try:
        _ = context.limits
    except ValueError as error:
        broken = answer("governance", "the limits of run.json", (f"no governance limits: {error}",))
        return VerifyReport(folder.run_id, (first, broken))
    return VerifyReport(folder.run_id, (first, *(check(context) for check in CHECKS[1:])))


def run_hash(folder: RunFolder) -> str:
    """Return sha256 over signals, decisions, fills and equity.

    What differs between two runs of the same inputs is left out: ids of orders (they are derived from the
    run id), the venue's clock, recording order.
    """
    digest = hashlib.sha256()
    for name, skipped in _HASHED.items():
        frame = folder.table(name)
        for column in frame.columns:
            if column in skipped or column in _NEVER_HASHED:
                continue
            digest.update(f"{name}.{column}:{len(frame)}\n".encode())
            values = frame[column]
            if values.dtype.kind in "iufb":
                numbers = values.to_numpy()
                if numbers.dtype.kind == "f":
                    numbers = np.where(np.isnan(numbers), np.nan, numbers + 0.0)  # one NaN, no negative zero
                digest.update(np.ascontiguousarray(numbers).tobytes())
            else:
                digest.update("\x1f".join(values.astype(str)).encode())
    return digest.hexdigest()
