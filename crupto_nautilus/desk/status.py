"""What a paper run looks like at a moment, as plain values: the live status, without any drawing.

Guarantees: reading takes no lock and changes nothing, so the desk never waits for whoever watches; figures
are the desk's own (the same that limits are checked against).  A value read while the desk moves may be one
instant older than its neighbour.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from crupto_nautilus.desk.services import PaperContext
from crupto_nautilus.desk.state_words import what_still_happens
from crupto_nautilus.journal.sessions import Sessions
from risk.vocabulary import LONG, SHORT, RegimeLabel, side_name

DECISIONS = 40  # kept for the view


@dataclass(frozen=True, slots=True)
class PositionStatus:
    """One open position."""

    strategy: str
    instrument: str
    side: int
    quantity: float
    entry_price: float
    mark: float
    stop: float
    stop_works: bool
    unrealised_usd: float
    r: float | None  # unrealised, costs so far included, over the planned risk


@dataclass(frozen=True, slots=True)
class DecisionStatus:
    """One answer to a signal."""

    ts_event: int
    strategy: str
    instrument: str
    side: int
    approved: bool
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class ShadowStatus:
    """How a challenger in shadow stands."""

    name: str
    pnl_usd: float
    trades: int
    state: str
    ts_event: int


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure beside its limit; both percent, `used` is the part of the limit in use, 0 to 1 and more."""

    name: str
    value: float
    limit: float

    @property
    def used(self) -> float:
        """Part of the limit in use."""
        return max(0.0, self.value / self.limit) if self.limit else 0.0


@dataclass(frozen=True, slots=True)
class DeskStatus:
    """A paper run at a moment."""

    run_id: str
    feed: str
    ts_event: int
    progress: float | None  # of the replayed window, 0 to 1
    wall_seconds: float
    equity: float
    pnl_usd: float
    pnl_pct: float
    virtual_asset: str
    trades: int
    wins: int
    cum_r: float
    fees_usd: float
    slippage_usd: float
    funding_usd: float
    limits: tuple[Limit, ...]
    mode: str
    reason: str
    detail: str
    since_ns: int
    happens: str
    safe_mode: bool
    regimes: tuple[tuple[str, str], ...]
    positions: tuple[PositionStatus, ...]
    pending: tuple[tuple[str, str, int], ...]  # strategy, instrument, side
    decisions: tuple[DecisionStatus, ...]  # newest last
    signals: int
    approved: int
    instants: int
    bars: int
    feed_age_s: float | None  # wall time since the last instant came in
    alarms: int
    last_alarm: str
    shadows: tuple[ShadowStatus, ...] = ()
    page: str = ""  # address of the run's page, while it is served


@dataclass(slots=True)
class StatusReader:
    """Reads the status of one run; `shadows` tells how the challengers stand."""

    context: PaperContext
    shadows: Callable[[], Sequence[ShadowStatus]] = tuple
    _began: float = field(default_factory=time.monotonic)
    _seen: tuple[int, float] = (0, 0.0)  # instants and when their number last changed
    _wins: int = 0
    _counted: int = 0

    def read(self) -> DeskStatus:
        """Return how the run stands now."""
        context, now = self.context, time.monotonic()
        desk, options = context.desk, context.options
        risk, router, clock = desk.risk_desk, desk.router, desk.clock
        books, governance = risk.books, risk.settings
        book, state = risk.snapshot(), desk.brain.desk_state
        capital = risk.virtual_equity or books.start_balance
        if router.instants != self._seen[0]:
            self._seen = (router.instants, now)
        recording = context.recording
        earlier = context.earlier or Sessions()
        alarms = recording.tail("alarms", 1) or earlier.alarms[:1]
        decisions = [_decision(row) for row in recording.tail("decisions", DECISIONS)]
        if len(decisions) < DECISIONS:
            older = earlier.decisions[: DECISIONS - len(decisions)]
            decisions = [*(_older_decision(row) for row in reversed(older)), *decisions]
        return DeskStatus(
            run_id=options.run_id,
            feed=_feed(options),
            ts_event=clock.now_ns,
            progress=self._progress(),
            wall_seconds=now - self._began,
            equity=book["risk_equity"],
            pnl_usd=books.net_pnl_usd,
            pnl_pct=100.0 * books.net_pnl_usd / capital,
            virtual_asset=risk.virtual_asset,
            trades=books.trades,
            wins=earlier.wins + self._won(),
            cum_r=books.cum_r,
            fees_usd=books.fees_usd,
            slippage_usd=books.slippage_usd,
            funding_usd=books.funding_usd,
            limits=(
                Limit("day", -risk.guard.daily_pnl_pct, governance.max_daily_loss_pct),
                Limit("72 h", -risk.guard.drawdown_72h_pct, governance.kill_switch_drawdown_72h),
                Limit("risk", book["open_risk_pct"] + book["reserved_risk_pct"], book["effective_cap_pct"]),
                Limit("gross", book["gross_pct"], governance.max_gross_exposure_pct),
                Limit("net", abs(book["net_pct"]), governance.max_net_exposure_pct),
            ),
            mode=state.mode.value,
            reason=str(state.reason or ""),
            detail=state.detail,
            since_ns=state.ts_event,
            happens=what_still_happens(state, clock.now_ns, options.run_id),
            safe_mode=book["effective_cap_pct"] < governance.max_portfolio_r_pct,
            regimes=self._regimes(),
            positions=tuple(_position(p) for p in list(books.positions.values())),
            pending=tuple((r.strategy, r.instrument, r.side) for r in list(books.reservations.values())),
            decisions=tuple(decisions),
            signals=earlier.signals + recording.count("signals"),
            approved=desk.monitor.counters["Approved"],
            instants=router.instants,
            bars=router.bars,
            feed_age_s=now - self._seen[1] if self._seen[0] else None,
            alarms=sum(earlier.alarms_of_kind.values()) + recording.count("alarms"),
            last_alarm=f"{alarms[0].kind}: {alarms[0].detail}" if alarms else "",
            shadows=tuple(self.shadows()),
            page=context.page,
        )

    def _progress(self) -> float | None:
        if self.context.options.feed != "replay":
            return None
        window = self.context.prepared.choice.window
        return (self.context.desk.clock.now_ns - window.start_ns) / (window.end_ns - window.start_ns)

    def _won(self) -> int:
        new = self.context.recording.rows_from("trades", self._counted)
        self._counted += len(new)
        self._wins += sum(trade.net_usd > 0.0 for trade in new)
        return self._wins

    def _regimes(self) -> tuple[tuple[str, str], ...]:
        labels = dict.fromkeys(sorted(self.context.plan.rules), RegimeLabel.UNKNOWN.value)
        for name, label in self.context.desk.selection.regimes.items():
            labels[name] = label.value
        return tuple(labels.items())


def _feed(options: Any) -> str:
    if options.feed != "replay":
        return str(options.feed)
    return "replay" if options.speed == 0 else f"replay x{options.speed:g}"


def _position(position: Any) -> PositionStatus:
    planned = position.planned_risk_usd
    earned = (
        position.unrealised_usd + position.gross_usd - position.fees_usd - position.slippage_usd
        + position.funding_usd
    )  # fmt: skip
    return PositionStatus(
        position.strategy,
        position.instrument,
        position.side,
        position.quantity,
        position.average_price,
        position.mark,
        position.stop,
        position.stop_working,
        position.unrealised_usd,
        earned / planned if planned > 0.0 else None,
    )


def _decision(row: Any) -> DecisionStatus:
    return DecisionStatus(
        int(row["ts_event"]),
        str(row["strategy"]),
        str(row["instrument"]),
        int(row["side"]),
        bool(row["approved"]),
        str(row["reason"]),
        str(row["detail"]),
    )


def _older_decision(row: dict[str, Any]) -> DecisionStatus:
    return DecisionStatus(
        row["ts_event"],
        row["strategy"],
        row["instrument"],
        LONG if row["side"] == side_name(LONG) else SHORT,
        row["approved"],
        row["reason"],
        row["detail"],
    )
