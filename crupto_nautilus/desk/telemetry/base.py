"""What every part of the telemetry stands on: the stores it writes and the wrapper of its handlers."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

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

    def event(self, ts_event: int, kind: str, subject: str, detail: str) -> None:
        """Take one event."""


def safely[**P](handler: Callable[P, None]) -> Callable[P, None]:
    """Keep an error of the telemetry away from the desk, but not out of sight."""

    @functools.wraps(handler)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            handler(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - watching must never harm what is watched
            telemetry: Any = args[0]
            telemetry.failed(handler.__name__, error)

    return wrapped


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
        self.store.one_of("crupto_desk_mode", DeskMode.ACTIVE.value)
        for name in instruments:
            self.store.one_of("crupto_regime_label", "unknown", name)

    def know_class(self, class_name: str, strategy: str) -> None:
        """Say which strategy a component's class is, so that its errors reach the right node."""
        self._class_nodes[class_name] = names.strategy_node(strategy)

    def failed(self, where: str, error: Exception) -> None:
        """Count an error of the telemetry itself."""
        self.store["crupto_telemetry_errors_total"][()] += 1
        text = f"{where}: {type(error).__name__}: {error}"
        self.graph.report(names.MONITOR, "telemetry", ERROR, text, HOLD_S)

    def event(self, ts: int, kind: str, subject: str, detail: str) -> None:
        """Log a single event, where there is a log."""
        if self.log is not None:
            self.log.event(ts, kind, subject, detail)
