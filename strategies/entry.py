"""Entry state machine of one ticket: slices, expiry of resting orders, the market order that may follow.

Guarantees: what is sent never adds up to more than the ticket; after `stop()` nothing new is sent; the
entry ends exactly once.  Lifetimes are counted in closed bars, never by an engine timer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from risk.rounding import floor_quantity
from risk.vocabulary import EntryStyle, InstrumentRules

_DUST = 1e-12


@dataclass(frozen=True, slots=True)
class SendEntry:
    """Send one child: market when `price` is None, else a post-only limit."""

    quantity: float
    price: float | None
    attempt: int


@dataclass(frozen=True, slots=True)
class CancelEntry:
    """Cancel the child that rests."""

    attempt: int


EntryAction = SendEntry | CancelEntry


@dataclass(slots=True)
class EntryMachine:
    """One ticket on its way into the market."""

    style: EntryStyle
    children: tuple[float, ...]
    limit_price: float | None
    expires_ns: int  # the strategy's next bar close: resting children are cancelled there
    rules: InstrumentRules
    sent: int = 0
    open: dict[int, float] = field(default_factory=dict)  # attempt -> quantity not filled
    filled: float = 0.0
    attempts: int = 0
    to_market: bool = False
    stopped: str = ""
    last_reason: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing rests and nothing more will be sent."""
        if self.open:
            return False
        return bool(self.stopped) or (self.sent >= len(self.children) and not self._owed())

    @property
    def reason(self) -> str:
        """Why less than the ticket was entered, once the entry is over; empty if all of it was."""
        return (self.stopped or self.last_reason) if self._rest() > _DUST else ""

    def start(self) -> list[EntryAction]:
        """Send the first child."""
        return self._next()

    def on_instant(self, ts: int) -> list[EntryAction]:
        """Send the next slice, or expire what rests; called at each finest bar after the first."""
        if self.stopped:
            return []
        if self.style is not EntryStyle.MARKET and not self.to_market and ts >= self.expires_ns:
            return self._expire()
        return self._next() if self.sent < len(self.children) else []

    def _expire(self) -> list[EntryAction]:
        if self.style is EntryStyle.POST_ONLY_THEN_MARKET:
            self.to_market = True
            self.sent = len(self.children)
            return [CancelEntry(a) for a in self.open] or self._remainder()
        return self.stop("expired")

    def _next(self) -> list[EntryAction]:
        quantity = self.children[self.sent]
        self.sent += 1
        return [self._send(quantity, None if self.style is EntryStyle.MARKET else self.limit_price)]

    def _send(self, quantity: float, price: float | None) -> SendEntry:
        self.attempts += 1
        self.open[self.attempts] = quantity
        return SendEntry(quantity, price, self.attempts)

    def _owed(self) -> bool:
        return self.style is EntryStyle.POST_ONLY_THEN_MARKET and self._rest() > _DUST

    def _rest(self) -> float:
        rest = sum(self.children) - self.filled - sum(self.open.values())
        return floor_quantity(max(0.0, rest), self.rules.step, self.rules.size_digits)

    def _remainder(self) -> list[EntryAction]:
        """Return the market order for what did not fill, once nothing rests any more."""
        if not self.to_market or self.stopped or self.open:
            return []
        rest, price = self._rest(), self.limit_price or 0.0
        if rest < self.rules.min_quantity or rest * price < self.rules.min_notional_usd:
            self.stopped = "rest below minimum"
            return []
        return [self._send(rest, None)]

    def child_filled(self, attempt: int, quantity: float, closed: bool) -> None:
        """Book a fill of a child."""
        self.filled = round(self.filled + quantity, self.rules.size_digits)
        if closed:
            self.open.pop(attempt, None)
        elif attempt in self.open:
            self.open[attempt] = round(self.open[attempt] - quantity, self.rules.size_digits)

    def child_ended(self, attempt: int, reason: str) -> list[EntryAction]:
        """A child was rejected, denied, cancelled or expired.

        A rejected post-only child counts as unfilled; a refused market child ends the entry.
        """
        self.open.pop(attempt, None)
        self.last_reason = reason
        if reason in ("rejected", "denied") and (self.style is EntryStyle.MARKET or self.to_market):
            self.stopped = reason
        return self._remainder()

    def stop(self, reason: str) -> list[EntryAction]:
        """Send nothing more and cancel what rests."""
        if not self.stopped:
            self.stopped = reason
        return [CancelEntry(a) for a in self.open]

    def state(self) -> dict[str, Any]:
        """Return a JSON-able state."""
        return {**asdict(self), "open": [list(item) for item in self.open.items()]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> EntryMachine:
        """Rebuild a machine from `state()`."""
        return cls(
            **{
                **state,
                "style": EntryStyle(state["style"]),
                "children": tuple(state["children"]),
                "rules": InstrumentRules(**state["rules"]),
                "open": {int(k): v for k, v in state["open"]},
            }
        )
