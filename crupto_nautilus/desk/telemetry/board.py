"""A running desk as the server's source: finished values only, taken on the server's thread."""

from __future__ import annotations

import resource
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from crupto_nautilus.desk.state_words import what_still_happens
from crupto_nautilus.desk.telemetry.desk import DeskTelemetry
from dashboards.exposition import Exposition
from dashboards.source import DecisionQuery, Health
from dashboards.telemetry_csv import Sample
from risk.settings import RiskSettings
from risk.vocabulary import DAY_NS, HOUR_NS, Approved, Decision, DeskMode, RefusalReason, side_name

History = Callable[[DecisionQuery], list[dict[str, Any]]]
KEEP_S = 0.15  # answers are given out again for so long
STARTING_S = 120.0


class LiveBoard:
    """Answers for a running desk.

    Parameters
    ----------
    telemetry : DeskTelemetry
        What was heard.
    settings : RiskSettings
        Limits to show beside the figures.
    facts : dict
        What the run is: run_id, mode, command, feed, execution, version, speed, base_minutes, ...
    folder : Path
        Where the run is written; its free space is exported.
    history : Callable, optional
        Older decisions than memory holds (the journal's).
    """

    def __init__(
        self,
        telemetry: DeskTelemetry,
        settings: RiskSettings,
        facts: dict[str, Any],
        folder: Path,
        history: History | None = None,
    ) -> None:
        self._telemetry, self._settings, self._facts, self._folder = telemetry, settings, facts, folder
        self._history = history
        self._started = telemetry.now()
        self._answers: dict[str, tuple[float, dict[str, Any]]] = {}
        self.exposition = Exposition(telemetry.store, self._before)
        self._set_constants()

    def _set_constants(self) -> None:
        store, limits = self._telemetry.store, self._settings
        store.info = {key: str(self._facts.get(key, "")) for key in ("run_id", "mode", "version", "feed")}
        store["crupto_run_start_timestamp_seconds"][()] = self._started
        store["crupto_daily_loss_limit_ratio"][()] = -limits.max_daily_loss_pct / 100.0
        store["crupto_drawdown_limit_ratio"][()] = -limits.kill_switch_drawdown_72h / 100.0
        store["crupto_exposure_limit_ratio"]["gross",] = limits.max_gross_exposure_pct / 100.0
        store["crupto_exposure_limit_ratio"]["net",] = limits.max_net_exposure_pct / 100.0
        store["crupto_risk_cap_ratio"][()] = limits.max_portfolio_r_pct / 100.0
        store["crupto_feed_interval_seconds"][()] = self._telemetry.pulse.interval_s

    def _before(self) -> None:
        """Bring up to date what nobody bumps: states, edges, the process, the disk."""
        telemetry = self._telemetry
        telemetry.catch_up()
        telemetry.pulse.judge_silence()
        store, graph = telemetry.store, telemetry.graph
        states = store["crupto_agent_state"]
        for node in graph.nodes.values():
            now, _ = graph.state(node.spec.id)
            for state in ("ok", "warning", "error", "disabled"):
                states[node.spec.id, node.spec.role, state] = float(state == now)
        calls, active = store["crupto_agent_calls_total"], store["crupto_agent_edge_active"]
        for key, edge in graph.edges.items():
            calls[key] = float(edge.calls)
            active[key] = float(graph.active(*key))
        store["crupto_process_cpu_seconds_total"][()] = time.process_time()
        store["crupto_process_resident_memory_bytes"][()] = float(_resident_bytes())
        store["crupto_disk_free_bytes"][()] = float(shutil.disk_usage(self._folder.parent).free)

    # --- answers -------------------------------------------------------------------------------------------

    def metrics(self) -> bytes:
        """Return the metrics as text."""
        return self.exposition.text()

    def graph(self) -> dict[str, Any]:
        """Return the agent graph."""
        return self._kept("graph", self._graph)

    def run(self) -> dict[str, Any]:
        """Return everything the page shows beside graph and decisions."""
        return self._kept("run", self._run)

    def decisions(self, query: DecisionQuery) -> dict[str, Any]:
        """Return decisions, newest first: from memory, and from the journal what is older."""
        self._telemetry.catch_up()
        found = [
            decision_json(decision)
            for decision in reversed(list(self._telemetry.decisions))
            if _matches(decision, query)
        ][: query.limit]
        source = "memory"
        if len(found) < query.limit and self._history is not None:
            before = min((row["ts_event"] for row in found), default=query.before_ns)
            older = DecisionQuery(
                query.limit - len(found), before, query.strategy, query.instrument, query.reason
            )
            found += self._history(older)
            source = "memory and journal"
        return {"decisions": found, "source": source}

    def health(self) -> Health:
        """Return whether the desk's thread answers, and whether it decides."""
        self._telemetry.catch_up()
        pulse, wall = self._telemetry.pulse, self._telemetry.now()
        if pulse.ended:
            return Health(True, False, f"the run has ended: {pulse.ended}")
        if not pulse.view.wall:
            waits = wall - self._started
            return Health(waits < STARTING_S, False, f"the desk is starting since {waits:.0f} s")
        pulse.judge_silence()
        for node in ("brain", "feed"):
            state, cause = self._telemetry.graph.state(node)
            if state == "error" and cause.startswith("no "):
                return Health(node != "brain", False, f"{node}: {cause}")
        desk = self._telemetry.desk_state
        if desk.mode is DeskMode.HALTED:
            return Health(True, False, f"halted: {desk.reason} {desk.detail}")
        return Health(True, True)

    def _kept(self, name: str, build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        kept, now = self._answers.get(name), time.monotonic()
        if kept is not None and now - kept[0] < KEEP_S:
            return kept[1]
        answer = build()
        self._answers[name] = (now, answer)
        return answer

    def _graph(self) -> dict[str, Any]:
        self._telemetry.catch_up()
        self._telemetry.pulse.judge_silence()
        return {"run_id": self._facts["run_id"], **self._telemetry.graph.to_json()}

    def _run(self) -> dict[str, Any]:
        telemetry, limits = self._telemetry, self._settings
        telemetry.catch_up()
        view, state = telemetry.pulse.view, telemetry.desk_state
        safe = telemetry.safe_mode
        return {
            "run": {**self._facts, "started": self._started, "ended": telemetry.pulse.ended},
            "now": telemetry.now(),
            "desk_ts": view.desk_ts,
            "desk": {
                "mode": state.mode.value,
                "reason": state.reason.value if state.reason else "",
                "detail": state.detail,
                "since": state.ts_event,
                "cooling_until": state.cooling_until_ns,
                "still": what_still_happens(state, view.desk_ts, self._facts["run_id"]),
                "safe_mode": bool(safe and safe.active),
            },
            "books": view.books,
            "limits": {
                "risk_cap_pct": limits.max_portfolio_r_pct,
                "per_trade_pct": limits.max_per_trade_r_pct,
                "daily_loss_pct": -limits.max_daily_loss_pct,
                "drawdown_72h_pct": -limits.kill_switch_drawdown_72h,
                "gross_pct": limits.max_gross_exposure_pct,
                "net_pct": limits.max_net_exposure_pct,
            },
            "positions": list(view.positions),
            "regimes": self._regimes(),
            "strategies": self._strategies(),
            "refusals": self._refusals(),
            "equity": telemetry.curve.to_json(),
            "trades": [_trade_json(trade) for trade in reversed(list(telemetry.trades))][:12],
            "alarms": [
                {"ts_event": a.ts_event, "kind": a.kind, "subject": a.subject, "detail": a.detail}
                for a in reversed(list(telemetry.alarms))
            ][:12],
        }

    def _regimes(self) -> list[dict[str, Any]]:
        known = self._telemetry.regimes
        return [
            {
                "instrument": name,
                "label": known[name].label.value if name in known else "unknown",
                "since": known[name].ts_event if name in known else 0,
            }
            for name in self._telemetry.instruments
        ]

    def _strategies(self) -> list[dict[str, Any]]:
        telemetry, store = self._telemetry, self._telemetry.store
        mandates = dict(telemetry.mandates)
        answer = []
        for name in telemetry.strategies:
            rows = [(i, row) for i, m in mandates.items() if (row := m.row(name)) is not None]
            off: Counter[str] = Counter(r.reason.value for _, r in rows if not r.allowed and r.reason)
            answer.append(
                {
                    "strategy": name,
                    "allowed_on": sorted(instrument for instrument, row in rows if row.allowed),
                    "not_allowed": dict(off),
                    "signals": int(store["crupto_signals_total"][name,]),
                    "approved": int(store["crupto_approved_total"][name,]),
                    "trades": int(store["crupto_trades_total"][name,]),
                    "wins": int(store["crupto_winning_trades_total"][name,]),
                    "net_usd": store["crupto_strategy_net_pnl_usdt"][name,],
                }
            )
        return answer

    def _refusals(self) -> list[dict[str, Any]]:
        """Why nothing is traded: the reasons of the last day of desk time, most frequent first."""
        since = (self._telemetry.pulse.view.desk_ts - DAY_NS) // HOUR_NS
        counted: Counter[str] = Counter()
        for hour, by_reason in list(self._telemetry.refused_in_hour.items()):
            if hour > since:
                counted.update(dict(by_reason))  # a copy: the desk's own may grow meanwhile
        return [{"reason": reason, "count": count} for reason, count in counted.most_common(8)]

    # --- telemetry.csv -------------------------------------------------------------------------------------

    def sample(self) -> tuple[int, Iterable[Sample]]:
        """Return desk time and the figures of `telemetry.csv`."""
        self._telemetry.catch_up()
        store, view = self._telemetry.store, self._telemetry.pulse.view
        figures = [Sample(name, "", sum(list(store[name].values()))) for name in _SUMMED]
        refused: Counter[str] = Counter()
        for (_, reason), count in list(store["crupto_refusals_total"].items()):
            refused[reason] += int(count)
        figures += [Sample("refusals", reason, float(n)) for reason, n in refused.items() if n]
        figures += [Sample(name, "", value, "gauge") for name, value in view.books.items()]
        for stage, found in store.histograms["crupto_stage_duration_seconds"].items():
            count = sum(found.counts)
            if count:
                mean = 1000.0 * found.total / count
                figures.append(Sample("stage_latency_mean_ms", stage[0], mean, "latency"))
        for tool, found in store.histograms["crupto_tool_call_duration_seconds"].items():
            count = sum(found.counts)
            if count:
                figures.append(Sample("tool_calls", tool[1], float(count)))
                figures.append(
                    Sample("tool_latency_mean_ms", tool[1], 1000.0 * found.total / count, "latency")
                )
        figures.append(Sample("mean_spread_bps", "", store["crupto_mean_spread_bps"][()], "gauge"))
        return view.desk_ts, figures


_SUMMED = (
    "crupto_instants_total",
    "crupto_feed_bars_total",
    "crupto_signals_total",
    "crupto_approved_total",
    "crupto_orders_total",
    "crupto_trades_total",
    "crupto_alarms_total",
)


def decision_json(decision: Decision) -> dict[str, Any]:
    """Return an answer as the page and the API show it."""
    signal = decision.signal
    row: dict[str, Any] = {
        "ts_event": decision.ts_event,
        "trace_id": signal.trace_id,
        "strategy": signal.strategy,
        "instrument": signal.instrument,
        "side": side_name(signal.side),
        "approved": isinstance(decision, Approved),
        "reason": "" if isinstance(decision, Approved) else decision.reason.value,
        "detail": decision.detail,
    }
    if isinstance(decision, Approved):
        plan = decision.ticket.plan
        row |= {"quantity": plan.quantity, "risk_pct": plan.risk_pct, "stop_price": plan.stop_price}
    return row


def _matches(decision: Decision, query: DecisionQuery) -> bool:
    signal = decision.signal
    reason: RefusalReason | str = "" if isinstance(decision, Approved) else decision.reason
    return (
        (query.before_ns is None or decision.ts_event < query.before_ns)
        and (not query.strategy or signal.strategy == query.strategy)
        and (not query.instrument or signal.instrument == query.instrument)
        and (not query.reason or reason == query.reason)
    )


def _trade_json(trade: Any) -> dict[str, Any]:
    return {
        "ts_event": trade.ts_event,
        "strategy": trade.strategy,
        "instrument": trade.instrument,
        "side": side_name(trade.side),
        "net_usd": trade.net_usd,
        "r": trade.r,
        "exit_reason": trade.exit_reason,
    }


def _resident_bytes() -> int:
    """Return resident memory now (Linux), or its peak where /proc is missing."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()
