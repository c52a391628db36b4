"""What nobody publishes, looked at four times a second on the desk's thread: books, positions, tools.

Guarantees: figures of one look belong together; what readers get is a finished value that is replaced whole;
a feed or a desk that has fallen silent is judged on the reader's side, so silence shows even when no pulse
comes any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from actors.toolbox import ToolRegistry, ToolStats
from crupto_nautilus.desk.services import JournalHealth
from crupto_nautilus.desk.telemetry import agent_graph as names
from dashboards.graph import DISABLED, ERROR, OK, WARNING, AgentGraph
from dashboards.metrics import TOOL_EXPONENTS
from dashboards.store import MetricStore
from risk.engine import RiskDesk
from risk.vocabulary import Instant, ToolState

STALE_INTERVALS = 3  # fine bars that may be missing before the feed counts as stale
STALE_FLOOR_S = 10.0
SILENT_S = 10.0  # without a pulse the desk's thread is stuck


@dataclass(frozen=True, slots=True)
class View:
    """One look at the books, ready for readers."""

    desk_ts: int = 0
    wall: float = 0.0
    books: dict[str, float] = field(default_factory=dict)
    positions: tuple[dict[str, Any], ...] = ()


class Pulse:
    """Looks, and remembers what the last look saw.

    Parameters
    ----------
    store, graph
        Where what was seen goes.
    risk_desk, tools
        What is looked at.
    instruments : tuple of str
        Instruments whose spreads are shown.
    now : Callable
        Wall time in seconds.
    """

    def __init__(
        self,
        store: MetricStore,
        graph: AgentGraph,
        risk_desk: RiskDesk,
        tools: ToolRegistry,
        instruments: tuple[str, ...],
        now: Callable[[], float],
    ) -> None:
        self._store, self._graph, self._now = store, graph, now
        self._desk, self._tools, self._instruments = risk_desk, tools, instruments
        self.view = View()
        self.interval_s = 0.0  # wall time a fine bar should take; 0 unknown
        self.journal: JournalHealth | None = None
        self.ended = ""
        self._slippage: deque[float] = deque(maxlen=100)
        self._desk_ts = 0
        self._calls: dict[str, int] = {}
        self._late: tuple[str, ...] = ()
        self.instant_wall = 0.0

    def heard(self, instant: Instant, wall: float) -> None:
        """Note the newest instant."""
        self._desk_ts, self.instant_wall = instant.ts_event, wall
        if instant.late or self._late:
            self._late = instant.late
            state = WARNING if instant.late else OK
            text = f"no bar in the last instant: {', '.join(instant.late)}"
            self._graph.report(names.FEED, "late", state, text)

    def late(self, instruments: tuple[str, ...]) -> None:
        """Count the instruments whose bar was missing in an instant."""
        for name in instruments:
            self._store["crupto_feed_late_total"][name,] += 1.0

    def expected(self, slippage_bps: float) -> None:
        """Note what an approved entry expects to lose to slippage."""
        self._slippage.append(slippage_bps)

    def beat(self) -> None:
        """Look at everything once (desk's thread)."""
        wall = self._now()
        self._look_at_books(wall)
        self._look_at_tools()
        self._look_at_market()
        self._look_at_journal()
        self._store["crupto_heartbeat_timestamp_seconds"][()] = wall

    def _look_at_books(self, wall: float) -> None:
        desk, store = self._desk, self._store
        books, guard, now = desk.books, desk.guard, desk.snapshot()
        figures = {
            "equity": now["equity"],
            "risk_equity": now["risk_equity"],
            "start_balance": books.start_balance,
            "balance": books.balance,
            "unrealised": books.unrealised_usd,
            "net_pnl": books.net_pnl_usd,
            "funding": books.funding_usd,
            "fees": books.fees_usd,
            "slippage": books.slippage_usd,
            "margin": books.margin_usd,
            "cum_r": books.cum_r,
            "trades": float(books.trades),
            "losing_streak": float(books.losing_streak),
            "daily_pnl_pct": guard.daily_pnl_pct,
            "drawdown_72h_pct": guard.drawdown_72h_pct,
            "max_drawdown_pct": desk.max_drawdown_pct,
            "open_risk_pct": now["open_risk_pct"],
            "reserved_risk_pct": now["reserved_risk_pct"],
            "gross_pct": now["gross_pct"],
            "net_pct": now["net_pct"],
            "effective_cap_pct": now["effective_cap_pct"],
        }
        positions = self._positions()
        self.view = View(self._desk_ts, wall, figures, positions)
        for name, key, scale in _GAUGES:
            store[name][()] = figures[key] * scale
        store["crupto_risk_ratio"]["open",] = figures["open_risk_pct"] / 100.0
        store["crupto_risk_ratio"]["reserved",] = figures["reserved_risk_pct"] / 100.0
        store["crupto_exposure_ratio"]["gross",] = figures["gross_pct"] / 100.0
        store["crupto_exposure_ratio"]["net",] = figures["net_pct"] / 100.0
        store["crupto_desk_timestamp_seconds"][()] = self._desk_ts / 1e9
        self._show_positions(positions)

    def _positions(self) -> tuple[dict[str, Any], ...]:
        desk = self._desk
        scale = 100.0 / desk.risk_equity if desk.risk_equity > 0.0 else 0.0
        bare = set(desk.unprotected(self._desk_ts))
        return tuple(
            {
                "trace_id": held.trace_id,
                "strategy": held.strategy,
                "instrument": held.instrument,
                "side": held.side,
                "quantity": held.quantity,
                "entry_price": held.average_price,
                "mark": held.mark,
                "stop": held.stop,
                "stop_working": held.stop_working,
                "unprotected": held.trace_id in bare,
                "unrealised": held.unrealised_usd,
                "notional": held.side * held.notional_usd,
                "risk_pct": scale * held.risk_usd(desk.settings.leverage_cap),
                "ts_open": held.ts_open,
            }
            for held in desk.books.positions.values()
        )

    def _show_positions(self, positions: tuple[dict[str, Any], ...]) -> None:
        store, graph = self._store, self._graph
        notional, unrealised = (
            store["crupto_position_notional_usdt"],
            store["crupto_position_unrealised_pnl_usdt"],
        )
        distance = store["crupto_position_stop_distance_ratio"]
        sums: dict[str, list[float]] = {}
        for held in positions:
            found = sums.setdefault(held["instrument"], [0.0, 0.0, 0.0])
            found[0] += held["notional"]
            found[1] += held["unrealised"]
            if held["stop"] > 0.0 and held["mark"] > 0.0:
                found[2] = abs(held["mark"] - held["stop"]) / held["mark"]
        for key in notional:
            notional[key], unrealised[key], distance[key] = sums.get(key[0], (0.0, 0.0, 0.0))
        bare = [held["trace_id"] for held in positions if held["unprotected"]]
        store["crupto_positions"][()] = float(len(positions))
        store["crupto_positions_without_stop"][()] = float(len(bare))
        graph.report(names.RISK, "unprotected", ERROR if bare else "ok", f"no stop works: {', '.join(bare)}")

    def _look_at_tools(self) -> None:
        graph, store = self._graph, self._store
        disabled: dict[str, list[bool]] = {}
        for spec in self._tools.specs():
            stats: ToolStats = self._tools.stats[spec.capability]
            agent, node = names.AGENT_NODE[spec.agent], names.tool_node(spec.capability)
            off = stats.state is ToolState.DISABLED
            disabled.setdefault(agent, []).append(off)
            graph.report(node, "off", DISABLED if off else "ok", "switched off")
            new = stats.calls - self._calls.get(spec.capability, 0)
            if new:
                self._calls[spec.capability] = stats.calls
                graph.use(agent, node, new)
                outcomes, key = store["crupto_tool_calls_total"], (agent, spec.capability)
                outcomes[*key, "ok"] = float(stats.calls - stats.errors - stats.warnings)
                outcomes[*key, "warning"] = float(stats.warnings)
                outcomes[*key, "error"] = float(stats.errors)
                _copy_latencies(stats, store.histograms["crupto_tool_call_duration_seconds"][key])
                graph.show(node, f"{stats.total_ns / stats.calls / 1e3:.0f} us")
        for agent, off_ones in disabled.items():
            state = DISABLED if all(off_ones) else "ok"
            graph.report(agent, "tools_off", state, "all its tools are switched off")

    def _look_at_market(self) -> None:
        store, market, rules = self._store, self._desk.market, self._desk.rules
        spreads, total = store["crupto_spread_bps"], 0.0
        for name in self._instruments:
            quoted = market.spread_bps(name, self._desk_ts)
            spread = rules[name].default_spread_bps if quoted is None else quoted
            spreads[name,] = spread
            total += spread
        store["crupto_mean_spread_bps"][()] = total / len(self._instruments)
        if self._slippage:
            store["crupto_expected_slippage_bps"][()] = sum(self._slippage) / len(self._slippage)

    def _look_at_journal(self) -> None:
        journal, graph, store = self.journal, self._graph, self._store
        if journal is None:
            return
        trouble, pause = journal.trouble, journal.pause
        store["crupto_journal_backlog"][()] = float(journal.backlog)
        store["crupto_journal_failed"][()] = float(bool(trouble or pause))
        state = ERROR if pause else WARNING if trouble else OK
        graph.report(names.MONITOR, "journal", state, pause or f"journal: {trouble}")

    # --- on the reader's thread ----------------------------------------------------------------------------

    def judge_silence(self) -> None:
        """Show a feed or a desk that has fallen silent (reader's thread)."""
        graph, wall = self._graph, self._now()
        if self.ended:
            return
        silent = wall - self.view.wall
        stuck = bool(self.view.wall) and silent > SILENT_S
        graph.report(names.BRAIN, "silent", ERROR if stuck else "ok", f"no sign of life for {silent:.0f} s")
        patience = max(STALE_INTERVALS * self.interval_s, STALE_FLOOR_S)
        age = wall - self.instant_wall
        stale = bool(self.instant_wall) and age > patience
        graph.report(names.FEED, "stale", ERROR if stale else "ok", f"no instant for {age:.0f} s")

    def end(self, reason: str) -> None:
        """The run is over: everything is off, and says why."""
        self.ended = reason
        for node in self._graph.nodes:
            self._graph.report(node, "ended", DISABLED, f"the run has ended: {reason}")


_GAUGES = (
    ("crupto_equity_usdt", "equity", 1.0),
    ("crupto_balance_usdt", "balance", 1.0),
    ("crupto_unrealised_pnl_usdt", "unrealised", 1.0),
    ("crupto_net_pnl_usdt", "net_pnl", 1.0),
    ("crupto_funding_usdt", "funding", 1.0),
    ("crupto_cum_r_ratio", "cum_r", 1.0),
    ("crupto_daily_pnl_ratio", "daily_pnl_pct", 0.01),
    ("crupto_drawdown_72h_ratio", "drawdown_72h_pct", 0.01),
    ("crupto_max_drawdown_ratio", "max_drawdown_pct", 0.01),
    ("crupto_risk_cap_ratio", "effective_cap_pct", 0.01),
)


def _copy_latencies(stats: ToolStats, histogram: Any) -> None:
    """Sum the toolbox's buckets (bucket k holds durations below 2^k times 1,024 ns) into the metric's."""
    start = 0
    for place, exponent in enumerate(TOOL_EXPONENTS):
        histogram.counts[place] = sum(stats.buckets[start : exponent + 1])
        start = exponent + 1
    histogram.counts[-1] = sum(stats.buckets[start:])
    histogram.total = stats.total_ns / 1e9
