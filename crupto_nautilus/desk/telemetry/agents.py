"""What the agents say: regimes, mandates, desk states, safe mode, alarms, slow and failed tools.

Every method here is a worker of the tape: it gets the time at which a message was heard, and the message.
"""

from __future__ import annotations

from typing import Any

from crupto_nautilus.desk.telemetry import agent_graph as names
from crupto_nautilus.desk.telemetry.base import HOLD_S, TelemetryBase
from dashboards.graph import DISABLED, ERROR, OK, WARNING
from risk.vocabulary import (
    Alarm,
    DeskMode,
    DeskState,
    Mandate,
    RefusalReason,
    Regime,
    SafeMode,
    ToolCall,
    ToolState,
)
from strategies.guarded import HANDLER_ERROR


class AgentTelemetry(TelemetryBase):
    """Shows what agents publish at their nodes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._new_regimes: set[str] = set()
        self._new_mandates = False

    def on_regime(self, at: int, regime: Regime) -> None:
        """Take the regime of an instrument."""
        self.regimes[regime.instrument] = regime
        self._new_regimes.add(regime.instrument)
        self.use(names.REGIME, names.SELECTION)
        self.event(at, regime.ts_event, "regime", regime.instrument, regime.label.value)

    def on_mandate(self, _: int, mandate: Mandate) -> None:
        """Take which strategies may trade an instrument."""
        self.mandates[mandate.instrument] = mandate
        self._new_mandates = True
        self.use(names.SELECTION, names.RISK)

    def settle_agents(self) -> None:
        """Show the regimes and mandates in force, where the batch changed them."""
        changed, self._new_regimes = self._new_regimes, set()
        for name in changed:
            self.store.one_of("crupto_regime_label", self.regimes[name].label.value, name)
        if changed:
            panicking = sorted(name for name, found in self.regimes.items() if found.label == "panic")
            state = WARNING if panicking else OK
            self.graph.report(names.REGIME, "panic", state, f"panic: {', '.join(panicking)}")
        if self._new_mandates:
            self._new_mandates = False
            self._show_mandates()

    def _show_mandates(self) -> None:
        allowed = {row.strategy for found in self.mandates.values() for row in found.rows if row.allowed}
        active = self.store["crupto_strategy_active"]
        for name in self.strategies:
            active[name,] = float(name in allowed)
            state = OK if name in allowed else DISABLED
            self.graph.report(names.strategy_node(name), "mandate", state, "no regime of now allows it")
        state = OK if allowed else WARNING
        self.graph.report(names.SELECTION, "idle", state, "no strategy may trade on any instrument")
        self.graph.show(names.SELECTION, f"{len(allowed)} of {len(self.strategies)} active")

    def on_desk_state(self, at: int, state: DeskState) -> None:
        """Show what the desk may do."""
        self.desk_state = state
        store, graph = self.store, self.graph
        store.one_of("crupto_desk_mode", state.mode.value)
        halted, reason = state.mode is DeskMode.HALTED, state.reason
        store["crupto_kill_switch"][()] = float(halted and reason is RefusalReason.KILL_SWITCH)
        store["crupto_daily_lock"][()] = float(reason is RefusalReason.DAILY_LOCK)
        store["crupto_operator_halt"][()] = float(halted and reason is not RefusalReason.KILL_SWITCH)
        store["crupto_cooling_until_timestamp_seconds"][()] = state.cooling_until_ns / 1e9
        graph.use(names.BRAIN, names.RISK)
        graph.use(names.BRAIN, names.MONITOR)
        graph.show(names.BRAIN, state.mode.value)
        level = {DeskMode.ACTIVE: OK, DeskMode.REDUCE_ONLY: WARNING, DeskMode.HALTED: ERROR}[state.mode]
        cause = f"{reason or state.mode}: {state.detail}"
        graph.report(names.BRAIN, "state", level, cause)
        for name in self.strategies:
            gated = OK if state.mode is DeskMode.ACTIVE else WARNING
            graph.report(names.strategy_node(name), "gate", gated, f"entries are refused, {cause}")
        self.event(at, state.ts_event, "desk_state", state.mode.value, cause)

    def show_switched_off(self, flags: frozenset[str]) -> None:
        """Show the strategies that an operator has switched off (flags `disabled:<strategy>[:<detail>]`)."""
        off = {flag.split(":")[1]: flag for flag in flags if flag.startswith("disabled:")}
        for name in self.strategies:
            state = DISABLED if name in off else OK
            cause = f"switched off by an operator ({off.get(name, '')})"
            self.graph.report(names.strategy_node(name), "operator", state, cause)

    def on_safe_mode(self, at: int, change: SafeMode) -> None:
        """Show the correlation safe mode."""
        self.safe_mode = change
        self.store["crupto_safe_mode"][()] = float(change.active)
        self.store["crupto_safe_mode_correlation_ratio"][()] = change.largest
        pair = " and ".join(change.pair or ())
        cause = f"safe mode: {pair} correlate at {change.largest:.2f}, cap {change.effective_cap_pct:.2f} %"
        self.graph.report(names.RISK, "safe_mode", WARNING if change.active else OK, cause)
        self.event(at, change.ts_event, "safe_mode", pair, cause if change.active else "left")

    def on_alarm(self, at: int, alarm: Alarm) -> None:
        """Show an alarm at the node it is about."""
        self.alarms.append(alarm)
        counted = self.store["crupto_alarms_total"]
        key = (alarm.kind,) if (alarm.kind,) in counted else ("other",)
        counted[key] += 1.0
        text = f"{alarm.kind} {alarm.subject}: {alarm.detail}"
        if alarm.kind == HANDLER_ERROR:
            node = self._class_nodes.get(alarm.subject.partition(".")[0], names.MONITOR)
            self.graph.report(node, "handler", ERROR, text, HOLD_S)
        elif alarm.kind == "unsettled":
            self.graph.report(names.VENUE, "unsettled", WARNING, text, HOLD_S)
        elif alarm.kind != "unprotected":  # the pulse shows that one for as long as it lasts
            self.graph.report(names.MONITOR, "alarm", WARNING, text, HOLD_S)
        self.event(at, alarm.ts_event, "alarm", alarm.subject, text)

    def on_call(self, at: int, call: ToolCall) -> None:
        """Show a tool that was slow, failed or is switched off; quick calls are only counted (pulse)."""
        node, agent = names.tool_node(call.capability), names.AGENT_NODE[call.agent]
        if call.state is ToolState.ERROR:
            self.graph.report(node, "call", ERROR, call.error, HOLD_S)
            self.graph.report(agent, node, ERROR, f"{call.capability}: {call.error}", HOLD_S)
        elif call.state is ToolState.WARNING:
            cause = f"took {call.duration_ns / 1e6:.1f} ms, more than 5 times its cost hint"
            self.graph.report(node, "call", WARNING, cause, HOLD_S)
            self.graph.report(agent, node, WARNING, f"{call.capability} {cause}", HOLD_S)
        self.event(at, call.ts_event, f"tool_{call.state}", call.capability, call.error)
