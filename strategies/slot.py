"""What a strategy holds, or is about to hold, on one instrument, and the orders that belong to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from risk.liquidation import Takeover
from risk.vocabulary import Bar, Role, Signal
from strategies.entry import EntryMachine
from strategies.exits import ExitMachine


@dataclass(slots=True)
class OrderRecord:
    """One order of ours, from submit to its end."""

    slot: Slot
    order_id: str
    venue_id: Any  # the engine's ClientOrderId
    role: Role
    attempt: int
    side: int
    quantity: float
    price: float  # limit or trigger, 0 for market
    order_type: str
    reduce_only: bool
    reason: str = ""
    working: bool = False
    pending: tuple[float, float] | None = None  # the modification under way: quantity, trigger price
    cancelling: bool = False
    takeover: Takeover | None = None  # where the venue takes over what the order would close
    tags: tuple[str, ...] = ()  # what the order tells the simulated venue; a tag cannot change


@dataclass(slots=True)
class Slot:
    """One position's life: its signal, its entry, its exits and its orders."""

    signal: Signal
    entry: EntryMachine
    exits: ExitMachine
    stop: OrderRecord | None = None
    stop_wanted: tuple[float, float] | None = None
    closing: OrderRecord | None = None
    entries: dict[int, OrderRecord] = field(default_factory=dict)
    targets: dict[str, OrderRecord] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    entry_reported: bool = False
    expected_slippage_bps: float = 0.0
    resting_fill_ns: int = 0  # desk time of the last fill of a resting entry
    overrun_bps: float = 0.0  # from the close back to the stop, where the entry's own bar passed it

    def next_attempt(self, role: str) -> int:
        """Count the orders sent for a role, from 1."""
        self.attempts[role] = self.attempts.get(role, 0) + 1
        return self.attempts[role]

    def passed_by(self, bar: Bar) -> float | None:
        """Return what the way from a bar's close back to the stop is, basis points, if the bar passed it.

        None if it did not; 0 where it closed beyond the stop: there is no way back.
        """
        side, exits = self.signal.side, self.exits
        stop_price = exits.stop_for(exits.average_price)
        if ((bar.low if side > 0 else bar.high) - stop_price) * side > 0:
            return None
        return max(0.0, 10_000.0 * (bar.close - stop_price) * side / bar.close)

    @property
    def over(self) -> bool:
        """Whether the entry has ended and nothing is held."""
        return self.entry_reported and self.exits.left <= 0.0
