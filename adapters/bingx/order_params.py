"""Engine orders as parameters of BingX: pure.

Guarantees: numbers are exact decimal text on the contract's grid (the venue truncates silently what is too
fine); one-way mode; every order that may only reduce says so, stops included (ccxt leaves it out); what the
venue cannot do is refused here, in words.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from nautilus_trader.model import OrderSide, OrderType, TimeInForce, TriggerType

from adapters.bingx.errors import BingxError
from adapters.live.rows import Contract

Params = dict[str, object]

TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP_MARKET: "STOP_MARKET",
    OrderType.STOP_LIMIT: "STOP",
    OrderType.MARKET_IF_TOUCHED: "TAKE_PROFIT_MARKET",
    OrderType.LIMIT_IF_TOUCHED: "TAKE_PROFIT",
}
# Stops and profits that may open a position are triggers at this venue.
OPENING_TYPES = {
    "STOP_MARKET": "TRIGGER_MARKET",
    "STOP": "TRIGGER_LIMIT",
    "TAKE_PROFIT_MARKET": "TRIGGER_MARKET",
    "TAKE_PROFIT": "TRIGGER_LIMIT",
}
_PRICED = {"LIMIT", "STOP", "TAKE_PROFIT", "TRIGGER_LIMIT"}
_WORKING = {
    TriggerType.LAST_PRICE: "CONTRACT_PRICE",
    TriggerType.MARK_PRICE: "MARK_PRICE",
    TriggerType.DEFAULT: "CONTRACT_PRICE",
    TriggerType.NO_TRIGGER: "CONTRACT_PRICE",
}
_TIMES = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}


def text(value: Decimal, digits: int, what: str, contract: Contract) -> str:
    """Return exact text; a number that the venue would truncate is refused."""
    rounded = value.quantize(Decimal(1).scaleb(-digits))
    if rounded != value:
        raise BingxError(
            f"{contract.symbol}: the {what} is finer than the contract's grid",
            found=f"{value:f}",
            expected=f"at most {digits} decimals",
            remedy="round it; BingX would cut it off silently",
        )
    return f"{rounded:f}"


def decimal_of(value: Any) -> Decimal:
    """Return an engine price or quantity as a decimal."""
    return Decimal(str(value))


def order_params(
    order: Any,
    contract: Contract,
    client_id: str,
    *,
    quantity: Decimal | None = None,
    price: Decimal | None = None,
    trigger: Decimal | None = None,
) -> Params:
    """Return the parameters of `POST order`; a given quantity, price or trigger replaces the order's own.

    Raises
    ------
    BingxError
        The venue has no such order, or a number is not on its grid.
    """
    kind = TYPES.get(order.order_type)
    if kind is None:
        raise _cannot(order, f"order type {order.order_type.name}", ", ".join(t.name for t in TYPES))
    reduces = bool(order.is_reduce_only)
    if not reduces:
        kind = OPENING_TYPES.get(kind, kind)
    size = decimal_of(order.quantity) if quantity is None else quantity
    _check_size(size, contract, reduces=reduces)
    params: Params = {
        "symbol": contract.symbol,
        "side": "BUY" if order.side == OrderSide.BUY else "SELL",
        "positionSide": "BOTH",
        "type": kind,
        "quantity": text(size, contract.size_digits, "quantity", contract),
        "clientOrderID": client_id,
    }
    if reduces:
        params["reduceOnly"] = "true"
    if kind in _PRICED:
        limit = decimal_of(order.price) if price is None else price
        params["price"] = text(limit, contract.price_digits, "price", contract)
    if kind not in {"MARKET", "LIMIT"}:
        at = decimal_of(order.trigger_price) if trigger is None else trigger
        params["stopPrice"] = text(at, contract.price_digits, "trigger price", contract)
        if order.trigger_type not in _WORKING:
            raise _cannot(order, f"trigger type {order.trigger_type.name}", "LAST_PRICE or MARK_PRICE")
        params["workingType"] = _WORKING[order.trigger_type]
    if kind == "LIMIT":
        params["timeInForce"] = _time_in_force(order)
    elif order.time_in_force not in {TimeInForce.GTC, TimeInForce.IOC}:
        raise _cannot(order, f"{kind} with {order.time_in_force.name}", "GTC")
    return params


def _time_in_force(order: Any) -> str:
    if order.is_post_only:
        return "PostOnly"
    if order.time_in_force not in _TIMES:
        raise _cannot(order, f"time in force {order.time_in_force.name}", "GTC, IOC or FOK")
    return _TIMES[order.time_in_force]


def _check_size(size: Decimal, contract: Contract, *, reduces: bool) -> None:
    smallest = contract.step if reduces else contract.min_quantity
    if size < smallest:
        raise BingxError(
            f"{contract.symbol}: the quantity is too small",
            found=f"{size:f}",
            expected=f"at least {smallest:f} {contract.asset}",
        )


def attached_stop(stop: Any, contract: Contract) -> str:
    """Return the text of a stop that the venue places by itself when the order it belongs to has filled."""
    return json.dumps(
        {
            "type": "STOP_MARKET",
            "stopPrice": float(
                text(decimal_of(stop.trigger_price), contract.price_digits, "trigger price", contract)
            ),
            "workingType": _WORKING[stop.trigger_type],
        },
        separators=(",", ":"),
    )


def _cannot(order: Any, found: str, expected: str) -> BingxError:
    return BingxError(f"{order.instrument_id}: BingX has no such order", found=found, expected=expected)
