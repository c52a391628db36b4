"""A desk without an engine under a real telemetry: real books and toolbox, scripted tools, its own clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.toolbox import ToolContext, ToolFailure, ToolRegistry, ToolSpec
from actors.tools import TOOLS
from crupto_nautilus.desk.telemetry.board import LiveBoard
from crupto_nautilus.desk.telemetry.desk import DeskTelemetry
from risk.engine import RiskDesk
from risk.settings import RiskSettings
from risk.vocabulary import (
    LONG,
    MINUTE_NS,
    Bar,
    Decision,
    DeskMode,
    DeskState,
    Fill,
    Instant,
    InstrumentRules,
    OrderEvent,
    Protection,
    RefusalReason,
    Refused,
    Role,
)
from tests.fakes import messages

STRATEGIES = ("breakout_4h", "range_reversion_5m")
INSTRUMENTS = ("BTCUSDT-PERP.BINANCE", "ETHUSDT-PERP.BINANCE")
TOOL_HINT_MS = 30.0
START_NS = 1_750_000_000_000_000_000 // (60 * MINUTE_NS) * 60 * MINUTE_NS


@dataclass
class WatchedDesk:
    """Says what a desk would say, message by message."""

    folder: Path
    wall: float | None = None  # a clock by hand; None: the real one
    strategies: tuple[str, ...] = STRATEGIES
    instruments: tuple[str, ...] = INSTRUMENTS
    speed: float = 60.0
    ts: int = START_NS
    failing: dict[str, str] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        rules = {name: InstrumentRules(name, 2, 3, 0.01, 0.001, 0.001, 5.0, 0.0002, 0.0005)
                 for name in self.instruments}  # fmt: skip
        self.risk_desk = RiskDesk(RiskSettings(), rules, dict.fromkeys(self.instruments, 1), 10_000.0)
        self.tools = ToolRegistry()
        for spec in TOOLS:
            function = self._tool(spec.capability)
            self.tools.register(ToolSpec(spec.capability, spec.agent, function, cost_hint_ms=TOOL_HINT_MS))
        options: dict[str, Callable[[], float]] = (
            {} if self.wall is None else {"now": lambda: self.wall or 0.0}
        )
        self.telemetry = DeskTelemetry(
            self.risk_desk, self.tools, self.strategies, self.instruments, **options
        )
        self.telemetry.pulse.interval_s = 60.0 / self.speed
        self.telemetry.know_class("Breakout4H", "breakout_4h")
        self.board = LiveBoard(self.telemetry, RiskSettings(), self.facts, self.folder)

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "run_id": "watched", "mode": "paper", "command": "", "feed": "replay", "execution": "sandbox",
            "version": "0", "speed": self.speed, "base_minutes": 1, "instruments": len(self.instruments),
            "finished": False,
        }  # fmt: skip

    def _tool(self, capability: str) -> Callable[[ToolContext], None]:
        def run(_: ToolContext) -> None:
            if capability in self.failing:
                raise RuntimeError(self.failing[capability])
            if capability in self.slow:
                time.sleep(5.2 * TOOL_HINT_MS / 1000.0)

        return run

    def hear(self, message: object) -> None:
        """Say a message; the telemetry works it off when someone looks."""
        self.telemetry.tape.hear(message)

    def sleep(self, seconds: float) -> None:
        """Let the clock by hand run."""
        assert self.wall is not None
        self.wall += seconds

    def instant(self, price: float = 20_000.0, late: tuple[str, ...] = ()) -> None:
        """One minute of desk time, with a bar of each instrument that is not late."""
        self.ts += MINUTE_NS
        bars = tuple(
            Bar(name, 1, self.ts, price, price, price, price, 100.0)
            for name in self.instruments
            if name not in late
        )
        instant = Instant(self.ts, {1: bars}, late=late)
        self.telemetry.tape.mark(instant)
        self.risk_desk.on_instant(instant)
        self.hear(instant)

    def pulse(self) -> None:
        self.telemetry.on_pulse(None)
        self.telemetry.on_equity(self.risk_desk.equity_point(self.ts, "bar", DeskState(0, DeskMode.ACTIVE)))

    def beat(self, price: float = 20_000.0) -> None:
        """An instant and a look at the books."""
        self.instant(price)
        self.pulse()

    def answer(self, reason: RefusalReason | None) -> Decision:
        """A signal of breakout_4h and its answer: approved, or refused with a reason."""
        signal = messages.signal(self.ts)
        self.hear(signal)
        decision: Decision
        if reason is None:
            decision = messages.approved(self.ts)
            self.hear(decision.ticket.plan)
        else:
            decision = Refused(self.ts, signal, reason, "as the scenario says")
        self.hear(decision)
        return decision

    def order(self, action: str, role: str = "entry", reason: str = "") -> None:
        """A step of an order of breakout_4h."""
        event = OrderEvent(
            self.ts, messages.trace(self.ts), "breakout_4h", self.instruments[0], f"o{self.ts}", role, action,
            LONG, 0.02, 0.0, "market", reason=reason,
        )  # fmt: skip
        self.hear(event)

    def fill(self, role: Role = Role.ENTRY, quantity: float = 0.02, price: float = 20_000.0) -> None:
        """A fill of breakout_4h on the first instrument."""
        side = LONG if role is Role.ENTRY else -LONG
        fill = Fill(
            self.ts, self.ts, messages.trace(self.ts), "breakout_4h", self.instruments[0], f"o{self.ts}",
            role, side, quantity, price, 0.2, 0.1, maker=False,
        )  # fmt: skip
        trade = self.risk_desk.on_fill(fill)
        self.hear(fill)
        if trade is not None:
            self.hear(trade)

    def protect(self, stop: float) -> None:
        """Set (or with 0 lose) the stop of the open position."""
        held = next(iter(self.risk_desk.books.positions.values()))
        self.risk_desk.on_protection(
            Protection(self.ts, held.trace_id, held.strategy, held.instrument, stop, held.quantity)
        )

    def call(self, capability: str) -> None:
        """Call a tool as its agent does."""
        context = ToolContext("watched", self.ts)
        try:
            _, slow = self.tools.call(capability, context)
        except ToolFailure as failure:
            self.hear(failure.args[1])
        else:
            if slow is not None:
                self.hear(slow)

    def desk_state(self, mode: DeskMode, reason: RefusalReason | None = None, detail: str = "") -> None:
        """A change of the desk's state."""
        self.hear(DeskState(self.ts, mode, reason, detail))

    def state_of(self, node: str) -> str:
        """The state that /graph shows."""
        self.telemetry.catch_up()
        return self.telemetry.graph.state(node)[0]
