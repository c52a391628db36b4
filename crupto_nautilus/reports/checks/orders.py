"""Checks of orders and fills: nothing filled that was not sent, nothing sent that was not approved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crupto_nautilus.reports.checks.base import Check, Context, answer, on_grid, when
from crupto_nautilus.reports.ledger import ENTRY


@dataclass(slots=True)
class _Order:
    """What was asked for under one client order id; `largest` over all modifications."""

    submit: Any
    largest: float
    limits: set[float]
    filled: float = 0.0


def fills(context: Context) -> Check:
    """Each fill belongs to an order, is within its size and limit, and lies on the venue's grid."""
    orders, violations = _orders(context)
    by_trace: dict[str, float] = defaultdict(float)
    for row in context.rows("fills"):
        where = f"{row.trace_id} fill at {when(row.ts_event)}"
        order = orders.get(row.client_order_id)
        if order is None:
            violations.append(f"{where}: no order {row.client_order_id}")
            continue
        order.filled += row.quantity
        if row.role == ENTRY:
            by_trace[row.trace_id] += row.quantity
        violations += [f"{where}: {text}" for text in _fill_faults(context, order, row)]
    violations += _beyond_approval(context, by_trace)
    detail = f"{len(context.rows('fills')):,} fills of {len(orders):,} orders"
    return answer("fills", detail, violations)


def _orders(context: Context) -> tuple[dict[str, _Order], list[str]]:
    orders: dict[str, _Order] = {}
    violations = []
    for row in context.rows("orders"):
        order = orders.get(row.client_order_id)
        if row.action == "submit":
            if order is not None:
                violations.append(f"{row.trace_id}: order {row.client_order_id} was submitted twice")
                continue
            orders[row.client_order_id] = _Order(row, row.quantity, {row.price})
        elif order is None:
            violations.append(f"{row.trace_id}: {row.action} of {row.client_order_id}, never submitted")
        elif row.action in ("modify", "updated", "accepted"):
            order.largest = max(order.largest, row.quantity)
            order.limits.add(row.price)
    return orders, violations


def _fill_faults(context: Context, order: _Order, row: Any) -> Iterator[str]:
    submit, facts = order.submit, context.instruments.get(row.instrument)
    for name in ("trace_id", "strategy", "instrument", "role", "side"):
        if getattr(submit, name) != getattr(row, name):
            yield f"{name} is {getattr(row, name)!r}, of its order {getattr(submit, name)!r}"
    if row.ts_event < submit.ts_event:
        yield f"before its order was sent ({when(submit.ts_event)})"
    if order.filled > order.largest + context.dust(row.instrument):
        yield f"order {row.client_order_id} of {order.largest:g} is filled {order.filled:g}"
    if min(row.fee, row.slippage_usd) < 0 or row.quantity <= 0 or row.price <= 0:
        yield f"quantity {row.quantity:g}, price {row.price:g}, fee {row.fee:g} must be positive"
    if submit.order_type == "limit" and not any((p - row.price) * row.side >= -1e-9 for p in order.limits):
        yield f"at {row.price:g}, worse than its limit {max(order.limits):g}"
    if facts is None:
        yield f"{row.instrument} is no instrument of the run"
        return
    if not on_grid(row.quantity, facts.step):
        yield f"quantity {row.quantity:g} is off the step {facts.step:g}"
    if not on_grid(row.price, facts.tick):
        yield f"price {row.price:g} is off the tick {facts.tick:g}"


def _beyond_approval(context: Context, filled: dict[str, float]) -> Iterator[str]:
    for trace, quantity in filled.items():
        approval = context.approvals.get(trace)
        if approval is not None and quantity > approval.quantity + context.dust(approval.instrument):
            yield f"{trace}: entered {quantity:g}, approved were {approval.quantity:g}"


def exits(context: Context) -> Check:
    """Every exit order is reduce-only and against its position; no entry order is reduce-only."""
    violations = []
    sent = 0
    for row in context.rows("orders"):
        if row.action != "submit":
            continue
        sent += 1
        where = f"{row.trace_id} {row.role} order at {when(row.ts_event)}"
        signal = context.signals.get(row.trace_id)
        is_entry = row.role == ENTRY
        if row.reduce_only == is_entry:
            violations.append(f"{where}: reduce_only is {row.reduce_only}")
        if signal is not None and row.side != (signal.side if is_entry else -signal.side):
            violations.append(f"{where}: side {row.side:+d} on a signal of {signal.side:+d}")
    return answer("exits reduce only", f"{sent:,} orders", violations)
