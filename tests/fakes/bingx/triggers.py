"""Stops, take profits, triggers and trailing orders: when they fire and what they become."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.fakes.bingx import matching
from tests.fakes.bingx.contracts import ZERO
from tests.fakes.bingx.orders import CLOSING_TYPES, PRICED_TYPES, TRAILING_TYPES, Order

if TYPE_CHECKING:
    from tests.fakes.bingx.venue import Venue


def fire_due(venue: Venue, symbol: str) -> None:
    """Fire every order of a symbol whose price has been reached, oldest first."""
    waiting = [o for o in venue.working(symbol) if o.waits_for_trigger]
    for order in waiting:
        if order.is_open and _due(venue, order):
            fire(venue, order)


def _due(venue: Venue, order: Order) -> bool:
    price = venue.reference_price(order)
    if order.type in TRAILING_TYPES:
        return _trail(order, price)
    return price >= order.stop_price if fires_above(venue, order) else price <= order.stop_price


def fires_above(venue: Venue, order: Order) -> bool:
    """Return whether a rising price fires the order (a stop that buys, a profit that sells)."""
    if order.type.startswith("TRIGGER"):
        return venue.trigger_above[order.id]
    return order.is_buy == order.type.startswith("STOP")


def _trail(order: Order, price: Decimal) -> bool:
    if order.extreme is None:
        if order.activation_price and (
            price < order.activation_price if not order.is_buy else price > order.activation_price
        ):
            return False
        order.extreme = price
    order.extreme = min(order.extreme, price) if order.is_buy else max(order.extreme, price)
    distance = order.extreme * order.price_rate if order.price_rate else order.price
    return price >= order.extreme + distance if order.is_buy else price <= order.extreme - distance


def fire(venue: Venue, order: Order) -> None:
    """Turn a waiting order into a market or limit order: a new one, or itself (`triggered_keeps_id`)."""
    position = venue.account.positions.get((order.symbol, order.position_side))
    room = position.size if position and position.amount * order.signed < 0 else ZERO
    quantity = room if order.close_position else order.quantity
    if order.closes:
        quantity = min(quantity, room)
    if quantity <= 0:
        matching.cancel(venue, order)
        return
    kind = "LIMIT" if order.type in PRICED_TYPES else "MARKET"
    silent = venue.settings.silent_triggers
    if venue.settings.triggered_keeps_id:
        order.quantity = quantity
        if silent:
            venue.silent.add(order.id)
        matching.take(venue, order, order.price if kind == "LIMIT" else None)
        return
    order.status, order.updated_ms = "TRIGGERED", venue.time_ms
    child = Order(
        id=venue.new_order_id(),
        symbol=order.symbol,
        side=order.side,
        position_side=order.position_side,
        type=kind,
        quantity=quantity,
        price=order.price if kind == "LIMIT" else ZERO,
        stop_price=order.stop_price,
        time_in_force="GTC",
        # It closes as its parent did; in a hedge account the side says so.
        reduce_only=order.reduce_only
        or (not venue.account.hedge and (order.type in CLOSING_TYPES or order.close_position)),
        close_position=False,
        working_type=order.working_type,
        client_id="",
        leverage=order.leverage,
        created_ms=venue.time_ms,
        updated_ms=venue.time_ms,
        trigger_order_id=order.id,
    )
    venue.keep(child)
    if silent:
        venue.silent.add(child.id)
    matching.enter(venue, child)
