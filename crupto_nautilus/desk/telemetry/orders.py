"""What is wished, answered, sent and filled, and how long it took: signals to trades.

Every method here is a worker of the tape: it gets the time at which a message was heard, and the message.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from crupto_nautilus.desk.telemetry import agent_graph as names
from crupto_nautilus.desk.telemetry.base import HOLD_S, TelemetryBase
from dashboards.graph import ERROR, WARNING
from risk.vocabulary import (
    HOUR_NS,
    Approved,
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
HOURS_KEPT = 26  # of desk time, in which refusals are remembered by reason

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
        self._began = self._signalled = 0
        self._open_orders: dict[str, int] = {}
        self._refused_orders: deque[int] = deque(maxlen=RECENT_ORDERS)
        self._nodes = {name: names.strategy_node(name) for name in self.strategies}
        self._feed_nodes = [names.REGIME, names.RISK, names.BRAIN, *self._nodes.values()]
        self._newest: Instant | None = None
        self._instants = self._whole = 0
        self._bars: Counter[str] = Counter()
        self.refused_in_hour: dict[int, Counter[str]] = {}  # hour of desk time -> reason -> how often
        self._refused: Counter[tuple[str, str, int]] = Counter()
        histograms = self.store.histograms["crupto_stage_duration_seconds"]
        self._stage = {labels[0]: found for labels, found in histograms.items()}

    def on_begin(self, at: int, _: None) -> None:
        """The desk begins with an instant."""
        self._began = at

    def on_instant(self, at: int, instant: Instant) -> None:
        """Count an instant that everyone has handled."""
        if instant.warm_only:
            return
        self._stage["instant"].observe((at - self._began) / 1e9)
        self._instants += 1
        self._newest = instant
        if instant.late:
            self.pulse.late(instant.late)
        if self.base_minutes:
            for minutes, bars in instant.bars.items():
                fine = (bar.instrument for bar in bars if self.base_minutes[bar.instrument] == minutes)
                self._bars.update(fine)
        elif instant.bars:
            finest = next(reversed(instant.bars.values()))  # the slowest comes first
            if len(finest) == len(self.instruments):
                self._whole += 1
            else:
                self._bars.update(bar.instrument for bar in finest)

    def on_signal(self, at: int, signal: Signal) -> None:
        """Note a signal before it is answered."""
        self._signalled = at
        self.store["crupto_signals_total"][signal.strategy,] += 1.0
        self.use(self._nodes[signal.strategy], names.RISK)

    def on_plan(self, _: int, __: TradePlan) -> None:
        """Count a plan on its way to execution."""
        self.use(names.RISK, names.EXECUTION)

    def on_approved(self, at: int, approved: Approved) -> None:
        """Count an entry that may be made."""
        signal, node = approved.signal, self._nodes[approved.signal.strategy]
        self._answered(at, approved)
        self.store["crupto_approved_total"][signal.strategy,] += 1.0
        self.pulse.expected(approved.ticket.expected_slippage_bps)
        self.use(names.EXECUTION, node)
        self.figure(node, "approved")
        self.event(at, approved.ts_event, "approved", signal.trace_id, approved.detail)

    def on_refused(self, at: int, refused: Refused) -> None:
        """Count a refusal and show what stands behind it."""
        reason, strategy = refused.reason, refused.signal.strategy
        node = self._nodes[strategy]
        self._answered(at, refused)
        self._refused[strategy, reason.value, refused.ts_event // HOUR_NS] += 1
        by = names.EXECUTION if reason in EXECUTION_REASONS else names.RISK
        self.use(by, node)
        self.figure(node, reason.value)

        def cause() -> str:
            return f"refused {refused.signal.trace_id}: {reason.value} {refused.detail}".rstrip()

        if reason in BROKEN_REASONS:
            self.report(node, "refusal", ERROR, cause, HOLD_S)
            self.report(by, "refusal", ERROR, cause, HOLD_S)
        elif reason in EXECUTION_REASONS or reason in LIMIT_REASONS:
            self.report(by, "refusal", WARNING, cause, REFUSAL_HOLD_S)
        elif reason is RefusalReason.STALE_DATA:
            self.report(names.FEED, "refusal", WARNING, cause, REFUSAL_HOLD_S)
        detail = f"{reason.value} {refused.detail}"
        self.event(at, refused.ts_event, "refused", refused.signal.trace_id, detail)

    def _answered(self, at: int, decision: Approved | Refused) -> None:
        self._stage["decision"].observe((at - self._signalled) / 1e9)
        self.decisions.append(decision)
        self.use(names.RISK, names.MONITOR)

    def on_order(self, at: int, order: OrderEvent) -> None:
        """Count a step of an order; time it from bar to order."""
        node = self._nodes[order.strategy]
        self.use(node, names.VENUE)
        status = _STATUS_OF.get(order.action, order.action)
        counted = self.store["crupto_orders_total"]
        if (order.strategy, status) in counted:
            counted[order.strategy, status] += 1.0
        if order.action == "submit":
            if order.role == "entry":
                self._stage["bar_to_order"].observe((at - self._began) / 1e9)
            if len(self._open_orders) < MAX_OPEN_ORDERS:
                self._open_orders[order.client_order_id] = at
        elif status == "accepted":
            self._refused_orders.append(0)
        elif status in _REFUSED_STATUSES:
            self._refused_orders.append(1)
            self._open_orders.pop(order.client_order_id, None)
            cause = f"{order.role} order of {order.strategy} {status}: {order.reason}"
            self.report(names.VENUE, "order", ERROR if status == "denied" else WARNING, lambda: cause, HOLD_S)
            self.report(node, "order", WARNING, lambda: cause, HOLD_S)
            self.event(at, order.ts_event, status, order.client_order_id, cause)
        elif status in {"canceled", "expired"}:
            self._open_orders.pop(order.client_order_id, None)

    def on_fill(self, at: int, fill: Fill) -> None:
        """Count a fill, its slippage and the time it took."""
        self.use(names.VENUE, names.RISK)
        sent = self._open_orders.pop(fill.client_order_id, None)
        if sent is not None:
            self._stage["order_to_fill"].observe((at - sent) / 1e9)
        store, notional = self.store, fill.quantity * fill.price
        store["crupto_fees_usdt_total"][()] += fill.fee
        store["crupto_slippage_usdt_total"][()] += fill.slippage_usd
        if notional > 0.0:
            store.observe("crupto_slippage_bps", 1e4 * fill.slippage_usd / notional)
        self.event(
            at, fill.ts_event, "fill", fill.trace_id, f"{fill.role} {fill.quantity:g} at {fill.price:g}"
        )

    def on_trade(self, at: int, trade: Trade) -> None:
        """Count a closed trade."""
        store, key = self.store, (trade.strategy,)
        store["crupto_trades_total"][key] += 1.0
        store["crupto_strategy_net_pnl_usdt"][key] += trade.net_usd
        if trade.net_usd > 0.0:
            store["crupto_winning_trades_total"][key] += 1.0
        self.trades.append(trade)
        self.event(at, trade.ts_event, "trade", trade.trace_id, f"{trade.net_usd:.4f} USDT, {trade.r:.3f} R")

    def settle_orders(self) -> None:
        """Add up what the batch counted: instants and bars of all instruments, refusals."""
        store, wall = self.store, self.now()
        refusals = store["crupto_refusals_total"]
        refused, self._refused = self._refused, Counter()
        for (strategy, reason, hour), count in refused.items():
            refusals[strategy, reason] += count
            self.refused_in_hour.setdefault(hour, Counter())[reason] += count
        for old in sorted(self.refused_in_hour)[:-HOURS_KEPT]:
            del self.refused_in_hour[old]
        if self._newest is None:
            return
        newest, count, whole, bars = self._newest, self._instants, self._whole, self._bars
        self._newest, self._instants, self._whole, self._bars = None, 0, 0, Counter()
        store["crupto_instants_total"][()] += count
        received = store["crupto_feed_bars_total"]
        last_bar = store["crupto_feed_last_bar_timestamp_seconds"]
        for name in self.instruments if whole else bars:
            received[name,] += whole + bars[name]
            last_bar[name,] = wall
        for node in self._feed_nodes:
            self.graph.use(names.FEED, node, count)
        self.pulse.heard(newest, wall)

    @property
    def reject_ratio(self) -> float:
        """Share of the last answers to orders that were refusals of the venue."""
        recent = list(self._refused_orders)
        return sum(recent) / len(recent) if recent else 0.0
