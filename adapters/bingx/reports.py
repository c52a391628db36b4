"""Orders, fills and positions of the venue as reports for the engine's reconciliation.

Guarantees: a stop that was triggered is one order with the fills of the order it became; what cannot be read
raises and is never an empty report; client ids are those under which the engine sent the orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from nautilus_trader.model import (
    AccountId,
    ClientOrderId,
    FillReport,
    LiquiditySide,
    Money,
    OrderSide,
    OrderStatus,
    OrderStatusReport,
    OrderType,
    PositionSide,
    PositionStatusReport,
    TimeInForce,
    TradeId,
    TriggerType,
    VenueOrderId,
)

from adapters.bingx.account_rows import PositionRow
from adapters.bingx.order_rows import FillRow, OrderRow, State
from adapters.bingx.symbols import instrument_name
from adapters.live import engine_rows as engine
from adapters.live.rows import Contract

MS = 1_000_000

_TYPES = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP_MARKET": OrderType.STOP_MARKET,
    "STOP": OrderType.STOP_LIMIT,
    "TAKE_PROFIT_MARKET": OrderType.MARKET_IF_TOUCHED,
    "TAKE_PROFIT": OrderType.LIMIT_IF_TOUCHED,
    "TRIGGER_MARKET": OrderType.STOP_MARKET,
    "TRIGGER_LIMIT": OrderType.STOP_LIMIT,
    "LIQUIDATION": OrderType.MARKET,
    "ADL": OrderType.MARKET,
}
_STATES = {
    State.NEW: OrderStatus.ACCEPTED,
    State.TRIGGERED: OrderStatus.ACCEPTED,
    State.PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
    State.CANCELLED: OrderStatus.CANCELED,
    State.EXPIRED: OrderStatus.EXPIRED,
    State.FAILED: OrderStatus.REJECTED,
    State.FILLED: OrderStatus.FILLED,
}
_PRICED = {OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED}
_TRIGGERED = {
    OrderType.STOP_MARKET,
    OrderType.STOP_LIMIT,
    OrderType.MARKET_IF_TOUCHED,
    OrderType.LIMIT_IF_TOUCHED,
}

ContractOf = Callable[[str], Contract]
ClientIdOf = Callable[[OrderRow], str]


def order_report(
    row: OrderRow, contract: Contract, account: AccountId, client_id: str, now_ns: int
) -> OrderStatusReport:
    """Return the report of one order."""
    kind = _TYPES.get(row.type, OrderType.MARKET)
    triggered = kind in _TRIGGERED
    # A closing order without a quantity (closePosition) shows what it filled, or nothing yet.
    size = row.quantity or row.filled or contract.step
    return OrderStatusReport(
        account,
        engine.instrument_id(instrument_name(row.symbol)),
        VenueOrderId(row.order_id),
        OrderSide.BUY if row.side > 0 else OrderSide.SELL,
        kind,
        TimeInForce.GTC,
        _STATES[row.state],
        engine.quantity(size, contract),
        engine.quantity(row.filled, contract),
        row.created_ms * MS,
        row.updated_ms * MS,
        now_ns,
        client_order_id=ClientOrderId(client_id) if client_id else None,
        price=engine.price(row.price, contract) if kind in _PRICED and row.price else None,
        trigger_price=engine.price(row.stop_price, contract) if triggered and row.stop_price else None,
        trigger_type=_trigger_type(row) if triggered else None,
        avg_px=row.average_price if row.filled else None,
        post_only=row.post_only,
        reduce_only=row.reduce_only
        or row.type in {"STOP_MARKET", "STOP", "TAKE_PROFIT_MARKET", "TAKE_PROFIT"},
    )


def _trigger_type(row: OrderRow) -> TriggerType:
    return TriggerType.LAST_PRICE if row.working_type == "CONTRACT_PRICE" else TriggerType.MARK_PRICE


def merge_triggered(rows: Iterable[OrderRow]) -> tuple[list[OrderRow], dict[str, str]]:
    """Return orders with each triggered stop and what it became as one, and the ids that were replaced."""
    held = {row.order_id: row for row in rows}
    renamed: dict[str, str] = {}
    for row in list(held.values()):
        parent = held.get(row.trigger_order_id)
        if parent is None:
            continue
        held[parent.order_id] = parent._replace(
            filled=row.filled,
            average_price=row.average_price,
            state=max(row.state, parent.state) if not row.state.is_final else row.state,
            updated_ms=max(row.updated_ms, parent.updated_ms),
        )
        renamed[row.order_id] = parent.order_id
        del held[row.order_id]
    return list(held.values()), renamed


def fill_report(
    fill: FillRow,
    contract: Contract,
    account: AccountId,
    client_id: str,
    renamed: Mapping[str, str],
    now_ns: int,
) -> FillReport:
    """Return the report of one fill."""
    return FillReport(
        account,
        engine.instrument_id(instrument_name(fill.symbol)),
        VenueOrderId(renamed.get(fill.order_id, fill.order_id)),
        TradeId(fill.trade_id),
        OrderSide.BUY if fill.side > 0 else OrderSide.SELL,
        engine.quantity(fill.quantity, contract),
        engine.price(fill.price, contract),
        Money(float(fill.fee), engine.USDT),
        LiquiditySide.MAKER if fill.maker else LiquiditySide.TAKER,
        fill.ts_ms * MS,
        now_ns,
        client_order_id=ClientOrderId(client_id) if client_id else None,
    )


def position_report(
    row: PositionRow, contract: Contract, account: AccountId, now_ns: int
) -> PositionStatusReport:
    """Return the report of one position."""
    return PositionStatusReport(
        account,
        engine.instrument_id(instrument_name(row.symbol)),
        PositionSide.LONG if row.quantity > 0 else PositionSide.SHORT,
        engine.quantity(abs(row.quantity), contract),
        row.updated_ms * MS or now_ns,
        now_ns,
        avg_px_open=row.average_price,
    )


def flat_report(symbol: str, contract: Contract, account: AccountId, now_ns: int) -> PositionStatusReport:
    """Return the report that a symbol has no position."""
    return PositionStatusReport(
        account,
        engine.instrument_id(instrument_name(symbol)),
        PositionSide.FLAT,
        engine.quantity(Decimal(0), contract),
        now_ns,
        now_ns,
    )


def reason_of(error: Any) -> str:
    """Return a reason that fits into an event."""
    return str(getattr(error, "reason", None) or error)[:200] or type(error).__name__
