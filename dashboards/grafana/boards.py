"""The two boards: the agent graph and the desk's operations.

Guarantees: the graph comes from Prometheus alone (no plug-in), with colours as text; every expression uses
only metrics of `dashboards.metrics` and what Prometheus itself knows (`up`, `ALERTS`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.grafana.panels import (
    BLUE,
    GREEN,
    GREY,
    RED,
    YELLOW,
    bars,
    figure,
    graph,
    lines,
    steps,
    timeline,
)

FOLDER = Path(__file__).parent
FILES = {"crupto-nodes": "dashboard_nodes.json", "crupto-ops": "dashboard_ops.json"}
EDGE_IDLE = "#555555"

_STATE_COLORS = {"ok": GREEN, "warning": YELLOW, "error": RED, "disabled": GREY}
_STATE_WORDS = {str(n): (state, color) for n, (state, color) in enumerate(_STATE_COLORS.items(), start=1)}
_REGIME_WORDS = {
    "0": ("unknown", GREY),
    "1": ("trend up", GREEN),
    "2": ("trend down", RED),
    "3": ("range, quiet", BLUE),
    "4": ("range, wild", YELLOW),
    "5": ("panic", "#8F3BB8"),
}
_REGIMES = ("unknown", "trend_up", "trend_down", "range_lowvol", "range_highvol", "panic")
_ON_OFF = {"0": ("off", GREEN), "1": ("ON", RED)}


def _nodes_query() -> str:
    """Return the nodes: the state that is 1, with id, title, subtitle, mainstat and colour as labels."""
    found = "crupto_agent_state == 1"
    for target, source in (("id", "agent"), ("title", "agent"), ("subtitle", "role"), ("mainstat", "state")):
        found = f'label_replace({found}, "{target}", "$1", "{source}", "(.*)")'
    for state, color in _STATE_COLORS.items():
        found = f'label_replace({found}, "color", "{color}", "state", "{state}")'
    return found


def _edges_query() -> str:
    """Return the edges: calls so far, coloured by whether they are in use."""
    calls = "sum by (source, target) (crupto_agent_calls_total)"
    used = "max by (source, target) (crupto_agent_edge_active)"
    active = f'label_replace({calls} and on (source, target) ({used} == 1), "color", "{BLUE}", "", "")'
    idle = f'label_replace({calls} and on (source, target) ({used} == 0), "color", "{EDGE_IDLE}", "", "")'
    return f'label_join({active} or {idle}, "id", "->", "source", "target")'


def _one_hot(metric: str, label: str, values: tuple[str, ...], by: str, first: int) -> str:
    """Return one number a series instead of one series a state."""
    parts = " or ".join(f'{metric}{{{label}="{value}"}} * {n}' for n, value in enumerate(values, start=first))
    return f"sum by ({by}) ({parts})"


def _quantile(q: float, metric: str, by: str) -> str:
    rate = f"sum by (le, {by}) (rate({metric}_bucket[$__rate_interval]))"
    return f"histogram_quantile({q}, {rate})"


_STATES = _one_hot("crupto_agent_state", "state", tuple(_STATE_COLORS), "agent", 1)
_NONE = 'label_replace(vector(0), "{label}", "none", "", "")'
_PAID_SLIPPAGE = "sum(crupto_slippage_bps_sum) / clamp_min(sum(crupto_slippage_bps_count), 1)"
_FIRING = 'count by (alertname) (ALERTS{alertstate="firing"}) or ' + _NONE.format(label="alertname")
_REFUSED = "sum by (reason) (crupto_refusals_total) > 0 or " + _NONE.format(label="reason")


def nodes_board() -> dashboard.Dashboard:
    """Return the board of the agent graph."""
    board = _board("Crupto: agents", "crupto-nodes", "2s", "now-5m")
    return (
        board.with_panel(graph("Agents, tools, strategies", _nodes_query(), _edges_query()))
        .with_panel(timeline("States", _STATES, "{{agent}}", _STATE_WORDS, height=14))
        .with_panel(
            lines(
                "Calls a second",
                "cps",
                ("sum by (source, target) (rate(crupto_agent_calls_total[$__rate_interval]))", _ARROW),
                height=14,
            )
        )
    )


_ARROW = "{{source}} -> {{target}}"


def ops_board() -> dashboard.Dashboard:
    """Return the operations board."""
    board = _board("Crupto: operations", "crupto-ops", "5s", "now-6h")
    for panel in (*_now(), *_money(), *_trading(), *_machinery()):
        board = board.with_panel(panel)
    return board


def _now() -> tuple[Any, ...]:
    mode = _one_hot("crupto_desk_mode", "mode", ("ACTIVE", "REDUCE_ONLY", "HALTED"), "job", 0)
    modes = {"0": ("ACTIVE", GREEN), "1": ("REDUCE ONLY", YELLOW), "2": ("HALTED", RED)}
    near = steps((None, GREEN), (0.75, YELLOW), (1.0, RED))
    few = steps((None, GREEN), (0.1, RED))
    day = "crupto_daily_pnl_ratio / crupto_daily_loss_limit_ratio"
    drawdown = "crupto_drawdown_72h_ratio / crupto_drawdown_limit_ratio"
    risk = "sum(crupto_risk_ratio) / sum(crupto_risk_cap_ratio)"
    return (
        figure("Exporter", 'up{job="crupto"}', "none", None, {"0": ("DOWN", RED), "1": ("up", GREEN)}),
        figure("Desk", mode, "none", None, modes),
        figure("Kill switch", "crupto_kill_switch", "none", None, _ON_OFF),
        figure("Daily lock", "crupto_daily_lock", "none", None, _ON_OFF),
        figure("Safe mode", "crupto_safe_mode", "none", None, _ON_OFF),
        figure("Active strategies", "sum(crupto_strategy_active)", "none"),
        figure("Open positions", "crupto_positions", "none"),
        figure("Without a stop", "crupto_positions_without_stop", "none", steps((None, GREEN), (1, RED))),
        figure("Equity", "crupto_equity_usdt", "currencyUSD"),
        figure("Net PnL", "crupto_net_pnl_usdt", "currencyUSD", steps((None, RED), (0, GREEN))),
        figure("Day, of its limit", day, "percentunit", near),
        figure("Drawdown, of its limit", drawdown, "percentunit", near),
        figure("Risk, of its cap", risk, "percentunit", near),
        figure("Oldest bar", "max(time() - crupto_feed_last_bar_timestamp_seconds)", "s"),
        figure("Orders refused", "crupto_order_reject_ratio", "percentunit", few),
        figure("Disk free", "crupto_disk_free_bytes", "bytes", steps((None, RED), (2e9, GREEN))),
    )  # fmt: skip


def _money() -> tuple[Any, ...]:
    return (
        lines("Equity and balance", "currencyUSD", ("crupto_equity_usdt", "equity"),
              ("crupto_balance_usdt", "balance")),
        lines("Drawdown and day, with their limits", "percentunit",
              ("crupto_drawdown_72h_ratio", "drawdown 72 h"), ("crupto_drawdown_limit_ratio", "kill switch"),
              ("crupto_daily_pnl_ratio", "day"), ("crupto_daily_loss_limit_ratio", "daily lock"),
              ("crupto_max_drawdown_ratio", "worst so far")),
        lines("Risk and its cap", "percentunit", ("crupto_risk_ratio", "{{book}}"),
              ("crupto_risk_cap_ratio", "cap in force")),
        lines("Exposure and its limits", "percentunit", ("crupto_exposure_ratio", "{{direction}}"),
              ("crupto_exposure_limit_ratio", "limit of {{direction}}")),
        lines("PnL by strategy", "currencyUSD", ("crupto_strategy_net_pnl_usdt", "{{strategy}}")),
        lines("Costs", "currencyUSD", ("crupto_fees_usdt_total", "fees"),
              ("crupto_slippage_usdt_total", "slippage"), ("crupto_funding_usdt", "funding, received")),
        lines("Positions", "currencyUSD", ("crupto_position_notional_usdt", "{{instrument}}"), width=8),
        lines("Open PnL", "currencyUSD", ("crupto_position_unrealised_pnl_usdt", "{{instrument}}"),
              ("crupto_unrealised_pnl_usdt", "all"), width=8),
        lines("Mark to stop", "percentunit",
              ("crupto_position_stop_distance_ratio", "{{instrument}}"), width=8),
    )  # fmt: skip


def _trading() -> tuple[Any, ...]:
    return (
        bars("Refusals by reason", "short", _REFUSED, "{{reason}}"),
        lines("Signals and answers a minute", "cpm",
              ("60 * sum(rate(crupto_signals_total[$__rate_interval]))", "signals"),
              ("60 * sum(rate(crupto_approved_total[$__rate_interval]))", "approved"),
              ("60 * sum(rate(crupto_refusals_total[$__rate_interval]))", "refused")),
        bars("Orders by status", "short", "sum by (status) (crupto_orders_total)", "{{status}}", 8),
        lines("Trades", "short", ("sum(crupto_trades_total)", "trades"),
              ("sum(crupto_winning_trades_total)", "won"), ("crupto_cum_r_ratio", "sum of R"), width=8),
        lines("Slippage, paid and expected", "short",
              (_PAID_SLIPPAGE, "paid, mean bps"),
              ("crupto_expected_slippage_bps", "expected, mean bps"),
              ("crupto_mean_spread_bps", "spread bps"), width=8),
        timeline("Regimes", _one_hot("crupto_regime_label", "regime", _REGIMES, "instrument", 0),
                 "{{instrument}}", _REGIME_WORDS),
        timeline("Active strategies", "crupto_strategy_active", "{{strategy}}",
                 {"0": ("off", GREY), "1": ("active", GREEN)}),
    )  # fmt: skip


def _machinery() -> tuple[Any, ...]:
    stage, tool = "crupto_stage_duration_seconds", "crupto_tool_call_duration_seconds"
    return (
        timeline("Agents and tools", _STATES, "{{agent}}", _STATE_WORDS, height=12),
        bars("Alerts that fire", "short", _FIRING, "{{alertname}}", height=12),
        lines("Stages, p50 p95 p99", "s", (_quantile(0.5, stage, "stage"), "p50 {{stage}}"),
              (_quantile(0.95, stage, "stage"), "p95 {{stage}}"),
              (_quantile(0.99, stage, "stage"), "p99 {{stage}}")),
        lines("Tools, p99", "s", (_quantile(0.99, tool, "tool"), "{{tool}}")),
        lines("Tool calls a second", "cps",
              ("sum by (tool, outcome) (rate(crupto_tool_calls_total[$__rate_interval]))",
               "{{tool}} {{outcome}}"), width=8),
        lines("Feed: bars a second, late bars", "cps", ("rate(crupto_feed_bars_total[$__rate_interval])",
              "{{instrument}}"), ("sum(rate(crupto_feed_late_total[$__rate_interval]))", "late"),
              ("rate(crupto_instants_total[$__rate_interval])", "instants"), width=8),
        lines("Age of the newest bar", "s", ("time() - crupto_feed_last_bar_timestamp_seconds",
              "{{instrument}}"), ("time() - crupto_heartbeat_timestamp_seconds", "heartbeat"), width=8),
        lines("Process", "short", ("rate(crupto_process_cpu_seconds_total[$__rate_interval])", "CPU cores"),
              width=8),
        lines("Memory", "bytes", ("crupto_process_resident_memory_bytes", "resident"), width=8),
        lines("Trouble", "short", ("sum by (kind) (crupto_alarms_total)", "alarms {{kind}}"),
              ("crupto_journal_backlog", "journal backlog"), ("crupto_journal_failed", "journal failed"),
              ("crupto_telemetry_errors_total", "telemetry errors"), width=8),
    )  # fmt: skip


def _board(title: str, uid: str, refresh: str, since: str) -> dashboard.Dashboard:
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .refresh(refresh)
        .time(since, "now")
        .tags(["crupto"])
        .timezone("utc")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
    )


def built() -> dict[str, str]:
    """Return the boards as JSON text by file name."""
    texts = {}
    for builder in (nodes_board(), ops_board()):
        board = json.loads(JSONEncoder().encode(builder.build()))
        for panel in board["panels"]:
            if panel.get("options") is None:  # the SDK writes null, which Grafana's schema rejects
                panel["options"] = {}
        texts[FILES[board["uid"]]] = json.dumps(board, indent=2, sort_keys=True) + "\n"
    return texts


def round_trip(text: str) -> str:
    """Read a board with the SDK's model and write it again."""
    board = json.loads(JSONEncoder().encode(model.Dashboard.from_json(json.loads(text))))
    for panel in board["panels"]:
        panel["options"] = panel.get("options") or {}
    return json.dumps(board, indent=2, sort_keys=True) + "\n"
