"""What the desk says, turned into metrics and the agent graph: the bridge from its messages to `dashboards`.

Guarantees: a handler costs a few dictionary stores, never waits, never touches disk or network and never
raises into the desk (an error of the telemetry is counted and shown at the node of the monitor); nothing is
attached in a backtest.  Wall time is measured here and decided on nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crupto_nautilus.desk.telemetry.agents import AgentTelemetry
from crupto_nautilus.desk.telemetry.base import safely
from crupto_nautilus.desk.telemetry.orders import OrderTelemetry
from risk.vocabulary import EquityPoint
from strategies import bus


class DeskTelemetry(OrderTelemetry, AgentTelemetry):
    """Hears a desk and keeps what its boards show (`actors.sinks.TelemetrySink`)."""

    def subscriptions(self) -> tuple[tuple[str, Callable[[Any], None], int], ...]:
        """Return what to hear: first at the beginning of instants and signals, of the rest last."""
        first, last = bus.TELEMETRY_FIRST, bus.TELEMETRY_PRIORITY
        return (
            (bus.INSTANT, self.on_instant_begins, first),
            (bus.INSTANT, self.on_instant, last),
            (bus.signal("*"), self.on_signal, first),
            (bus.PLAN, self.on_plan, first),
            (bus.decision("*"), self.on_decision, last),
            (bus.order("*"), self.on_order, last),
            (bus.fill("*"), self.on_fill, last),
            (bus.trade("*"), self.on_trade, last),
            (bus.regime("*"), self.on_regime, last),
            (bus.mandate("*"), self.on_mandate, last),
            (bus.STATE, self.on_desk_state, last),
            (bus.SAFE_MODE, self.on_safe_mode, last),
            (bus.ALARM, self.on_alarm, last),
            (bus.call("*"), self.on_call, last),
        )

    @safely
    def on_equity(self, point: EquityPoint) -> None:
        """Take a sample of the books into the curve."""
        self.curve.add(point.ts_event, point.equity, point.drawdown_72h_pct)

    @safely
    def on_pulse(self, _: object) -> None:
        """Look at books, tools and positions."""
        self.store["crupto_order_reject_ratio"][()] = self.reject_ratio
        state = self.read_state() if self.read_state is not None else self.desk_state
        if state != self.desk_state:  # restored at a restart: nobody published it in this session
            self.on_desk_state(state)
        self.show_switched_off(self.read_flags() if self.read_flags is not None else frozenset())
        self.pulse.beat()
