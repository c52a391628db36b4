"""Positions and reservations of the ledger: what one of them risks, and the arithmetic of a fill.

Guarantees: money is rounded to 8 decimals at each booking, as the venue's account does; open risk counts
from the average entry to the stop plus the cost of leaving, and is never negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from risk.vocabulary import Fill, Role

MONEY_DIGITS = 8
_QUANTITY_DIGITS = 12
SIZE_NOISE = 1e-9  # relative: a sum of steps may differ from the venue's figure in its last bits


class BooksError(ValueError):
    """A booking that cannot be true; `found`, `expected` and `remedy` say more."""

    def __init__(self, message: str, found: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message, self.found, self.expected, self.remedy = message, found, expected, remedy


def money(amount: float) -> float:
    """Round to the venue's money unit (8 decimals of USDT)."""
    return round(amount, MONEY_DIGITS)


class FillResult(NamedTuple):
    """A position after a fill: signed quantity, average price, what was closed and what that realised."""

    quantity: float
    average_price: float
    closed: float
    realised_usd: float


def apply_fill(quantity: float, average_price: float, side: int, filled: float, price: float) -> FillResult:
    """Apply a fill to a signed position (negative: short) and return the position after it.

    The same direction averages the price; the opposite one realises PnL on the closed part; beyond flat the
    position reverses at the fill's price (the desk itself never does).
    """
    signed = side * filled
    if quantity * signed >= 0.0:
        total = abs(quantity) + filled
        average = (average_price * abs(quantity) + price * filled) / total if total > 0.0 else 0.0
        return FillResult(round(quantity + signed, _QUANTITY_DIGITS), average, 0.0, 0.0)
    closed = min(abs(quantity), filled)
    direction = 1.0 if quantity > 0.0 else -1.0
    realised = money((price - average_price) * direction * closed)
    after = round(quantity + signed, _QUANTITY_DIGITS)
    if after == 0.0:
        return FillResult(0.0, 0.0, closed, realised)
    return FillResult(after, average_price if after * quantity > 0.0 else price, closed, realised)


class _Record:
    """Manual JSON state for slotted dataclasses: `dataclasses.asdict` deep-copies and is slow."""

    __slots__ = ()

    def state(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


@dataclass(slots=True)
class Reservation(_Record):
    """Risk and room held for an approved entry until it is over."""

    trace_id: str
    strategy: str
    instrument: str
    side: int
    planned: float
    remaining: float
    price: float
    loss_per_unit: float  # price units, costs included
    stop_distance: float
    entry_cost: float  # price units per coin
    exit_cost: float

    @property
    def risk_usd(self) -> float:
        """Money that the part not yet filled would risk."""
        return self.loss_per_unit * self.remaining

    @property
    def notional_usd(self) -> float:
        """Notional of the part not yet filled at the signal's price."""
        return self.price * self.remaining


class Share(NamedTuple):
    """Who held how much of an instrument."""

    trace_id: str
    strategy: str
    side: int
    quantity: float


@dataclass(slots=True)
class Position(_Record):
    """One strategy's position on one instrument, with everything its trade will report."""

    trace_id: str
    strategy: str
    instrument: str
    side: int
    ts_open: int
    quantity: float = 0.0
    average_price: float = 0.0
    mark: float = 0.0
    stop_price: float = 0.0  # 0: no stop was reported yet, `stop_distance` counts
    stop_working: bool = False
    stop_distance: float = 0.0
    exit_cost: float = 0.0
    loss_per_unit: float = 0.0
    peak_quantity: float = 0.0
    entered: float = 0.0
    entry_value: float = 0.0
    exited: float = 0.0
    exit_value: float = 0.0
    gross_usd: float = 0.0
    fees_usd: float = 0.0
    slippage_usd: float = 0.0
    funding_usd: float = 0.0
    liquidation_usd: float = 0.0
    unprotected_ns: int = 0  # since when no stop works; 0: since the position opened

    @property
    def notional_usd(self) -> float:
        """Value at mark."""
        return self.quantity * self.mark

    @property
    def unrealised_usd(self) -> float:
        """PnL at mark, before the cost of leaving."""
        return (self.mark - self.average_price) * self.side * self.quantity

    @property
    def stop(self) -> float:
        """The reported stop, else the plan's distance from the average entry, else 0 (none known)."""
        if self.stop_price > 0.0:
            return self.stop_price
        return self.average_price - self.side * self.stop_distance if self.stop_distance > 0.0 else 0.0

    def risk_usd(self, leverage: float) -> float:
        """Money lost from entry if the stop is hit, with exit costs; without any stop the whole margin."""
        stop = self.stop
        if stop <= 0.0:
            return self.average_price * self.quantity / leverage
        loss = (self.average_price - stop) * self.side
        return (max(0.0, loss) + self.exit_cost) * self.quantity

    @property
    def planned_risk_usd(self) -> float:
        """What the plan risked on the quantity that really filled, costs included."""
        return self.loss_per_unit * self.entered


def liquidation_price(side: int, entry_price: float, leverage: float, maintenance_margin: float) -> float:
    """Return the mark at which an isolated position's margin falls to its maintenance margin.

    Isolated margin is entry notional / leverage; it is used up where margin + PnL = maintenance_margin *
    notional at mark: entry * (1 - side / leverage) / (1 - side * maintenance_margin).
    """
    return entry_price * (1.0 - side / leverage) / (1.0 - side * maintenance_margin)


def check_fill(fill: Fill, position: Position | None) -> None:
    """Refuse what cannot be true before anything is booked."""
    figures = (fill.quantity, fill.price, fill.fee, fill.slippage_usd, fill.liquidation_usd)
    if not all(math.isfinite(x) for x in figures) or fill.quantity <= 0.0 or fill.price <= 0.0:
        raise BooksError(
            f"fill {fill.client_order_id} cannot be booked",
            found=f"quantity {fill.quantity}, price {fill.price}, costs {fill.fee} and {fill.slippage_usd}",
            expected="finite numbers, quantity and price above 0",
            remedy="ask the venue for the fill and reconcile the books",
        )
    if fill.role == Role.ENTRY:
        if position is not None and position.side != fill.side:
            raise BooksError(
                f"entry fill {fill.client_order_id} goes against its position",
                found=f"side {fill.side} on a position of side {position.side}",
                expected="entries of the position's own side",
                remedy="close the position before entering the other way",
            )
        return
    if position is None or fill.side == position.side:
        raise BooksError(
            f"exit fill {fill.client_order_id} has no position to reduce",
            found=f"side {fill.side} of {fill.quantity} {fill.instrument} for {fill.strategy}",
            expected="a fill against an open position",
            remedy="reconcile the books with the venue before trading on",
        )
    if fill.quantity > position.quantity * (1.0 + SIZE_NOISE):
        raise BooksError(
            f"exit fill {fill.client_order_id} is larger than its position",
            found=f"{fill.quantity}",
            expected=f"at most {position.quantity}",
            remedy="every exit must be reduce-only; reconcile the books with the venue",
        )
