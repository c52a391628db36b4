"""The telemetry of a paper run: hears every topic of the desk and gives what was said to `dashboards`.

Guarantees: a message costs the desk one append to the tape (`tape`); readers work the tape off before they
answer, and where nobody reads the pulse does, four times a second; nothing here waits, touches disk or
network or raises into the desk (an error of the telemetry is counted and shown at the node of the monitor);
nothing is attached in a backtest.  Wall time is measured here and decided on nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from crupto_nautilus.desk.telemetry.agents import AgentTelemetry
from crupto_nautilus.desk.telemetry.orders import OrderTelemetry
from crupto_nautilus.desk.telemetry.tape import Tape, Worker
from risk.vocabulary import (
    Alarm,
    Approved,
    DeskState,
    EquityPoint,
    Fill,
    Instant,
    Mandate,
    OrderEvent,
    Refused,
    Regime,
    SafeMode,
    Signal,
    ToolCall,
    Trade,
    TradePlan,
)
from strategies import bus


class DeskTelemetry(OrderTelemetry, AgentTelemetry):
    """Hears a desk and keeps what its boards show (`actors.sinks.TelemetrySink`)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        workers: dict[type, Worker] = {
            type(None): self.on_begin, Instant: self.on_instant, Signal: self.on_signal,
            TradePlan: self.on_plan, Approved: self.on_approved, Refused: self.on_refused,
            OrderEvent: self.on_order, Fill: self.on_fill, Trade: self.on_trade, Regime: self.on_regime,
            Mandate: self.on_mandate, DeskState: self.on_desk_state, SafeMode: self.on_safe_mode,
            Alarm: self.on_alarm, ToolCall: self.on_call,
        }  # fmt: skip
        self.tape = Tape(workers, self._settle, self.failed)

    def subscriptions(self) -> tuple[tuple[str, Callable[[Any], None], int], ...]:
        """Return what to hear: first at the beginning of instants and signals, of the rest last."""
        hear, first, last = self.tape.hear, bus.TELEMETRY_FIRST, bus.TELEMETRY_PRIORITY
        spoken = (
            bus.decision("*"), bus.order("*"), bus.fill("*"), bus.trade("*"), bus.regime("*"),
            bus.mandate("*"), bus.STATE, bus.SAFE_MODE, bus.ALARM, bus.call("*"),
        )  # fmt: skip
        return (
            (bus.INSTANT, self.tape.mark, first),
            (bus.INSTANT, hear, last),
            (bus.signal("*"), hear, first),
            (bus.PLAN, hear, first),
            *((topic, hear, last) for topic in spoken),
        )

    def catch_up(self) -> bool:
        """Bring everything up to what was said until now (any thread); False: another thread is at it."""
        return self.tape.catch_up()

    def _settle(self) -> None:
        self.settle_orders()
        self.settle_agents()
        self.settle_graph()

    def on_equity(self, point: EquityPoint) -> None:
        """Take a sample of the books into the curve."""
        self.curve.add(point.ts_event, point.equity, point.drawdown_72h_pct)

    def on_pulse(self, _: object) -> None:
        """Look at books, tools and positions."""
        try:
            self._look(caught_up=self.catch_up())
        except Exception as error:  # noqa: BLE001 - watching must never harm what is watched
            self.failed(self.pulse, error)

    def _look(self, *, caught_up: bool) -> None:
        self.store["crupto_order_reject_ratio"][()] = self.reject_ratio
        state = self.read_state() if self.read_state is not None else self.desk_state
        if caught_up and state != self.desk_state:  # restored at a restart: nobody published it
            self.on_desk_state(perf_counter_ns(), state)
        self.show_switched_off(self.read_flags() if self.read_flags is not None else frozenset())
        self.pulse.beat()
