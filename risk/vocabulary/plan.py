"""From a signal to a ticket: the wish, its exits, its costs, its size, and the answer to it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from risk.vocabulary.basics import RefusalReason


class EntryStyle(StrEnum):
    """How an entry order is sent."""

    MARKET = "market"
    POST_ONLY = "post_only"  # until the strategy's next bar closes
    POST_ONLY_THEN_MARKET = "post_only_then_market"  # the same, then market for what is left


class ExitSpec(NamedTuple):
    """How a position is left.  Distances are price units, targets in R are multiples of `stop_distance`.

    One target closes everything; two targets halve the position (the first moves the stop to break-even).
    """

    stop_distance: float
    targets_r: tuple[float, ...] = ()
    target_price: float | None = None
    trail_atr: float | None = None  # multiple of the current ATR(14), from the best close since entry
    time_stop_bars: int | None = None
    time_stop_settlements: int | None = None
    on_condition: bool = False  # the rule's `exit_due` is asked at each of its bars


class Signal(NamedTuple):
    """A strategy's wish; it knows nothing of regimes, risk or money."""

    trace_id: str  # "<strategy>/<instrument>/<ts_event>"
    ts_event: int
    strategy: str
    instrument: str
    minutes: int
    side: int
    reference_price: float
    exits: ExitSpec
    confidence: float
    atr: float
    entry_style: EntryStyle = EntryStyle.MARKET
    indicators: tuple[tuple[str, float], ...] = ()

    @property
    def stop_price(self) -> float:
        """Stop implied by the reference price."""
        return self.reference_price - self.side * self.exits.stop_distance


class CostEstimate(NamedTuple):
    """Round-trip cost of one unit in price units, and as a multiple of the stop distance."""

    entry_fee: float
    exit_fee: float
    entry_slippage: float
    exit_slippage: float
    funding: float
    cost_r: float

    @property
    def per_unit(self) -> float:
        """Fees plus slippage plus expected funding, price units."""
        return self.entry_fee + self.exit_fee + self.entry_slippage + self.exit_slippage + self.funding


class TradePlan(NamedTuple):
    """What the risk manager approved: quantity, stop and the money at risk, costs included."""

    signal: Signal
    quantity: float
    stop_price: float
    risk_usd: float
    risk_pct: float
    notional_usd: float
    costs: CostEstimate
    expected_slippage_bps: float
    equity_usd: float = 0.0  # the risk equity the plan was sized with
    clamps: tuple[str, ...] = ()


class Ticket(NamedTuple):
    """Exactly what the strategy may send: children are slices, one a finest bar."""

    plan: TradePlan
    style: EntryStyle
    children: tuple[float, ...]
    limit_price: float | None
    expected_slippage_bps: float

    @property
    def quantity(self) -> float:
        """Sum of the children."""
        return sum(self.children)


class Approved(NamedTuple):
    """Permission to send one ticket; without it no entry can be built."""

    ts_event: int
    ticket: Ticket
    detail: str = ""

    @property
    def signal(self) -> Signal:
        """The signal that was approved."""
        return self.ticket.plan.signal


class Refused(NamedTuple):
    """Why a signal is not traded, with the numbers behind it."""

    ts_event: int
    signal: Signal
    reason: RefusalReason
    detail: str = ""


Decision = Approved | Refused
