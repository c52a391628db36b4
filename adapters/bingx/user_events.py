"""Events of the user stream as frozen rows: pure and strict.

Guarantees: an event that tells of a trade has quantity, price and fee, or it is refused; what the venue
leaves out (last quantity and price) is None, never guessed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from adapters.bingx.errors import MalformedAnswer
from adapters.bingx.order_rows import (
    ORDER_SIDES,
    POSITION_SIDES,
    STATES,
    TYPES,
    State,
    check_filled,
    other_id,
    price_of,
)
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
    record,
    rows,
    symbol,
    text,
    text_or_empty,
    truth_or_false,
)


class OrderEvent(NamedTuple):
    """An order event of the user stream; `last_*` only where a trade took place and the venue says it."""

    order_id: str
    client_id: str
    symbol: str
    side: int
    type: str
    state: State
    is_trade: bool
    quantity: Decimal
    filled: Decimal
    average_price: Decimal
    last_quantity: Decimal | None
    last_price: Decimal | None
    trade_id: str
    fee: Decimal
    fee_asset: str
    maker: bool | None
    ts_ms: int
    trigger_order_id: str
    price: Decimal
    stop_price: Decimal
    reduce_only: bool


class AccountEvent(NamedTuple):
    """An account event of the user stream: wallet balances by asset, signed position sizes by symbol."""

    reason: str
    ts_ms: int
    balances: Mapping[str, Decimal]
    positions: Mapping[str, Decimal]


ORDER_EVENTS = frozenset({"ORDER_TRADE_UPDATE", "TRADE_UPDATE"})


EXECUTIONS = {
    name: name
    for name in ("NEW", "TRADE", "CANCELED", "CANCELLED", "EXPIRED", "CALCULATED", "TRIGGERED", "AMENDED")
}


def order_event(frame: Row) -> OrderEvent:
    """Return an order event of the user stream."""
    where = "order event"
    row = record(frame.get("o"), where)
    state = choice(row, "X", where, STATES)
    quantity, filled = not_negative(row, "q", where), not_negative(row, "z", where)
    check_filled(where, state, quantity, filled)
    is_trade = choice(row, "x", where, EXECUTIONS) == "TRADE"
    average = number_or_none(row, "ap", where) or Decimal(0)
    if filled and average <= 0:
        raise malformed(f"{where}.ap", row.get("ap"), "a price above 0: the order has filled")
    if is_trade and not filled:
        raise malformed(f"{where}.z", filled, "above 0: a trade took place")
    at = row.get("T")
    ts = milliseconds(frame, "E", where) if at in (None, 0, "0", "") else milliseconds(row, "T", where)
    fee = number_or_none(row, "n", where)
    if is_trade and fee is None:
        raise malformed(f"{where}.n", row.get("n"), "the fee of the trade")
    maker = row.get("m")
    return OrderEvent(
        str(integer(row, "i", where)),
        text_or_empty(row, "c", where).lower(),
        symbol(row, "s", where),
        choice(row, "S", where, ORDER_SIDES),
        choice(row, "o", where, TYPES),
        state,
        is_trade,
        quantity,
        filled,
        average,
        _last(row, "l", where),
        _last(row, "L", where),
        _trade_id(row, where),
        -(fee or Decimal(0)),
        asset(row, "N", where) if row.get("N") not in (None, "") else "",
        maker if isinstance(maker, bool) else None,
        ts,
        other_id(row, "ti", where),
        price_of(row, "p", where, needed=False),
        price_of(row, "sp", where, needed=False),
        truth_or_false(row, "ro", where),
    )


def _last(row: Row, key: str, where: str) -> Decimal | None:
    value = number_or_none(row, key, where)
    if value is not None and value < 0:
        raise malformed(f"{where}.{key}", value, "at least 0")
    return value or None


def _trade_id(row: Row, where: str) -> str:
    return other_id(row, "td", where)


def account_event(frame: Row) -> AccountEvent:
    """Return an account event of the user stream."""
    where = "account event"
    row = record(frame.get("a"), where)
    wallets: dict[str, Decimal] = {}
    for raw in rows(row.get("B") or [], f"{where}.B"):
        wallet = record(raw, where)
        wallets[asset(wallet, "a", where)] = number(wallet, "wb", where)
    sizes: dict[str, Decimal] = {}
    for raw in rows(row.get("P") or [], f"{where}.P"):
        item = record(raw, where)
        amount = number(item, "pa", where)
        side = choice(item, "ps", where, POSITION_SIDES)
        name = symbol(item, "s", where)
        sizes[name] = sizes.get(name, Decimal(0)) + (amount if side == 0 else side * abs(amount))
    return AccountEvent(text(row, "m", where), milliseconds(frame, "E", where), wallets, sizes)


def event_kind(frame: Row) -> str:
    """Return the kind of a user event, empty for any other frame."""
    kind = frame.get("e")
    if kind is None:
        return ""
    if not isinstance(kind, str):
        raise MalformedAnswer("a user event has no kind", found=repr(kind)[:60], expected="a text")
    return kind
