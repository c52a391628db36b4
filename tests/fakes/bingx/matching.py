"""How orders fill: at once against the book, and later when the market trades through a resting price."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.fakes.bingx import frames
from tests.fakes.bingx.account import CENT
from tests.fakes.bingx.contracts import ZERO
from tests.fakes.bingx.errors import VenueError
from tests.fakes.bingx.orders import CLOSING_TYPES, Fill, Order

if TYPE_CHECKING:
    from tests.fakes.bingx.venue import Venue

_LEVELS = 400  # of the book that a taker may walk


def enter(venue: Venue, order: Order) -> None:
    """Let a new MARKET or LIMIT order meet the book; what is left rests, or is cancelled."""
    venue.tell(order, "NEW")
    limit = order.price if order.type == "LIMIT" else None
    if order.time_in_force == "FOK" and _within_reach(venue, order, limit) < order.quantity:
        cancel(venue, order)
        return
    if limit is None or venue.crosses(order):
        take(venue, order, limit)
    if not order.is_open:
        return
    if limit is None or order.time_in_force in ("IOC", "FOK"):
        cancel(venue, order)
    elif not order.filled:
        order.status = "PENDING"


def take(venue: Venue, order: Order, limit: Decimal | None) -> None:
    """Walk the other side of the book, up to a limit price; each level is a fill of its own."""
    market = venue.markets[order.symbol]
    for price, size in venue.books[order.symbol].side(not order.is_buy, market.last, venue.time_ms, _LEVELS):
        if limit is not None and _beyond(order, price, limit):
            return
        fill(venue, order, price, min(size, order.remaining), maker=False)
        if not order.is_open or order.remaining <= 0:
            return


def _within_reach(venue: Venue, order: Order, limit: Decimal | None) -> Decimal:
    market = venue.markets[order.symbol]
    rows = venue.books[order.symbol].side(not order.is_buy, market.last, venue.time_ms, _LEVELS)
    return sum((size for price, size in rows if limit is None or not _beyond(order, price, limit)), ZERO)


def _beyond(order: Order, price: Decimal, limit: Decimal) -> bool:
    return price > limit if order.is_buy else price < limit


def rest(venue: Venue, symbol: str, price: Decimal, volume: Decimal) -> None:
    """Fill resting limit orders that the market reached, best price first, as far as its volume goes."""
    waiting = [order for order in venue.working(symbol) if order.type == "LIMIT" and _reached(order, price)]
    waiting.sort(key=lambda o: (-o.price if o.is_buy else o.price, o.id))
    for order in waiting:
        if volume <= 0:
            return
        if order.is_open:  # a fill before may have cancelled it
            volume -= fill(venue, order, order.price, min(volume, order.remaining), maker=True)


def _reached(order: Order, price: Decimal) -> bool:
    return price <= order.price if order.is_buy else price >= order.price


def fill(venue: Venue, order: Order, price: Decimal, quantity: Decimal, *, maker: bool) -> Decimal:
    """Fill a quantity of an order at a price and return what was really filled.

    An order that may only close is clipped to the position; with nothing left to close it is cancelled.
    """
    contract, account = venue.contracts.get(order.symbol), venue.account
    position = account.position(order.symbol, order.position_side)
    if order.closes:
        room = position.size if position.amount * order.signed < 0 else ZERO
        quantity = min(quantity, room)
        if quantity <= 0:
            cancel(venue, order)
            return ZERO
    rate = contract.maker_fee if maker else contract.taker_fee
    fee = (price * quantity * rate).quantize(CENT)
    realised = account.apply(position, order.signed * quantity, price, fee, venue.time_ms)
    total = order.filled + quantity
    order.average = (order.average * order.filled + price * quantity) / total
    order.filled, order.fee, order.profit = total, order.fee + fee, order.profit + realised
    order.updated_ms = venue.time_ms
    order.status = "FILLED" if order.remaining <= 0 else "PARTIALLY_FILLED"
    made = Fill(
        trade_id=venue.new_trade_id(),
        order_id=order.id,
        symbol=order.symbol,
        side=order.side,
        position_side=order.position_side,
        price=price,
        quantity=quantity,
        fee=fee,
        realised=realised,
        maker=maker,
        time_ms=venue.time_ms,
        client_id=order.client_id,
    )
    order.fills.append(made)
    venue.fills.append(made)
    venue.tell(order, "TRADE", made)
    venue.emit_user(frames.account_update(venue, "ORDER", ZERO, [position]))
    if order.closes and order.is_open and not position.amount:
        cancel(venue, order)
    if not position.amount and venue.settings.cancel_stops_with_position:
        _cancel_orphans(venue, order)
    if order.status == "FILLED":
        attach(venue, order)
    return quantity


def _cancel_orphans(venue: Venue, closed_by: Order) -> None:
    for order in venue.working(closed_by.symbol):
        same = order.position_side == closed_by.position_side
        if order is not closed_by and same and order.is_open and order.type in CLOSING_TYPES:
            cancel(venue, order)


def attach(venue: Venue, order: Order) -> None:
    """Place the stop loss and take profit that came with an order, for what it filled."""
    for text in (order.stop_loss, order.take_profit):
        if not text:
            continue
        asked = json.loads(text)
        params = {
            "symbol": order.symbol,
            "side": "SELL" if order.is_buy else "BUY",
            "positionSide": order.position_side,
            "type": asked["type"],
            "quantity": f"{order.filled:f}",
            "stopPrice": str(asked["stopPrice"]),
            "price": str(asked.get("price", "")),
            "workingType": asked.get("workingType") or "MARK_PRICE",
        }
        with suppress(VenueError):  # what a stop of the user's own leaves no room for is not placed
            venue.place(params)
    order.stop_loss = order.take_profit = ""


def cancel(venue: Venue, order: Order, execution: str = "CANCELED") -> None:
    """End an open order; what it filled stays filled."""
    order.status = "CANCELLED"
    order.updated_ms = venue.time_ms
    venue.tell(order, execution)
    if order.filled:
        attach(venue, order)
