"""A finished run as the server's source: the same answers as of a running desk, read from its folder."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import pandas as pd

from actors.tools import TOOLS
from crupto_nautilus.desk.telemetry import agent_graph as names
from crupto_nautilus.desk.telemetry.orders import EXECUTION_REASONS
from crupto_nautilus.reports.run_folder import RunFolder
from dashboards.curve import Curve
from dashboards.exposition import Exposition
from dashboards.graph import DISABLED, AgentGraph
from dashboards.source import DecisionQuery, Health
from dashboards.store import MetricStore
from risk.vocabulary import side_name

Row = dict[str, Any]


def _rows(frame: pd.DataFrame) -> list[Row]:
    return cast("list[Row]", frame.to_dict("records"))


class FinishedBoard:
    """Answers for a run that has ended; everything is read once.

    Parameters
    ----------
    folder : RunFolder
        The run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder, self._facts = folder, folder.facts
        self._summary = folder.read_json("summary.json")
        self._instruments = tuple(sorted(i.instrument for i in self._facts.instruments))
        self._decisions = folder.table("decisions").sort_values(["ts_event", "seq"], ascending=False)
        self._graph = self._drawn()
        self._answer = self._run()
        store = MetricStore(names.domain_of(self._facts.strategies, self._instruments, TOOLS))
        self._fill(store)
        self._exposition = Exposition(store)

    def metrics(self) -> bytes:
        """Return the last values of the run that its folder holds."""
        return self._exposition.text()

    def graph(self) -> Row:
        """Return the graph with what was called how often."""
        return {"run_id": self._facts.run_id, **self._graph.to_json()}

    def run(self) -> Row:
        """Return the end of the run."""
        return self._answer

    def health(self) -> Health:
        """Alive, and not ready: nothing decides any more."""
        return Health(True, False, f"the run has ended: {self._facts.exit_reason}")

    def decisions(self, query: DecisionQuery) -> Row:
        """Return decisions, newest first."""
        found = self._decisions
        for column in ("strategy", "instrument", "reason"):
            wanted = getattr(query, column)
            if wanted:
                found = found[found[column] == wanted]
        if query.before_ns is not None:
            found = found[found["ts_event"] < query.before_ns]
        rows = [_decision(row) for row in _rows(found.head(query.limit))]
        return {"decisions": rows, "source": "run folder"}

    # --- read once -----------------------------------------------------------------------------------------

    def _drawn(self) -> AgentGraph:
        strategies = self._facts.strategies
        graph = AgentGraph(names.nodes_of(strategies, TOOLS), names.edges_of(strategies, TOOLS))
        for (source, target), count in self._calls().items():
            if (source, target) in graph.edges:
                graph.edges[source, target].calls = int(count)
        for node in graph.nodes:
            graph.report(node, "ended", DISABLED, f"the run has ended: {self._facts.exit_reason}")
        for row in _rows(self._folder.table("calls")):
            if row["count"]:
                mean_us = row["total_ns"] / row["count"] / 1e3
                graph.show(names.tool_node(row["capability"]), f"{mean_us:.0f} us")
        return graph

    def _calls(self) -> Counter[tuple[str, str]]:
        table, calls = self._folder.table, Counter[tuple[str, str]]()
        for row in _rows(table("calls")):
            calls[names.AGENT_NODE[row["agent"]], names.tool_node(row["capability"])] += row["count"]
        for name, count in table("signals")["strategy"].value_counts().items():
            calls[names.strategy_node(str(name)), names.RISK] += int(count)
        for row in _rows(table("decisions")[["strategy", "approved", "reason"]]):
            by = names.EXECUTION if row["approved"] or row["reason"] in EXECUTION_REASONS else names.RISK
            calls[by, names.strategy_node(row["strategy"])] += 1
            calls[names.RISK, names.MONITOR] += 1
            calls[names.RISK, names.EXECUTION] += by == names.EXECUTION
        for name, count in table("orders")["strategy"].value_counts().items():
            calls[names.strategy_node(str(name)), names.VENUE] += int(count)
        calls[names.VENUE, names.RISK] = len(table("fills"))
        calls[names.REGIME, names.SELECTION] = len(table("regimes"))
        calls[names.BRAIN, names.RISK] = calls[names.BRAIN, names.MONITOR] = len(table("states"))
        return calls

    def _run(self) -> Row:
        facts, summary, folder = self._facts, self._summary, self._folder
        equity, states = folder.table("equity"), folder.table("states")
        last = states.iloc[-1] if len(states) else None
        return {
            "run": {
                "run_id": facts.run_id,
                "mode": facts.mode,
                "command": facts.command,
                "feed": "recorded",
                "execution": "",
                "version": facts.versions.get("crupto-nautilus", ""),
                "speed": 0.0,
                "instruments": len(self._instruments),
                "finished": True,
                "started": facts.wall_start_ns / 1e9,
                "ended": facts.exit_reason,
            },
            "now": facts.wall_end_ns / 1e9,
            "desk_ts": facts.end_ns,
            "desk": {
                "mode": "ACTIVE" if last is None else str(last["mode"]),
                "reason": "" if last is None else str(last["reason"]),
                "detail": "" if last is None else str(last["detail"]),
                "since": 0 if last is None else int(last["ts_event"]),
                "cooling_until": 0 if last is None else int(last["cooling_until_ns"]),
                "still": "nothing happens any more: the run has ended",
                "safe_mode": False,
            },
            "books": _books(summary, equity, facts.starting_equity),
            "limits": {
                "risk_cap_pct": facts.limits["max_portfolio_r_pct"],
                "per_trade_pct": facts.limits["max_per_trade_r_pct"],
                "daily_loss_pct": -facts.limits["max_daily_loss_pct"],
                "drawdown_72h_pct": -facts.limits["kill_switch_drawdown_72h"],
                "gross_pct": facts.limits["max_gross_exposure_pct"],
                "net_pct": facts.limits["max_net_exposure_pct"],
            },
            "positions": self._positions(),
            "regimes": self._regimes(),
            "strategies": self._strategies(),
            "refusals": [
                {"reason": reason, "count": int(count)}
                for reason, count in sorted(summary["refused_by_reason"].items(), key=lambda item: -item[1])[
                    :8
                ]
            ],
            "equity": _curve(equity),
            "trades": [_trade(row) for row in _rows(folder.table("trades").iloc[::-1].head(12))],
            "alarms": [
                {key: row[key] for key in ("ts_event", "kind", "subject", "detail")}
                for row in _rows(folder.table("alarms").iloc[::-1].head(12))
            ],
        }

    def _positions(self) -> list[Row]:
        return [
            {
                "strategy": row["strategy"],
                "instrument": row["instrument"],
                "side": row["side"],
                "quantity": row["quantity"],
                "entry_price": row["average_price"],
                "mark": row["last_price"],
                "stop": 0.0,
                "stop_working": True,
                "unprotected": False,
                "unrealised": row["unrealised_usd"],
                "risk_pct": 0.0,
                "ts_open": row["ts_open"],
            }
            for row in self._summary["open_positions"]
        ]

    def _regimes(self) -> list[Row]:
        newest = {row["instrument"]: row for row in _rows(self._folder.table("regimes"))}
        unknown = {"label": "unknown", "ts_event": 0}
        return [
            {"instrument": name, "label": found["label"], "since": found["ts_event"]}
            for name in self._instruments
            for found in (newest.get(name, unknown),)
        ]

    def _strategies(self) -> list[Row]:
        return [
            {
                "strategy": name,
                "allowed_on": [],
                "not_allowed": {"run ended": len(self._instruments)},
                "signals": row["signals"],
                "approved": row["approved"],
                "trades": row["trades"],
                "wins": round(row["trades"] * (row["win_rate_pct"] or 0.0) / 100.0),
                "net_usd": row["net_usd"],
            }
            for name, row in self._summary["strategies"].items()
        ]

    def _fill(self, store: MetricStore) -> None:
        books, facts = self._answer["books"], self._facts
        store.info = {"run_id": facts.run_id, "mode": facts.mode, "version": "", "feed": "recorded"}
        store.set("crupto_equity_usdt", books["equity"])
        store.set("crupto_net_pnl_usdt", books["net_pnl"])
        store.set("crupto_max_drawdown_ratio", books["max_drawdown_pct"] / 100.0)
        store.set("crupto_desk_timestamp_seconds", facts.end_ns / 1e9)
        for row in self._answer["strategies"]:
            store.set("crupto_signals_total", float(row["signals"]), row["strategy"])
            store.set("crupto_approved_total", float(row["approved"]), row["strategy"])
            store.set("crupto_trades_total", float(row["trades"]), row["strategy"])
        for node in self._graph.nodes.values():
            store.one_of("crupto_agent_state", DISABLED, node.spec.id, node.spec.role)


def _books(summary: Row, equity: pd.DataFrame, start: float) -> dict[str, float]:
    last = equity.iloc[-1].to_dict() if len(equity) else {}

    def get(column: str) -> float:
        return float(last.get(column) or 0.0)

    return {
        "equity": float(summary["equity_end"]),
        "risk_equity": float(summary["equity_end"]),
        "start_balance": start,
        "balance": get("balance"),
        "unrealised": get("unrealised_pnl"),
        "net_pnl": float(summary["pnl_usd"]),
        "funding": float(summary["funding_usd"]),
        "fees": float(summary["fees_usd"]),
        "slippage": float(summary["slippage_usd"]),
        "margin": get("margin"),
        "cum_r": get("cum_r"),
        "trades": float(summary["trades"]),
        "losing_streak": 0.0,
        "daily_pnl_pct": get("daily_pnl_pct"),
        "drawdown_72h_pct": get("drawdown_72h_pct"),
        "max_drawdown_pct": -abs(float(summary["max_drawdown_pct"])),
        "open_risk_pct": get("open_risk_pct"),
        "reserved_risk_pct": get("reserved_risk_pct"),
        "gross_pct": get("gross_pct"),
        "net_pct": get("net_pct"),
        "effective_cap_pct": get("effective_cap_pct"),
    }


def _curve(equity: pd.DataFrame) -> Row:
    curve = Curve()
    for ts, value, fall in zip(
        equity["ts_event"].tolist(),
        equity["equity"].tolist(),
        equity["drawdown_72h_pct"].tolist(),
        strict=True,
    ):
        curve.add(ts, value, fall)
    return curve.to_json()


def _decision(row: Row) -> Row:
    found = {key: row[key] for key in ("ts_event", "trace_id", "strategy", "instrument", "reason", "detail")}
    found |= {"side": side_name(row["side"]), "approved": bool(row["approved"])}
    return found


def _trade(row: Row) -> Row:
    found = {key: row[key] for key in ("ts_event", "strategy", "instrument", "net_usd", "r", "exit_reason")}
    return found | {"side": side_name(row["side"])}
