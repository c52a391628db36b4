"""What a new order must be like: parameters in, a checked `Order` or a `VenueError` out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from tests.fakes.bingx.contracts import ZERO, Contract, text
from tests.fakes.bingx.errors import VenueError, invalid
from tests.fakes.bingx.orders import (
    CLOSING_TYPES,
    ORDER_TYPES,
    PRICED_TYPES,
    TRAILING_TYPES,
    TRIGGER_TYPES,
    Order,
)

if TYPE_CHECKING:
    from tests.fakes.bingx.venue import Venue

Params = Mapping[str, str]

_TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "PostOnly")
_BAND = Decimal("0.30")  # how far from the mark a limit price may lie on its aggressive side


def number(params: Params, name: str) -> Decimal:
    """Return a parameter as a number; 0 when it is absent or empty."""
    raw = params.get(name, "")
    if raw == "":
        return ZERO
    try:
        value = Decimal(raw)
    except InvalidOperation:
        raise invalid(name) from None
    if not value.is_finite() or value < 0:
        raise invalid(name)
    return value


def flag(params: Params, name: str) -> bool:
    return params.get(name, "").lower() == "true"


def build(venue: Venue, params: Params) -> Order:
    """Return the order that these parameters ask for, everything checked but not yet placed."""
    contract = venue.contracts.get(params.get("symbol"))
    if contract.status == 0:
        raise VenueError(109418, f"{contract.symbol} is offline")
    kind, side = params.get("type", ""), params.get("side", "")
    if kind not in ORDER_TYPES:
        raise invalid("type")
    if side not in ("BUY", "SELL"):
        raise invalid("side")
    order = Order(
        id=0,
        symbol=contract.symbol,
        side=side,
        position_side=_position_side(venue, params),
        type=kind,
        quantity=contract.cut_quantity(number(params, "quantity")),
        price=contract.cut_price(number(params, "price")),
        stop_price=contract.cut_price(number(params, "stopPrice")),
        time_in_force=_time_in_force(params),
        reduce_only=flag(params, "reduceOnly"),
        close_position=flag(params, "closePosition"),
        working_type=params.get("workingType") or "MARK_PRICE",
        client_id=client_id(venue, params, kind),
        leverage=1,
        created_ms=venue.time_ms,
        updated_ms=venue.time_ms,
        activation_price=number(params, "activationPrice"),
        price_rate=number(params, "priceRate"),
        stop_loss=params.get("stopLoss", ""),
        take_profit=params.get("takeProfit", ""),
    )
    order.leverage = venue.account.leverage(order.symbol, order.position_side)
    _check_prices(venue, contract, order)
    _check_counts(venue, order)
    if order.closes:
        _check_closing(venue, order)
    _check_size(venue, contract, order)
    if not order.closes:
        _check_opening(venue, contract, order)
    _check_post_only(venue, order)
    return order


def client_id(venue: Venue, params: Params, kind: str) -> str:
    """Return the client id as the venue keeps it: lower case, and only where it is honoured."""
    given = (params.get("clientOrderID") or params.get("clientOrderId") or "").lower()
    if len(given) > 40:
        raise invalid("clientOrderID", "the length should be between 1 and 40")
    if kind not in ("MARKET", "LIMIT") and not venue.settings.client_ids_on_stops:
        return ""
    if given and given in venue.by_client_id:
        raise VenueError(101400, "clientOrderID unique check failed")
    return given


def _position_side(venue: Venue, params: Params) -> str:
    side = params.get("positionSide") or "LONG"
    if venue.account.hedge:
        if side not in ("LONG", "SHORT"):
            raise VenueError(
                109400, "In the Hedge mode, the 'PositionSide' field can only be set to LONG or SHORT."
            )
        if "reduceOnly" in params:
            raise VenueError(109400, "In the Hedge mode, the 'ReduceOnly' field can not be filled.")
        return side
    if side != "BOTH":
        raise VenueError(109400, "In the One-way mode, the 'PositionSide' field can only be set to BOTH.")
    return side


def _time_in_force(params: Params) -> str:
    given = params.get("timeInForce") or "GTC"
    if given not in _TIMES_IN_FORCE:
        raise invalid("timeInForce")
    return given


def _check_prices(venue: Venue, contract: Contract, order: Order) -> None:
    if order.working_type not in ("MARK_PRICE", "CONTRACT_PRICE"):
        raise invalid("workingType")
    if order.type in PRICED_TYPES and order.price <= 0:
        raise invalid("price")
    if order.type in TRAILING_TYPES:
        if (order.price > 0) == (order.price_rate > 0) or order.price_rate > 1:
            raise invalid("priceRate", "one of price and priceRate, which is at most 1")
    elif order.type in TRIGGER_TYPES:
        if order.stop_price <= 0:
            raise invalid("stopPrice")
        _check_stop_side(venue, order)
    if order.type == "LIMIT":
        mark = venue.mark(contract.symbol)
        if order.is_buy and order.price > mark * (1 + _BAND):
            raise VenueError(101211, f"order price should be lower than {text(mark * (1 + _BAND))}")
        if not order.is_buy and order.price < mark * (1 - _BAND):
            raise VenueError(101211, f"order price should be higher than {text(mark * (1 - _BAND))}")


def _check_stop_side(venue: Venue, order: Order) -> None:
    if order.type.startswith("TRIGGER"):
        return
    reference = venue.reference_price(order)
    above = order.is_buy == order.type.startswith("STOP")
    if above and order.stop_price <= reference:
        raise VenueError(110411, f"the trigger price should be greater than {text(reference)}")
    if not above and order.stop_price >= reference:
        raise VenueError(110412, f"the trigger price should be less than {text(reference)}")


def _check_counts(venue: Venue, order: Order) -> None:
    waiting = venue.working()
    if len(waiting) >= venue.settings.open_orders:
        raise VenueError(101419, f"The number of open orders has reached {venue.settings.open_orders}")
    stops = [o for o in waiting if o.type in CLOSING_TYPES and o.symbol == order.symbol]
    if order.type in CLOSING_TYPES and len(stops) >= venue.settings.stops_a_symbol:
        raise VenueError(110206, "The number of TP/SL orders has reached its limit")


def _check_closing(venue: Venue, order: Order) -> None:
    position = venue.account.positions.get((order.symbol, order.position_side))
    held = position.size if position and position.amount * order.signed < 0 else ZERO
    if not held:
        if order.reduce_only and order.type not in CLOSING_TYPES:
            raise VenueError(101290, "The Reduce Only order can only decrease your position.")
        raise VenueError(101205, "No position to close")
    if order.close_position:
        if order.type not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
            raise invalid("closePosition")
        order.quantity = ZERO
        return
    if order.reduce_only and order.type not in CLOSING_TYPES:
        order.quantity = min(order.quantity, held)  # clipped without a word
        return
    # Stops of one kind (losses, profits) may together close the position once.
    kind = "T" if order.type.startswith("TAKE") else "S"
    same = [
        o.remaining
        for o in venue.working()
        if o.waits_for_trigger
        and o.type in CLOSING_TYPES
        and (o.symbol, o.position_side, o.type[0]) == (order.symbol, order.position_side, kind)
    ]
    taken = sum(same, ZERO) if order.type in CLOSING_TYPES else ZERO
    if order.quantity + taken > held:
        room = text(held - taken)
        raise VenueError(110424, f"order size must be less than the available amount of {room}")


def _check_size(venue: Venue, contract: Contract, order: Order) -> None:
    if order.close_position:
        return
    if order.quantity < contract.min_quantity:
        raise VenueError(
            101400, f"The minimum order amount is {text(contract.min_quantity)} {contract.asset}."
        )
    reference = order.price or order.stop_price or venue.markets[contract.symbol].last
    if not order.closes and order.quantity * reference < contract.min_notional:
        raise VenueError(
            110425,
            "Please ensure that the minimum nominal value of the order placed must be greater than 2u",
        )


def _check_opening(venue: Venue, contract: Contract, order: Order) -> None:
    if contract.status == 25:
        raise VenueError(101415, f"{contract.symbol} does not allow opening positions")
    reference = order.price or order.stop_price or venue.markets[contract.symbol].last
    position = venue.account.positions.get((order.symbol, order.position_side))
    against = position.size if position and position.amount * order.signed < 0 else ZERO
    notional = max(ZERO, order.quantity - against) * reference  # in one-way mode it closes first
    held = position.size * reference if position and not against else ZERO
    if held + notional > contract.max_notional:
        raise VenueError(101209, f"The maximum position value is {text(contract.max_notional)}")
    if order.type not in TRIGGER_TYPES and notional / order.leverage > venue.available_margin:
        raise VenueError(101204, "Insufficient margin")


def _check_post_only(venue: Venue, order: Order) -> None:
    if order.type == "LIMIT" and order.time_in_force == "PostOnly" and venue.crosses(order):
        raise VenueError(
            101215,
            "The Maker (Post Only) order ensures that the user always acts as a maker. If the order would "
            "immediately match with available orders in the market, it will be canceled.",
        )
