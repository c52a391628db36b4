"""Every metric of the desk in one table: documentation, dashboards, alert rules and tests are checked on it.

Guarantees: names follow Prometheus practice (one prefix, base units, `_total` on counters, instants as
`_timestamp_seconds`, one 0/1 series a state); labels come from bounded sets that are known at the start
(`Domain`), never from ids, prices or free text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

NODE_STATES = ("ok", "warning", "error", "disabled")
REGIMES = ("unknown", "trend_up", "trend_down", "range_lowvol", "range_highvol", "panic")
DESK_MODES = ("ACTIVE", "REDUCE_ONLY", "HALTED")
ORDER_STATUSES = ("submitted", "accepted", "rejected", "denied", "canceled", "expired", "filled")
OUTCOMES = ("ok", "warning", "error")
STAGES = ("instant", "decision", "bar_to_order", "order_to_fill")
RISKS = ("open", "reserved")
SIDES = ("gross", "net")
ALARMS = ("handler_error", "unprotected", "unsettled", "other")

STAGE_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)
SLIPPAGE_BOUNDS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 50.0)
TOOL_EXPONENTS = (2, 5, 8, 10, 13, 16, 20)
"""Bucket edges of tool latencies as powers of two of 1,024 ns: the toolbox counts in exactly these."""
TOOL_BOUNDS = tuple((1024 << k) / 1e9 for k in TOOL_EXPONENTS)


class Kind(StrEnum):
    """What Prometheus calls the type."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Domain:
    """The label sets of one run, all known before it starts."""

    nodes: tuple[tuple[str, str], ...]  # (id, role)
    edges: tuple[tuple[str, str], ...]  # (source, target)
    strategies: tuple[str, ...]
    instruments: tuple[str, ...]
    tools: tuple[tuple[str, str], ...]  # (agent, tool)
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `help` says what a value means and its unit; `sets` names the label sets of a domain."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """The name without the suffixes that Prometheus adds to counters and infos."""
        return self.name.removesuffix("_total").removesuffix("_info")


_FIXED: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    (): ((),),
    ("mode",): tuple((mode,) for mode in DESK_MODES),
    ("stage",): tuple((stage,) for stage in STAGES),
    ("book",): tuple((risk,) for risk in RISKS),
    ("direction",): tuple((side,) for side in SIDES),
    ("kind",): tuple((kind,) for kind in ALARMS),
}


def label_sets(metric: Metric, domain: Domain) -> Iterator[tuple[str, ...]]:
    """Yield every label set of a metric in a run, in a fixed order.

    Raises
    ------
    KeyError
        The table names a combination of labels that no rule covers.
    """
    names = tuple((name,) for name in domain.strategies)
    instruments = tuple((name,) for name in domain.instruments)
    sets: dict[tuple[str, ...], Iterator[tuple[str, ...]] | tuple[tuple[str, ...], ...]] = {
        **_FIXED,
        ("agent", "role", "state"): ((*node, state) for node, state in product(domain.nodes, NODE_STATES)),
        ("source", "target"): domain.edges,
        ("strategy",): names,
        ("instrument",): instruments,
        ("strategy", "reason"): product(domain.strategies, domain.reasons),
        ("strategy", "status"): product(domain.strategies, ORDER_STATUSES),
        ("instrument", "regime"): product(domain.instruments, REGIMES),
        ("agent", "tool"): domain.tools,
        ("agent", "tool", "outcome"): ((*tool, outcome) for tool, outcome in product(domain.tools, OUTCOMES)),
    }
    yield from sets[metric.labels]


_GAUGE, _COUNTER, _HISTOGRAM = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM
_AGENT, _EDGE = ("agent", "role", "state"), ("source", "target")
_ONE, _COIN = ("strategy",), ("instrument",)


def _run() -> Iterator[Metric]:
    yield Metric("crupto_run_info", Kind.INFO, "The run: id, mode of the desk, version, feed", ())
    yield Metric("crupto_heartbeat_timestamp_seconds", _GAUGE, "Wall time of the desk's last sign of life")
    yield Metric("crupto_run_start_timestamp_seconds", _GAUGE, "Wall time at which the run began")
    yield Metric("crupto_desk_timestamp_seconds", _GAUGE, "Desk time: event time of the last instant")


def _graph() -> Iterator[Metric]:
    yield Metric("crupto_agent_state", _GAUGE, "1 for the state of a node, 0 for the others", _AGENT)
    yield Metric("crupto_agent_calls_total", _COUNTER, "Messages and calls from one node to another", _EDGE)
    yield Metric(
        "crupto_agent_edge_active", _GAUGE, "1 while an edge was used within the last seconds", _EDGE
    )
    yield Metric(
        "crupto_tool_calls_total", _COUNTER, "Calls of a tool by outcome", ("agent", "tool", "outcome")
    )
    yield Metric(
        "crupto_tool_call_duration_seconds",
        _HISTOGRAM,
        "Wall time of a tool's calls",
        ("agent", "tool"),
        TOOL_BOUNDS,
    )
    yield Metric(
        "crupto_stage_duration_seconds",
        _HISTOGRAM,
        "Wall time of a stage: instant (all of one moment), decision (signal to answer), "
        "bar_to_order, order_to_fill",
        ("stage",),
        STAGE_BOUNDS,
    )


def _desk() -> Iterator[Metric]:
    yield Metric("crupto_desk_mode", _GAUGE, "1 for the mode of the desk, 0 for the others", ("mode",))
    yield Metric("crupto_kill_switch", _GAUGE, "1 while the kill switch holds the desk")
    yield Metric("crupto_daily_lock", _GAUGE, "1 while the daily loss limit holds the desk")
    yield Metric("crupto_operator_halt", _GAUGE, "1 while an operator, or too many errors, hold the desk")
    yield Metric("crupto_cooling_until_timestamp_seconds", _GAUGE, "Desk time until which entries cool, or 0")
    yield Metric("crupto_safe_mode", _GAUGE, "1 while correlated positions lower the risk cap")
    yield Metric("crupto_safe_mode_correlation_ratio", _GAUGE, "Largest concentrated correlation, 0 to 1")
    yield Metric("crupto_strategy_active", _GAUGE, "1 if the selection lets it trade on any instrument", _ONE)
    yield Metric("crupto_regime_label", _GAUGE, "1 for the regime of an instrument", (*_COIN, "regime"))


def _money() -> Iterator[Metric]:
    yield Metric("crupto_equity_usdt", _GAUGE, "Equity: balance plus unrealised PnL at mark")
    yield Metric("crupto_balance_usdt", _GAUGE, "Balance: start plus everything realised")
    yield Metric("crupto_unrealised_pnl_usdt", _GAUGE, "Unrealised PnL at mark")
    yield Metric("crupto_net_pnl_usdt", _GAUGE, "Change of equity since the start, after all costs")
    yield Metric("crupto_strategy_net_pnl_usdt", _GAUGE, "Net PnL of a strategy's closed trades", _ONE)
    yield Metric("crupto_fees_usdt_total", _COUNTER, "Fees paid")
    yield Metric("crupto_funding_usdt", _GAUGE, "Funding received less paid")
    yield Metric("crupto_cum_r_ratio", _GAUGE, "Sum of the R multiples of all closed trades")
    yield Metric("crupto_daily_pnl_ratio", _GAUGE, "PnL of the UTC day as a share of its first equity")
    yield Metric("crupto_drawdown_72h_ratio", _GAUGE, "Equity against its 72 h peak, 0 or negative")
    yield Metric(
        "crupto_max_drawdown_ratio", _GAUGE, "Largest fall of equity from a peak so far, 0 or negative"
    )
    yield Metric("crupto_daily_loss_limit_ratio", _GAUGE, "Daily loss at which the desk locks, negative")
    yield Metric("crupto_drawdown_limit_ratio", _GAUGE, "72 h drawdown of the kill switch, negative")


def _risk() -> Iterator[Metric]:
    yield Metric("crupto_risk_ratio", _GAUGE, "Risk of open positions and of reserved entries", ("book",))
    yield Metric("crupto_risk_cap_ratio", _GAUGE, "Cap of open and reserved risk in force now")
    yield Metric("crupto_exposure_ratio", _GAUGE, "Notional as a share of equity", ("direction",))
    yield Metric("crupto_exposure_limit_ratio", _GAUGE, "Limit of the exposure", ("direction",))
    yield Metric("crupto_positions", _GAUGE, "Open positions")
    yield Metric("crupto_positions_without_stop", _GAUGE, "Open positions that no working stop protects")
    yield Metric("crupto_position_notional_usdt", _GAUGE, "Signed notional at mark, long positive", _COIN)
    yield Metric("crupto_position_unrealised_pnl_usdt", _GAUGE, "Unrealised PnL of an instrument", _COIN)
    yield Metric(
        "crupto_position_stop_distance_ratio", _GAUGE, "Mark to stop as a share of mark, or 0", _COIN
    )


def _flow() -> Iterator[Metric]:
    yield Metric("crupto_signals_total", _COUNTER, "Signals", _ONE)
    yield Metric("crupto_approved_total", _COUNTER, "Signals that were approved", _ONE)
    yield Metric("crupto_refusals_total", _COUNTER, "Signals that were refused", ("strategy", "reason"))
    yield Metric("crupto_orders_total", _COUNTER, "Orders by what became of them", ("strategy", "status"))
    yield Metric("crupto_order_reject_ratio", _GAUGE, "Share of the last 100 orders that a venue refused")
    yield Metric("crupto_trades_total", _COUNTER, "Closed trades", _ONE)
    yield Metric("crupto_winning_trades_total", _COUNTER, "Closed trades with a net gain", _ONE)
    yield Metric(
        "crupto_slippage_bps", _HISTOGRAM, "Slippage of fills, basis points of notional", (), SLIPPAGE_BOUNDS
    )
    yield Metric("crupto_slippage_usdt_total", _COUNTER, "Slippage paid")
    yield Metric("crupto_expected_slippage_bps", _GAUGE, "Mean slippage that approved entries expected")
    yield Metric(
        "crupto_spread_bps",
        _GAUGE,
        "Spread reckoned with: of fresh quotes, else the instrument's default",
        _COIN,
    )
    yield Metric("crupto_mean_spread_bps", _GAUGE, "Mean spread over all instruments now")


def _process() -> Iterator[Metric]:
    yield Metric("crupto_feed_bars_total", _COUNTER, "Bars received", _COIN)
    yield Metric("crupto_feed_last_bar_timestamp_seconds", _GAUGE, "Wall time of the last bar", _COIN)
    yield Metric("crupto_feed_interval_seconds", _GAUGE, "Wall time a fine bar takes, 0 at full speed")
    yield Metric("crupto_feed_late_total", _COUNTER, "Bars that were missing in their instant", _COIN)
    yield Metric("crupto_instants_total", _COUNTER, "Instants handled")
    yield Metric("crupto_alarms_total", _COUNTER, "Alarms by kind", ("kind",))
    yield Metric("crupto_journal_backlog", _GAUGE, "Batches that wait for the journal")
    yield Metric("crupto_journal_failed", _GAUGE, "1 while the journal cannot be written")
    yield Metric("crupto_telemetry_errors_total", _COUNTER, "Errors inside the telemetry itself")
    yield Metric("crupto_disk_free_bytes", _GAUGE, "Free space where the run is written")
    yield Metric("crupto_process_cpu_seconds_total", _COUNTER, "CPU time of the desk's process")
    yield Metric("crupto_process_resident_memory_bytes", _GAUGE, "Resident memory of the desk's process")


METRICS: dict[str, Metric] = {
    metric.name: metric for part in (_run, _graph, _desk, _money, _risk, _flow, _process) for metric in part()
}
"""Name -> metric, in the order of the table."""


def series_count(domain: Domain) -> int:
    """Return how many series a run exposes, histograms with their buckets, sum and count."""
    return sum(
        sum(1 for _ in label_sets(metric, domain)) * (len(metric.bounds) + 3 if metric.bounds else 1)
        for metric in METRICS.values()
    )


def document() -> str:
    """Return the table as Markdown (`dashboards/METRICS.md` is this text)."""
    lines = [
        "# Metrics",
        "",
        "Made from `dashboards/metrics.py` by `crupto dashboards build`; ratios are shares (0.01 is 1 %).",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for metric in METRICS.values():
        labels = ", ".join(metric.labels) or "none"
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines) + "\n"
