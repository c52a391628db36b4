"""MonitorActor: hears everything, records it, counts it, and hands it to the journal off the decision path.

Guarantees: nothing here blocks or touches the disk: the recorder appends in memory, the journal takes batches
into its own thread; the books are sampled on every fill and at least every 15 minutes of desk time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from actors.agent import DeskAgent
from actors.keeping import JournalBatch
from actors.sinks import JournalSink, Recorder, TelemetrySink
from actors.toolbox import ToolFailure
from risk.engine import RiskDesk
from risk.vocabulary import (
    MINUTE_NS,
    Alarm,
    Approved,
    Decision,
    DeskMode,
    DeskState,
    EntryDone,
    Fill,
    FundingPaid,
    Instant,
    OrderEvent,
    Protection,
    Refused,
    Regime,
    RegimeLabel,
    SafeMode,
    Signal,
    ToolCall,
    Trade,
)
from strategies import bus
from strategies.guarded import guarded

SNAPSHOT_INTERVAL_NS = 15 * MINUTE_NS
EXPORT_INTERVAL_NS = 60 * MINUTE_NS
PULSE_NS = 250_000_000  # wall time between two looks of a telemetry at the books


class MonitorActor(DeskAgent):
    """Records and counts every message of the desk."""

    agent: ClassVar[str] = "monitor"

    def setup(
        self,
        risk_desk: RiskDesk,
        recorder: Recorder,
        journal: JournalSink | None = None,
        collect_state: Callable[[], dict[str, Any]] | None = None,
    ) -> MonitorActor:
        """Hand over the books to sample, the recorder, and (for paper runs) journal and state."""
        self._desk, self._recorder = risk_desk, recorder
        self.batch = JournalBatch(journal, collect_state)
        self.counters: Counter[str] = Counter()
        self._regimes: dict[str, RegimeLabel] = {}
        self._state = DeskState(0, DeskMode.ACTIVE)
        self._sampled_ns = 0
        self._exported_ns = 0
        self._telemetry: TelemetrySink | None = None
        return self

    def attach(self, telemetry: TelemetrySink) -> None:
        """Let a telemetry watch, before the start; only paper runs have one."""
        self._telemetry = telemetry

    def on_start(self) -> None:
        """Subscribe to the whole desk, after everyone else."""
        low = bus.MONITOR_PRIORITY
        self.hear(bus.INSTANT, self.on_instant, low)
        for spoken in (bus.signal, bus.order, bus.protection, bus.trade):
            self.hear(spoken("*"), self.on_message, low)
        for topic in (bus.FUNDING_PAID, bus.SAFE_MODE):
            self.hear(topic, self.on_message, low)
        self.hear(bus.ALARM, self.on_alarm, low)
        self.hear(bus.call("*"), self.on_call, low)
        self.hear(bus.fill("*"), self.on_fill, low)
        self.hear(bus.decision("*"), self.on_decision, low)
        self.hear(bus.entry_done("*"), self.on_entry_done, low)
        self.hear(bus.regime("*"), self.on_regime, low)
        self.hear(bus.STATE, self.on_desk_state, low)
        self.hear(bus.SETTLED, self.on_settled, low)
        if self._telemetry is not None:
            for topic, handler, priority in self._telemetry.subscriptions():
                self.hear(topic, handler, priority)
            self.clock.set_timer_ns("telemetry", PULSE_NS, callback=self._telemetry.on_pulse)

    @guarded
    def on_stop(self) -> None:
        """Sample the books a last time: funding or a move after the last snapshot belongs to the record."""
        self.batch.leave_unfinished()
        self._sample(self.desk_clock.now_ns, "close")
        self.batch.settle()

    @guarded
    def on_instant(self, instant: Instant) -> None:
        """Sample the books at intervals."""
        self.batch.settled = False
        if instant.warm_only or instant.ts_event - self._sampled_ns < SNAPSHOT_INTERVAL_NS:
            return
        self._sampled_ns = instant.ts_event
        self._sample(instant.ts_event, "bar")
        if instant.ts_event - self._exported_ns < EXPORT_INTERVAL_NS:
            return
        self._exported_ns = instant.ts_event
        try:
            self.use("export_metrics", self.counters)
        except ToolFailure as failure:
            self.log.error(str(failure.args[0]))  # the failed call is published; the desk goes on

    def _sample(self, ts: int, cause: str) -> None:
        point = self._desk.equity_point(ts, cause, self._state)
        self._keep(point)
        if self._telemetry is not None:
            self._telemetry.on_equity(point)

    def _keep(self, message: object) -> None:
        if not self.batch.muted:
            self.batch.keep(message, self._recorder.add(message))

    @guarded
    def on_message(self, message: Signal | OrderEvent | Protection | Trade | FundingPaid | SafeMode) -> None:
        """Record a message that stands for itself."""
        self.counters[type(message).__name__] += 1
        self._keep(message)

    @guarded
    def on_alarm(self, alarm: Alarm) -> None:
        """Record an alarm."""
        self.counters[f"Alarm.{alarm.kind}"] += 1
        self._keep(alarm)

    @guarded
    def on_call(self, call: ToolCall) -> None:
        """Record a tool call; quiet ones are only in the toolbox's counts."""
        self.counters[f"ToolCall.{call.state}"] += 1
        if not self.batch.muted:
            self.batch.keep(call)

    @guarded
    def on_fill(self, fill: Fill) -> None:
        """Record a fill and the books after it."""
        self.counters["Fill"] += 1
        self._keep(fill)
        self._sample(fill.ts_event, "fill")

    @guarded
    def on_decision(self, decision: Decision) -> None:
        """Record an answer with regime, desk state and the book with the candidate in it."""
        outcome = "Refused." + decision.reason if isinstance(decision, Refused) else "Approved"
        self.counters[outcome] += 1
        label, mode = self._regimes.get(decision.signal.instrument, RegimeLabel.UNKNOWN), self._state.mode
        snapshot = self._desk.snapshot() if isinstance(decision, Approved) else None
        seq = self._recorder.add_decision(decision, regime=label, desk_mode=mode, snapshot=snapshot)
        self.batch.keep(decision, seq, label, mode, snapshot)

    @guarded
    def on_entry_done(self, entry: EntryDone) -> None:
        """Record the end of an entry with the book after it."""
        snapshot = self._desk.snapshot()
        self.batch.keep(entry, self._recorder.add_entry(entry, snapshot), None, None, snapshot)

    @guarded
    def on_regime(self, regime: Regime) -> None:
        """Record a change of regime."""
        self._regimes[regime.instrument] = regime.label
        self._keep(regime)

    @guarded
    def on_desk_state(self, state: DeskState) -> None:
        """Record a change of the desk state."""
        self._state = state
        self.counters[f"DeskState.{state.reason or state.mode}"] += 1
        self._keep(state)

    @guarded
    def on_settled(self, ts: int) -> None:
        """Hand what happened since the last settled instant to the journal, with the state after it."""
        if (trouble := self.batch.trouble()) is not None:
            detail = trouble or "the journal is written again"
            self.publish_message(bus.ALARM, Alarm(ts, "journal", "journal", detail))
        self.batch.settle(ts)

    def saved_state(self) -> dict[str, Any]:
        """Return what must survive a restart."""
        return {"counters": dict(self.counters), "last_ns": [self._sampled_ns, self._exported_ns]}

    def load_state(self, state: dict[str, Any], desk: DeskState) -> None:
        """Take over what `saved_state` returned, and the desk state in force."""
        self.counters = Counter(state["counters"])
        self._sampled_ns, self._exported_ns = state["last_ns"]
        self._state = desk
