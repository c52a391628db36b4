"""What an operator can ask of a desk, running or stopped: one vocabulary, one set of rules.

Guarantees: every command that changes something has a reason, which is recorded with the change; `resume`
ends an operator's halt and nothing else (a kill switch needs `unlock`, which starts a new 72 h window);
nothing here can change a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from actors.reconciler import RECONCILING, held_back
from crupto_nautilus.desk.state_words import what_still_happens
from crupto_nautilus.errors import UsageError
from risk.drawdown import DrawdownGuard
from risk.governor import DeskGovernor
from risk.settings import RiskSettings
from risk.vocabulary import Alarm, DeskMode, DeskState, RefusalReason
from strategies import bus

if TYPE_CHECKING:
    from crupto_nautilus.desk.assembly import Desk

COMMANDS: Final = ("halt", "flatten", "resume", "unlock", "disable", "enable")
OPERATOR: Final = "operator"
"""Kind of the alarm that records a command with its reason."""


def check_command(command: str, subject: str, reason: str, known: Iterable[str]) -> None:
    """Refuse a command that is none, has no reason, or names nothing that exists.

    Raises
    ------
    UsageError
        Says what is wrong and what was expected.
    """
    if command not in COMMANDS:
        raise UsageError("unknown command", found=command, expected=", ".join(COMMANDS))
    if not reason.strip():
        raise UsageError(
            f"{command} needs a reason",
            found="none",
            expected="who does it and why: it is journalled",
            remedy=f'crupto state {command} RUN --reason "..."',
        )
    names = sorted(known)
    if command in ("disable", "enable") and subject not in names:
        raise UsageError(f"{command} names nothing of this run", found=subject, expected=", ".join(names))


def check_halted(command: str, state: DeskState) -> None:
    """Refuse to lift what is not in force, or what another command lifts.

    Raises
    ------
    UsageError
        Says which state the desk is in and what lifts it.
    """
    if command not in ("resume", "unlock"):
        return
    if state.mode is not DeskMode.HALTED:
        raise UsageError(
            f"there is nothing to {command}",
            found=f"{state.mode}: {state.detail}" if state.detail else str(state.mode),
            expected="a halted desk",
            remedy="a daily lock ends at 00:00 UTC by itself" if state.mode is DeskMode.REDUCE_ONLY else "",
        )
    if command == "resume" and state.reason is RefusalReason.KILL_SWITCH:
        raise UsageError(
            "a kill switch is not lifted by resume",
            found=state.detail,
            expected="a look at the losses",
            remedy='crupto state unlock RUN --reason "..." (a new 72 h window begins)',
        )


class LiveOperator:
    """Carries commands out on a running desk; called on the node's thread, between two instants."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def show(self) -> dict[str, Any]:
        """Return where the desk stands."""
        desk = self._desk
        books = desk.risk_desk.books
        return _shown(
            desk.brain.desk_state,
            desk.clock.now_ns,
            desk.plan.run_id,
            desk.flags,
            equity=books.equity,
            balance=books.balance,
            positions=[
                {
                    "strategy": p.strategy,
                    "instrument": p.instrument,
                    "side": p.side,
                    "quantity": p.quantity,
                    "average_price": p.average_price,
                    "stop_price": p.stop_price if p.stop_working else None,
                }
                for p in books.positions.values()
            ],
        )

    def carry_out(self, command: str, subject: str, reason: str) -> dict[str, Any]:
        """Do what was asked and return where the desk stands then."""
        desk, brain = self._desk, self._desk.brain
        check_command(command, subject, reason, [*desk.plan.specs, *desk.plan.rules])
        check_halted(command, brain.desk_state)
        said = f"{command}{f' {subject}' if subject else ''}: {reason}"
        alarm = Alarm(desk.clock.now_ns, OPERATOR, subject or desk.plan.run_id, said)
        desk.router.publish_message(bus.ALARM, alarm)
        if command in ("halt", "flatten"):
            brain.halt(reason, flatten=command == "flatten")
        elif command == "resume":
            brain.end_halt(reason)
        elif command == "unlock":
            brain.unlock(reason)
        else:
            switch(desk.flags, command, subject)
        return self.show()


class StoredOperator:
    """Carries commands out on the checkpoint of a stopped run; the next session finds them done."""

    def __init__(self, run_id: str, ts: int, state: dict[str, Any], limits: Mapping[str, Any]) -> None:
        self.run_id, self.ts, self.state = run_id, ts, state
        self._governor = DeskGovernor(RiskSettings.model_validate(dict(limits)))
        self._governor.load(state["brain"]["governor"])

    def show(self) -> dict[str, Any]:
        """Return where the desk stood at its last checkpoint."""
        books = self.state["risk"]["desk"]["books"]
        open_pnl = sum(
            (p["mark"] - p["average_price"]) * p["side"] * p["quantity"] for p in books["positions"]
        )
        names = ("strategy", "instrument", "side", "quantity", "average_price", "stop_price")
        return _shown(
            self._governor.current,
            self.ts,
            self.run_id,
            self.state["flags"],
            equity=books["balance"] + open_pnl,
            balance=books["balance"],
            positions=[{name: p[name] for name in names} for p in books["positions"]],
        )

    def carry_out(self, command: str, subject: str, reason: str) -> list[object]:
        """Change the state and return the messages that tell of it, for the journal."""
        known = {*self.state["strategies"], *self.state["selection"]["rows"]}
        check_command(command, subject, reason, known)
        governor = self._governor
        check_halted(command, governor.current)
        said = f"{command}{f' {subject}' if subject else ''}: {reason} (the run was stopped)"
        messages: list[object] = [Alarm(self.ts, OPERATOR, subject or self.run_id, said)]
        if command in ("halt", "flatten"):
            messages.append(governor.halt(self.ts, reason, command == "flatten"))
        elif command in ("resume", "unlock"):
            if command == "unlock":
                self._new_window()
            messages.append(governor.unlock(self.ts, reason))
        else:
            flags = set(self.state["flags"])
            switch(flags, command, subject)
            self.state["flags"] = sorted(flags)
        self.state["brain"]["governor"] = governor.state()
        return messages

    def _new_window(self) -> None:
        guard = DrawdownGuard()
        guard.load(self.state["risk"]["desk"]["guard"])
        guard.restart_window(self.ts, guard.equity)
        self.state["risk"]["desk"]["guard"] = guard.state()


def switch(flags: set[str], command: str, subject: str) -> None:
    """Disable or enable a strategy, or lift what keeps an instrument back."""
    if command == "disable":
        flags.add(f"disabled:{subject}" if "." not in subject else f"{held_back(subject)}:by an operator")
        return
    flags.discard(f"disabled:{subject}")
    flags -= {flag for flag in flags if flag.partition(":")[0] == held_back(subject)}


def _shown(
    state: DeskState, now_ns: int, run_id: str, flags: Iterable[str], **figures: Any
) -> dict[str, Any]:
    held = [flag for flag in sorted(flags) if not flag.startswith("disabled:")]
    return {
        "run": run_id,
        "ts_event": now_ns,
        "mode": state.mode.value,
        "reason": None if state.reason is None else state.reason.value,
        "detail": state.detail,
        "still_happens": what_still_happens(state, now_ns, run_id),
        "disabled": [flag.partition(":")[2] for flag in sorted(flags) if flag.startswith("disabled:")],
        "reconciling": [flag.partition(":")[2] for flag in held if flag.startswith(RECONCILING)],
        **figures,
    }
