"""What still happens in each state of the desk, in words for a person."""

from __future__ import annotations

from risk.vocabulary import DeskMode, DeskState, RefusalReason


def what_still_happens(state: DeskState) -> str:
    """Say what a desk in this state does and does not do, and what ends the state."""
    if state.mode is DeskMode.ACTIVE:
        if state.cooling_until_ns > 0:
            return (
                "Entries are refused until the cooling period is over; stops, targets and exits work; then "
                "the desk trades by itself."
            )
        return "Entries and exits work."
    if state.mode is DeskMode.REDUCE_ONLY:
        return (
            "Entries are refused until 00:00 UTC; stops, targets and exits keep working; signals go on and "
            "are recorded as refused. The lock ends by itself with the new day."
        )
    held = "Positions were closed at market" if state.flatten else "Positions keep their stops and targets"
    cause = {
        RefusalReason.KILL_SWITCH: "the 72 h drawdown reached its limit",
        RefusalReason.OPERATOR_HALT: "an operator, or too many errors, halted the desk",
    }
    why = cause.get(state.reason, str(state.reason)) if state.reason is not None else "the desk was halted"
    return (
        f"Entries are refused: {why}. {held}; exits keep working; signals go on and are recorded as "
        "refused. Only an operator's unlock with a reason ends it."
    )
