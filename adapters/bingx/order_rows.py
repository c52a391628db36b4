"""Order, fill and user event payloads as frozen rows: pure and strict.

Guarantees: the spellings of REST and stream meet in one vocabulary (`State`); the 19-digit id is never a
float; a fill has price, quantity and fee or it is refused; quantities are consistent (filled at most the
order's).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple

from adapters.bingx.account_rows import SIDES
from adapters.live.fields import (
    Row,
    asset,
    choice,
    integer,
    malformed,
    milliseconds,
    not_negative,
    number,
    number_or_none,
    positive,
    record,
    rows,
    symbol,
    text,
    text_or_empty,
    truth_or_false,
)


class State(IntEnum):
    """States of an order in the order in which they follow each other; an event never moves one back."""

    NEW = 0
    TRIGGERED = 1  # a stop that became another order, which fills in its place
    PARTIALLY_FILLED = 2
    CANCELLED = 3
    EXPIRED = 4
    FAILED = 5
    FILLED = 6

    @property
    def is_final(self) -> bool:
        """Whether nothing can follow."""
        return self >= State.CANCELLED


STATES: Mapping[str, State] = {
    "NEW": State.NEW,
    "PENDING": State.NEW,
    "WORKING": State.NEW,
    "TRIGGERED": State.TRIGGERED,
    "PARTIALLY_FILLED": State.PARTIALLY_FILLED,
    "FILLED": State.FILLED,
    "CANCELED": State.CANCELLED,
    "CANCELLED": State.CANCELLED,
    "EXPIRED": State.EXPIRED,
    "FAILED": State.FAILED,
    "REJECTED": State.FAILED,
}
TYPES = {
    name: name
    for name in (
        "MARKET", "LIMIT", "STOP_MARKET", "STOP", "TAKE_PROFIT_MARKET", "TAKE_PROFIT", "TRIGGER_MARKET",
        "TRIGGER_LIMIT", "TRAILING_STOP_MARKET", "TRAILING_TP_SL", "LIQUIDATION", "ADL",
    )
}  # fmt: skip
CONDITIONAL = frozenset(TYPES) - {"MARKET", "LIMIT", "LIQUIDATION", "ADL"}
ORDER_SIDES = {"BUY": 1, "SELL": -1}
POSITION_SIDES = SIDES | {"BOTH": 0}


class OrderRow(NamedTuple):
    """An order as REST shows it; `side` 1 buys, -1 sells; prices 0 where there is none."""

    order_id: str
    client_id: str
    symbol: str
    side: int
    position_side: int
    type: str
    quantity: Decimal
    price: Decimal
    stop_price: Decimal
    filled: Decimal
    average_price: Decimal
    state: State
    reduce_only: bool
    post_only: bool
    working_type: str
    created_ms: int
    updated_ms: int
    trigger_order_id: str


class Placed(NamedTuple):
    """The answer to a placed order."""

    order_id: str
    client_id: str
    symbol: str
    state: State | None  # None: the short form of the answer says nothing of it
    filled: Decimal | None


class FillRow(NamedTuple):
    """A fill as the fill history shows it; `fee` is what was paid, above 0 a cost."""

    order_id: str
    trade_id: str
    symbol: str
    side: int
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    ts_ms: int


def order(data: object) -> OrderRow:
    """Return the order of an answer `{order: {...}}`."""
    return order_row(record(record(data, "order answer").get("order"), "order"))


def orders(data: object) -> list[OrderRow]:
    """Return the orders of an answer `{orders: [...]}`."""
    found = rows(record(data, "orders answer").get("orders"), "orders")
    return [order_row(record(raw, f"orders[{k}]")) for k, raw in enumerate(found)]


def order_row(row: Row) -> OrderRow:
    """Return one order."""
    where = "order"
    quantity, filled = not_negative(row, "origQty", where), not_negative(row, "executedQty", where)
    kind = choice(row, "type", where, TYPES)
    state = choice(row, "status", where, STATES)
    check_filled(where, state, quantity, filled)
    average = number_or_none(row, "avgPrice", where) or Decimal(0)
    if filled and average <= 0:
        raise malformed(f"{where}.avgPrice", row.get("avgPrice"), "a price above 0: the order has filled")
    price = price_of(row, "price", where, needed=kind in {"LIMIT", "STOP", "TAKE_PROFIT", "TRIGGER_LIMIT"})
    stop = price_of(
        row,
        "stopPrice",
        where,
        needed=kind in CONDITIONAL and not kind.startswith("TRAILING") and not state.is_final,
    )
    return OrderRow(
        order_id(row, where),
        _client_id(row, where),
        symbol(row, "symbol", where),
        choice(row, "side", where, ORDER_SIDES),
        choice(row, "positionSide", where, POSITION_SIDES),
        kind,
        quantity,
        price,
        stop,
        filled,
        average,
        state,
        truth_or_false(row, "reduceOnly", where),
        truth_or_false(row, "postOnly", where) or row.get("timeInForce") == "PostOnly",
        _working_type(row, kind, state, where),
        milliseconds(row, "time", where),
        milliseconds(row, "updateTime", where),
        other_id(row, "triggerOrderId", where),
    )


WORKING_TYPES = {name: name for name in ("MARK_PRICE", "CONTRACT_PRICE", "INDEX_PRICE")}


def _working_type(row: Row, kind: str, state: State, where: str) -> str:
    """Return which price triggers; an order without a trigger may say anything."""
    if kind in CONDITIONAL and not state.is_final:
        return choice(row, "workingType", where, WORKING_TYPES)
    return text_or_empty(row, "workingType", where)


def price_of(row: Row, key: str, where: str, *, needed: bool) -> Decimal:
    """Return a price, 0 where there is none; one that is `needed` is above 0."""
    value = number_or_none(row, key, where)
    if value is None or value == 0:
        if needed:
            raise malformed(f"{where}.{key}", row.get(key), "a price above 0")
        return Decimal(0)
    if value < 0:
        raise malformed(f"{where}.{key}", row.get(key), "a price of at least 0")
    return value


def check_filled(where: str, state: State, quantity: Decimal, filled: Decimal) -> None:
    """Refuse what has filled if it does not fit the state and the quantity."""
    if filled > quantity > 0:
        raise malformed(f"{where}.executedQty", filled, f"at most the quantity {quantity}")
    if state is State.FILLED and filled == 0:
        raise malformed(f"{where}.executedQty", filled, "a quantity: the order has filled")
    if state is State.PARTIALLY_FILLED and not filled:
        raise malformed(f"{where}.executedQty", filled, "above 0: the order has filled in part")


def order_id(row: Row, where: str) -> str:
    """Return the id of an order: `orderID` is text, `orderId` a whole number of 19 digits."""
    for key in ("orderID", "orderId"):
        if row.get(key) not in (None, ""):
            value = integer(row, key, where)
            if value == 0:
                break
            return str(value)
    raise malformed(f"{where}.orderId", row.get("orderId"), "the id of an order")


def other_id(row: Row, key: str, where: str) -> str:
    """Return an id that may be absent: no key, null, empty or 0 make an empty text."""
    if row.get(key) in (None, "", 0, "0"):
        return ""
    return str(integer(row, key, where))


def _client_id(row: Row, where: str) -> str:
    return (text_or_empty(row, "clientOrderID", where) or text_or_empty(row, "clientOrderId", where)).lower()


def placed(data: object) -> Placed:
    """Return what the venue says of an order it has taken; the short form has no state."""
    return placed_row(record(record(data, "order answer").get("order"), "placed order"))


def placed_row(row: Row) -> Placed:
    """Return one placed order."""
    where = "placed order"
    known = row.get("status") not in (None, "")
    return Placed(
        order_id(row, where),
        _client_id(row, where),
        symbol(row, "symbol", where),
        choice(row, "status", where, STATES) if known else None,
        number_or_none(row, "executedQty", where),
    )


def cancelled(data: object) -> tuple[list[str], list[tuple[str, int, str]]]:
    """Return the ids that a batch cancelled, and id, code and message of those it did not."""
    row = record(data, "cancel answer")
    done = [
        order_id(record(raw, "cancelled order"), "cancelled order")
        for raw in rows(row.get("success"), "success")
    ]
    failed = []
    for raw in rows(row.get("failed") or [], "failed"):
        item = record(raw, "failed cancel")
        failed.append(
            (
                order_id(item, "failed cancel"),
                integer(item, "errorCode", "failed cancel"),
                text_or_empty(item, "errorMessage", "failed cancel"),
            )
        )
    return done, failed


class Replaced(NamedTuple):
    """The answer to a cancel-and-replace: what became of the old order and of the new one."""

    cancelled: bool
    cancel_message: str
    new: Placed | None
    replace_message: str


def replaced(data: object) -> Replaced:
    """Return what became of both halves; code 0 of the envelope says nothing of them."""
    row = record(data, "replace answer")
    words = {"true": True, "false": False}
    done = choice(row, "cancelResult", "replace answer", words)
    placed_it = choice(row, "replaceResult", "replace answer", words)
    new = placed_row(record(row.get("newOrderResponse"), "new order")) if placed_it else None
    return Replaced(
        done,
        text_or_empty(row, "cancelMsg", "replace answer"),
        new,
        text_or_empty(row, "replaceMsg", "replace answer"),
    )


def fills(data: object) -> list[FillRow]:
    """Return the fills of an answer `{fill_history_orders: [...]}`, oldest first."""
    found = rows(record(data, "fill history").get("fill_history_orders"), "fill history")
    parsed = [fill_row(record(raw, f"fills[{k}]")) for k, raw in enumerate(found)]
    return sorted(parsed, key=lambda fill: (fill.ts_ms, fill.trade_id))


def fill_row(row: Row) -> FillRow:
    """Return one fill; `filledTm` counts whole seconds."""
    where = "fill"
    return FillRow(
        str(integer(row, "orderId", where)),
        str(integer(row, "tradeId", where)),
        symbol(row, "symbol", where),
        choice(row, "side", where, {"buy": 1, "sell": -1, "BUY": 1, "SELL": -1}),
        positive(row, "qty", where),
        positive(row, "price", where),
        -number(row, "commission", where),
        asset(row, "commissionAsset", where),
        choice(row, "role", where, {"maker": True, "taker": False}),
        _iso_ms(text(row, "filledTm", where), where),
    )


def _iso_ms(value: str, where: str) -> int:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise malformed(f"{where}.filledTm", value, "a time such as 2026-11-25T12:00:00Z") from None
    if moment.tzinfo is None or not 2017 <= moment.year < 2100:
        raise malformed(f"{where}.filledTm", value, "a time with its zone between 2017 and 2100")
    return round(moment.timestamp() * 1000)
