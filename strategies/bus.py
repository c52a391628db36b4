"""Topics of the desk and the priorities of their handlers, in one table.

Equal priorities run in an order that is random per process, so every handler of `desk.instant` and of
`desk.state` has a number of its own: claiming one twice raises.  Higher numbers run first, negative ones
are refused by the engine.
"""

from __future__ import annotations

from typing import Final

INSTANT: Final = "desk.instant"
SETTLED: Final = (
    "desk.settled"  # everything before has been executed: in the quiet after an instant, and at the next OPEN
)
QUIET: Final = "desk.quiet"  # settled, and nothing to be done: the time for what no order should wait for
RESTORED: Final = "desk.restored"  # a resumed run has opened again what it held
STATE: Final = "desk.state"
PLAN: Final = "desk.plan"
SAFE_MODE: Final = "desk.safe_mode"
ALARM: Final = "desk.alarm"
FUNDING_PAID: Final = "desk.funding"
SURPLUS: Final = "desk.surplus"  # part of an exit's fill beyond what its strategy held


def signal(strategy: str) -> str:
    """Return the topic on which a strategy publishes its signals."""
    return f"desk.signal.{strategy}"


def decision(strategy: str) -> str:
    """Return the topic of the one answer to each signal of a strategy."""
    return f"desk.decision.{strategy}"


def order(strategy: str) -> str:
    """Return the topic of order events."""
    return f"desk.order.{strategy}"


def fill(strategy: str) -> str:
    """Return the topic of fills."""
    return f"desk.fill.{strategy}"


def protection(strategy: str) -> str:
    """Return the topic that tells which stop works."""
    return f"desk.protection.{strategy}"


def entry_done(strategy: str) -> str:
    """Return the topic that tells that an entry is over."""
    return f"desk.entry.{strategy}"


def trade(strategy: str) -> str:
    """Return the topic of closed trades."""
    return f"desk.trade.{strategy}"


def regime(instrument: str) -> str:
    """Return the topic of regime changes of an instrument."""
    return f"desk.regime.{instrument}"


def mandate(instrument: str) -> str:
    """Return the topic of mandates of an instrument."""
    return f"desk.mandate.{instrument}"


def call(agent: str) -> str:
    """Return the topic of an agent's tool calls."""
    return f"desk.call.{agent}"


# The ledger is marked before the brain looks at it, hence 78 for the books and 75 for the brain.
REGIME_PRIORITY: Final = 90
SELECTION_PRIORITY: Final = 80
BOOKS_PRIORITY: Final = 78
BRAIN_PRIORITY: Final = 75
RISK_PRIORITY: Final = 70
EXECUTION_PRIORITY: Final = 60
STRATEGY_PRIORITY: Final = 50  # and down, in registry order
MONITOR_PRIORITY: Final = 1
TELEMETRY_FIRST: Final = 99  # notes when an instant or a signal begins, before anyone acts on it
TELEMETRY_PRIORITY: Final = 2  # hears everything else after those who act
STATE_PRIORITY_OFFSET: Final = 1000  # strategies hear of a halt before anyone else


class PriorityTable:
    """Hands out each priority once."""

    def __init__(self) -> None:
        self._taken: dict[int, str] = {}

    def claim(self, priority: int, owner: str) -> int:
        """Return `priority`, or raise if it is taken or not positive."""
        if priority <= 0:
            raise ValueError(f"priority of {owner} was {priority}, expected a positive number")
        if priority in self._taken:
            raise ValueError(f"priority {priority} of {owner} is taken by {self._taken[priority]}")
        self._taken[priority] = owner
        return priority
