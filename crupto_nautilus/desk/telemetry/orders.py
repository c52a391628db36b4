"""What is wished, answered, sent and filled, and how long it took: signals to trades."""

from __future__ import annotations

from collections import deque
from time import perf_counter_ns
from typing import Any

from crupto_nautilus.desk.telemetry import agent_graph as names
from crupto_nautilus.desk.telemetry.base import HOLD_S, TelemetryBase, safely
from dashboards.graph import ERROR, WARNING
from risk.vocabulary import (
    Approved,
    Decision,
    Fill,
    Instant,
    OrderEvent,
    RefusalReason,
    Refused,
    Signal,
    Trade,
    TradePlan,
)

REFUSAL_HOLD_S = 20.0
RECENT_ORDERS = 100
MAX_OPEN_ORDERS = 5000

EXECUTION_REASONS = frozenset(
    {RefusalReason.SPREAD_TOO_WIDE, RefusalReason.ILLIQUID, RefusalReason.SLIPPAGE_TOO_HIGH}
)
"""Refusals that come from the execution agent; all others come from risk."""
LIMIT_REASONS = frozenset(
    {
        RefusalReason.NO_RISK_LEFT,
        RefusalReason.PER_TRADE_CAP,
        RefusalReason.PORTFOLIO_CAP,
        RefusalReason.GROSS_EXPOSURE,
        RefusalReason.NET_EXPOSURE,
        RefusalReason.CORRELATED,
        RefusalReason.SAFE_MODE,
    }
)
BROKEN_REASONS = frozenset({RefusalReason.TOOL_ERROR, RefusalReason.INVALID_INPUT, RefusalReason.RECONCILING})
_STATUS_OF = {"submit": "submitted"}
_REFUSED_STATUSES = frozenset({"rejected", "denied"})


class OrderTelemetry(TelemetryBase):
    """Counts and times what leads to orders and comes of them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._began = self._signalled = perf_counter_ns()
        self._open_orders: dict[str, int] = {}
        self._refused_orders: deque[int] = deque(maxlen=RECENT_ORDERS)
        self._feed_nodes = [
            names.REGIME, names.RISK, names.BRAIN, *map(names.strategy_node, self.strategies),
        ]  # fmt: skip
        store, stage = self.store, "crupto_stage_duration_seconds"
        self._instants = store["crupto_instants_total"]
        self._bars = store["crupto_feed_bars_total"]
        self._last_bar = store["crupto_feed_last_bar_timestamp_seconds"]
        self._keys = {name: (name,) for name in self.instruments}
        self._stage = {labels[0]: found for labels, found in store.histograms[stage].items()}

    @safely
    def on_instant_begins(self, _: Instant) -> None:
        """Note when the desk begins with an instant."""
        self._began = perf_counter_ns()

    @safely
    def on_instant(self, instant: Instant) -> None:
        """Count an instant that everyone has handled."""
        if instant.warm_only:
            return
        self._stage["instant"].observe((perf_counter_ns() - self._began) / 1e9)
        self._instants[()] += 1.0
        wall, keys = self.now(), self._keys
        for minutes in instant.bars:  # slowest first: the last is the finest
            finest = minutes
        if instant.bars:
            for bar in instant.bars[finest]:
                key = keys[bar.instrument]
                self._bars[key] += 1.0
                self._last_bar[key] = wall
        self.graph.use_all(names.FEED, self._feed_nodes)
        self.pulse.heard(instant, wall)

    @safely
    def on_signal(self, signal: Signal) -> None:
        """Note a signal before it is answered."""
        self._signalled = perf_counter_ns()
        self.store["crupto_signals_total"][signal.strategy,] += 1.0
        self.graph.use(names.strategy_node(signal.strategy), names.RISK)

    @safely
    def on_plan(self, _: TradePlan) -> None:
        """Count a plan on its way to execution."""
        self.graph.use(names.RISK, names.EXECUTION)

    @safely
    def on_decision(self, decision: Decision) -> None:
        """Count an answer and show what stands behind it."""
        self._stage["decision"].observe((perf_counter_ns() - self._signalled) / 1e9)
        self.decisions.append(decision)
        graph, signal = self.graph, decision.signal
        node = names.strategy_node(signal.strategy)
        graph.use(names.RISK, names.MONITOR)
        if isinstance(decision, Approved):
            self.store["crupto_approved_total"][signal.strategy,] += 1.0
            self.pulse.expected(decision.ticket.expected_slippage_bps)
            graph.use(names.EXECUTION, node)
            graph.show(node, "approved")
            self.event(decision.ts_event, "approved", signal.trace_id, decision.detail)
            return
        self._refused(decision, node)

    def _refused(self, refused: Refused, node: str) -> None:
        graph, reason, strategy = self.graph, refused.reason, refused.signal.strategy
        self.store["crupto_refusals_total"][strategy, reason.value] += 1.0
        cause = f"refused {refused.signal.trace_id}: {reason.value} {refused.detail}".rstrip()
        by = names.EXECUTION if reason in EXECUTION_REASONS else names.RISK
        graph.use(by, node)
        graph.show(node, reason.value)
        if reason in BROKEN_REASONS:
            graph.report(node, "refusal", ERROR, cause, HOLD_S)
            graph.report(by, "refusal", ERROR, cause, HOLD_S)
        elif reason in EXECUTION_REASONS or reason in LIMIT_REASONS:
            graph.report(by, "refusal", WARNING, cause, REFUSAL_HOLD_S)
        elif reason is RefusalReason.STALE_DATA:
            graph.report(names.FEED, "refusal", WARNING, cause, REFUSAL_HOLD_S)
        self.event(refused.ts_event, "refused", refused.signal.trace_id, f"{reason.value} {refused.detail}")

    @safely
    def on_order(self, order: OrderEvent) -> None:
        """Count a step of an order; time it from bar to order."""
        graph, node = self.graph, names.strategy_node(order.strategy)
        graph.use(node, names.VENUE)
        status = _STATUS_OF.get(order.action, order.action)
        counted = self.store["crupto_orders_total"]
        if (order.strategy, status) in counted:
            counted[order.strategy, status] += 1.0
        if order.action == "submit":
            now = perf_counter_ns()
            if order.role == "entry":
                self._stage["bar_to_order"].observe((now - self._began) / 1e9)
            if len(self._open_orders) < MAX_OPEN_ORDERS:
                self._open_orders[order.client_order_id] = now
        elif status == "accepted":
            self._refused_orders.append(0)
        elif status in _REFUSED_STATUSES:
            self._refused_orders.append(1)
            self._open_orders.pop(order.client_order_id, None)
            cause = f"{order.role} order of {order.strategy} {status}: {order.reason}"
            graph.report(names.VENUE, "order", ERROR if status == "denied" else WARNING, cause, HOLD_S)
            graph.report(node, "order", WARNING, cause, HOLD_S)
            self.event(order.ts_event, status, order.client_order_id, cause)
        elif status in {"canceled", "expired"}:
            self._open_orders.pop(order.client_order_id, None)

    @safely
    def on_fill(self, fill: Fill) -> None:
        """Count a fill, its slippage and the time it took."""
        self.graph.use(names.VENUE, names.RISK)
        sent = self._open_orders.pop(fill.client_order_id, None)
        if sent is not None:
            self._stage["order_to_fill"].observe((perf_counter_ns() - sent) / 1e9)
        store, notional = self.store, fill.quantity * fill.price
        store["crupto_fees_usdt_total"][()] += fill.fee
        store["crupto_slippage_usdt_total"][()] += fill.slippage_usd
        if notional > 0.0:
            store.observe("crupto_slippage_bps", 1e4 * fill.slippage_usd / notional)
        text = f"{fill.role} {fill.quantity:g} at {fill.price:g}"
        self.event(fill.ts_event, "fill", fill.trace_id, text)

    @safely
    def on_trade(self, trade: Trade) -> None:
        """Count a closed trade."""
        store, key = self.store, (trade.strategy,)
        store["crupto_trades_total"][key] += 1.0
        store["crupto_strategy_net_pnl_usdt"][key] += trade.net_usd
        if trade.net_usd > 0.0:
            store["crupto_winning_trades_total"][key] += 1.0
        self.trades.append(trade)
        self.event(trade.ts_event, "trade", trade.trace_id, f"{trade.net_usd:.4f} USDT, {trade.r:.3f} R")

    @property
    def reject_ratio(self) -> float:
        """Share of the last answers to orders that were refusals of the venue."""
        recent = list(self._refused_orders)
        return sum(recent) / len(recent) if recent else 0.0
