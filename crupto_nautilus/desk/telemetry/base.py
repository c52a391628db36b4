"""What every part of the telemetry stands on: the stores it writes, and what a batch of messages asks for."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Protocol

from actors.toolbox import ToolRegistry
from crupto_nautilus.desk.telemetry import agent_graph as names
from crupto_nautilus.desk.telemetry.pulse import Pulse
from dashboards.curve import Curve
from dashboards.graph import ERROR, AgentGraph
from dashboards.store import MetricStore
from risk.engine import RiskDesk
from risk.vocabulary import Alarm, Decision, DeskMode, DeskState, Mandate, Regime, SafeMode, Trade

HOLD_S = 60.0  # how long something that happened once stays visible at its node
RING = 500  # decisions that are kept in memory
SHORT_RING = 50


class EventLog(Protocol):
    """Where single events are logged (`telemetry.csv`); `event` never waits."""

    def event(self, ts_event: int, kind: str, subject: str, detail: str, wall: float | None = None) -> None:
        """Take one event and the wall time (seconds) at which it was heard."""


class TelemetryBase:
    """The stores of one desk's telemetry.

    Parameters
    ----------
    risk_desk, tools
        The books and the toolbox that the pulse reads.
    strategies, instruments
        Names, in order.
    now : Callable
        Wall time in seconds.
    """

    def __init__(
        self,
        risk_desk: RiskDesk,
        tools: ToolRegistry,
        strategies: tuple[str, ...],
        instruments: tuple[str, ...],
        now: Callable[[], float] = time.time,
    ) -> None:
        specs = tools.specs()
        self.now = now
        self.strategies, self.instruments = strategies, instruments
        self.base_minutes: Mapping[str, int] = {}  # instrument -> its finest bar, where they differ
        self.store = MetricStore(names.domain_of(strategies, instruments, specs))
        self.graph = AgentGraph(names.nodes_of(strategies, specs), names.edges_of(strategies, specs), now=now)
        self.pulse = Pulse(self.store, self.graph, risk_desk, tools, instruments, now)
        self.curve = Curve()
        self.decisions: deque[Decision] = deque(maxlen=RING)
        self.alarms: deque[Alarm] = deque(maxlen=SHORT_RING)
        self.trades: deque[Trade] = deque(maxlen=SHORT_RING)
        self.regimes: dict[str, Regime] = {}
        self.mandates: dict[str, Mandate] = {}
        self.desk_state = DeskState(0, DeskMode.ACTIVE)
        self.safe_mode: SafeMode | None = None
        self.log: EventLog | None = None
        self.read_state: Callable[[], DeskState] | None = None
        self.read_flags: Callable[[], frozenset[str]] | None = None
        self._class_nodes = dict(names.ACTOR_NODE)
        self._used: Counter[tuple[str, str]] = Counter()
        self._reports: dict[tuple[str, str], tuple[str, Callable[[], str], float | None]] = {}
        self._figures: dict[str, str] = {}
        self._clock_gap = self.now() - perf_counter_ns() / 1e9
        self.store.one_of("crupto_desk_mode", DeskMode.ACTIVE.value)
        for name in instruments:
            self.store.one_of("crupto_regime_label", "unknown", name)

    def know_class(self, class_name: str, strategy: str) -> None:
        """Say which strategy a component's class is, so that its errors reach the right node."""
        self._class_nodes[class_name] = names.strategy_node(strategy)

    def failed(self, message: object, error: Exception) -> None:
        """Count an error of the telemetry itself."""
        self.store["crupto_telemetry_errors_total"][()] += 1
        text = f"{type(message).__name__}: {type(error).__name__}: {error}"
        self.graph.report(names.MONITOR, "telemetry", ERROR, text, HOLD_S)

    def event(self, at: int, ts: int, kind: str, subject: str, detail: str) -> None:
        """Log a single event heard at `at`, where there is a log."""
        if self.log is not None:
            self.log.event(ts, kind, subject, detail, self._clock_gap + at / 1e9)

    # --- what a batch asks for: the last word of each kind is carried out once, by `settle_graph` ----------

    def use(self, source: str, target: str) -> None:
        """Count a call on an edge."""
        self._used[source, target] += 1

    def report(
        self, node: str, key: str, state: str, cause: Callable[[], str], hold_s: float | None = None
    ) -> None:
        """Report a condition of a node; only the last of a batch has its cause put into words."""
        self._reports[node, key] = (state, cause, hold_s)

    def figure(self, node: str, text: str) -> None:
        """Set the short figure beside a node's state."""
        self._figures[node] = text

    def settle_graph(self) -> None:
        """Carry out what the batch asked for."""
        self._clock_gap = self.now() - perf_counter_ns() / 1e9
        graph = self.graph
        used, reports, figures = self._used, self._reports, self._figures
        # taken away first: what cannot be carried out must not come again with every batch
        self._used, self._reports, self._figures = Counter(), {}, {}
        for (source, target), calls in used.items():
            graph.use(source, target, calls)
        for (node, key), (state, cause, hold_s) in reports.items():
            graph.report(node, key, state, cause(), hold_s)
        for node, text in figures.items():
            graph.show(node, text)
