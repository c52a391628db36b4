"""Checks of the governance limits: at each approval, at each completed entry, and what drifted beyond later.

Each approval is looked at twice: as the desk wrote it (the book WITH the candidate), and as rebuilt from
fills, stops and earlier approvals, which the written book may not understate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from crupto_nautilus.reports.checks.base import PCT_TOLERANCE, Check, Context, answer, when
from crupto_nautilus.reports.ledger import Ledger, Position
from crupto_nautilus.reports.schema import SNAPSHOT_COLUMNS
from risk.settings import RiskSettings

_BOOK = ("fills", "funding", "protections", "decisions", "entries", "equity")
_AGREEMENT = 1e-4  # of the value, and percentage points: the written book against the rebuilt one
_RELATIVE = 1e-6


def approvals(context: Context) -> Check:
    """No governance limit is exceeded by what was approved, on the written and on the rebuilt book."""
    walk = _Walk(context)
    violations: list[str] = []
    for event in context.timeline(*_BOOK):
        if event.table == "decisions" and event.row.approved:
            faults = list(_approval_faults(context, event.row))
            walk.apply(event)
            faults += walk.book_faults(event.row)
            faults += walk.limit_faults(event.row)
            violations += [f"{event.row.trace_id} at {when(event.ts_event)}: {text}" for text in faults]
        else:
            walk.apply(event)
    return answer("limits at approval", _limits_text(context.limits, len(context.approvals)), violations)


def _limits_text(limits: RiskSettings, count: int) -> str:
    return (
        f"{count:,} approvals; risk {limits.max_per_trade_r_pct:g} % a trade, "
        f"{limits.max_portfolio_r_pct:g} % open, gross {limits.max_gross_exposure_pct:g} %, "
        f"net {limits.max_net_exposure_pct:g} %, leverage {limits.leverage_cap:g}x"
    )


def _approval_faults(context: Context, row: Any) -> Iterator[str]:
    limits = context.limits
    missing = [name for name in SNAPSHOT_COLUMNS if not math.isfinite(getattr(row, name))]
    if missing:
        yield f"the book is not recorded ({', '.join(missing)})"
        return
    risk_pct = 100.0 * row.risk_usd / row.risk_equity
    if abs(risk_pct - row.risk_pct) > PCT_TOLERANCE + _RELATIVE * risk_pct:
        yield f"risk {row.risk_pct:.4f} %, but {row.risk_usd:.6f} USDT are {risk_pct:.4f} % of equity"
    yield from _above("risk of the trade", max(risk_pct, row.risk_pct), limits.max_per_trade_r_pct)
    yield from _above("leverage", row.notional_usd / row.risk_equity, limits.leverage_cap, "x")
    yield from _above("cost", row.cost_r, limits.max_cost_r, " R")
    yield from _above("expected slippage", row.expected_slippage_bps, limits.max_slippage_bps, " bps")
    yield from _snapshot_faults(limits, row)
    signal = context.signals.get(row.trace_id)
    if signal is not None:
        if (signal.reference_price - row.stop_price) * signal.side <= 0:
            yield f"stop {row.stop_price:g} is on the wrong side of {signal.reference_price:g}"
        at_stop = row.quantity * abs(signal.reference_price - row.stop_price)
        if at_stop > row.risk_usd * (1 + _RELATIVE):
            yield f"the stop alone loses {at_stop:.6f} USDT, booked as risk are {row.risk_usd:.6f}"


def _snapshot_faults(limits: RiskSettings, row: Any) -> Iterator[str]:
    cap = row.effective_cap_pct
    yield from _above("effective cap", cap, limits.max_portfolio_r_pct)
    yield from _above("open and reserved risk", row.open_risk_pct + row.reserved_risk_pct, cap)
    yield from _above("gross exposure", row.gross_pct, limits.max_gross_exposure_pct)
    yield from _above("net exposure", abs(row.net_pct), limits.max_net_exposure_pct)


def _above(name: str, value: float, limit: float, unit: str = " %") -> Iterator[str]:
    if value > limit + PCT_TOLERANCE:
        yield f"{name} {value:.4f}{unit} is above its limit of {limit:g}{unit}"


@dataclass(slots=True)
class _Pending:
    """An approved entry that is not over."""

    row: Any
    price: float
    planned: float  # quantity
    filled: float = 0.0

    @property
    def share(self) -> float:
        return max(0.0, 1.0 - self.filled / self.planned) if self.planned > 0 else 0.0


@dataclass
class _Walk:
    """The book as it stands at one event of the run, from fills, stops, approvals and ends of entries."""

    context: Context
    ledger: Ledger = field(init=False)
    stops: dict[str, float] = field(default_factory=dict)
    pending: dict[str, _Pending] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.context.folder.facts.starting_equity, self.context.steps)

    def apply(self, event: Any) -> None:
        row = event.row
        if event.table == "fills":
            self.ledger.apply_fill(row)
            if row.trace_id in self.pending and row.role == "entry":
                self.pending[row.trace_id].filled += row.quantity
        elif event.table == "funding":
            self.ledger.apply_funding(row)
        elif event.table == "protections":
            if row.stop_price > 0:
                self.stops[row.trace_id] = row.stop_price
        elif event.table == "entries":
            self.pending.pop(row.trace_id, None)
        elif event.table == "decisions" and row.approved:
            signal = self.context.signals.get(row.trace_id)
            price = signal.reference_price if signal is not None else 0.0
            planned = row.notional_usd / price if price else row.quantity
            self.pending[row.trace_id] = _Pending(row, price, planned)

    def least_risk_usd(self) -> float:
        """Return the least that the book risks: stops of positions without exit costs, and pending plans."""
        held = sum(self._at_stop(position) for position in self.ledger.open.values())
        return held + sum(float(p.row.risk_usd) * p.share for p in self.pending.values())

    def _at_stop(self, position: Position) -> float:
        stop = self.stops.get(position.trace_id)
        if stop is None:
            signal = self.context.signals.get(position.trace_id)
            if signal is None:
                return 0.0
            stop = position.average_price - position.side * signal.stop_distance
        return max(0.0, (position.average_price - stop) * position.side) * position.quantity

    def net_usd(self, equity: float) -> float:
        """Return the signed exposure at mark: value at cost plus unrealised PnL, plus what is pending."""
        at_cost = sum(position.cost_usd for position in self.ledger.open.values())
        waiting = sum(float(p.row.side * p.row.notional_usd) * p.share for p in self.pending.values())
        return at_cost + (equity - self.ledger.balance) + waiting

    def book_faults(self, row: Any) -> Iterator[str]:
        """Compare the written book of an approval or a completed entry with the rebuilt one."""
        if not math.isfinite(row.risk_equity) or row.risk_equity <= 0:
            return
        least = 100.0 * self.least_risk_usd() / row.risk_equity
        written = row.open_risk_pct + row.reserved_risk_pct
        if written < least - _tolerance(least):
            yield f"open and reserved risk is written as {written:.4f} %, the stops alone make {least:.4f} %"
        net = 100.0 * self.net_usd(row.equity) / row.risk_equity
        if abs(net - row.net_pct) > _tolerance(net):
            yield f"net exposure is written as {row.net_pct:.4f} %, rebuilt {net:.4f} %"
        if row.gross_pct < abs(net) - _tolerance(net):
            yield f"gross exposure is written as {row.gross_pct:.4f} %, but net is {net:.4f} %"
        sides = {p.side for p in self.ledger.open.values()} | {p.row.side for p in self.pending.values()}
        if len(sides) == 1 and abs(row.gross_pct - abs(net)) > _tolerance(net):
            yield f"gross exposure is written as {row.gross_pct:.4f} %, rebuilt {abs(net):.4f} %"

    def limit_faults(self, row: Any) -> Iterator[str]:
        """Compare the rebuilt book with the limits."""
        if not math.isfinite(row.risk_equity) or row.risk_equity <= 0:
            return
        limits = self.context.limits
        yield from _above(
            "rebuilt risk", 100.0 * self.least_risk_usd() / row.risk_equity, row.effective_cap_pct
        )
        net = 100.0 * self.net_usd(row.equity) / row.risk_equity
        yield from _above("rebuilt net exposure", abs(net), limits.max_net_exposure_pct + _tolerance(net))


def samples(context: Context) -> Check:
    """The net exposure of each sample is that of the positions at the sample's own unrealised PnL."""
    walk = _Walk(context)
    violations: list[str] = []
    compared = 0
    for event in context.timeline(*_BOOK):
        row = event.row
        if event.table != "equity":
            walk.apply(event)
        elif not walk.pending and not context.folder.facts.virtual_asset:
            compared += 1
            net = 100.0 * walk.net_usd(row.equity) / row.equity
            if abs(net - row.net_pct) > _tolerance(net):
                written = f"net exposure is written as {row.net_pct:.4f} %"
                violations.append(f"{when(row.ts_event)}: {written}, rebuilt {net:.4f} %")
    return answer("samples", f"{compared:,} samples without a pending entry", violations)


def _tolerance(value: float) -> float:
    return _AGREEMENT * (1.0 + abs(value))


def entries(context: Context) -> Check:
    """No limit is exceeded by a completed entry; an excess from price moves while it rested is listed."""
    walk = _Walk(context)
    violations: list[str] = []
    notes: list[str] = []
    completed = 0
    for event in context.timeline(*_BOOK):
        walk.apply(event)
        row = event.row
        if event.table != "entries" or not row.filled:
            continue
        completed += 1
        where = f"{row.trace_id} at {when(event.ts_event)}"
        violations += [f"{where}: {text}" for text in _entry_faults(context, walk, row)]
        beyond = [
            *_snapshot_faults(context.limits, row),
            *walk.limit_faults(row),
            *_entry_risk(context, walk, row),
        ]
        approval = context.approvals.get(row.trace_id)
        rested = approval is not None and approval.ts_event < row.ts_event
        (notes if rested else violations).extend(f"{where}: {text}" for text in beyond)
    return answer("limits at entry", f"{completed:,} completed entries", violations, notes)


def _entry_faults(context: Context, walk: _Walk, row: Any) -> Iterator[str]:
    missing = [name for name in SNAPSHOT_COLUMNS if not math.isfinite(getattr(row, name))]
    if missing:
        yield f"the book is not recorded ({', '.join(missing)})"
        return
    made = _position(walk, row)
    if made is None:
        yield f"{row.filled:g} entered, the fills made no position"
        return
    if abs(made.entered - row.filled) > context.dust(row.instrument):
        yield f"{row.filled:g} entered, the fills make {made.entered:g}"
    if abs(made.entry_price - row.average_price) > _RELATIVE * made.entry_price:
        yield f"average price {row.average_price:g}, the fills make {made.entry_price:g}"
    yield from walk.book_faults(row)


def _entry_risk(context: Context, walk: _Walk, row: Any) -> Iterator[str]:
    """Money that the stop would lose, the fee of leaving included, against the limit of one trade."""
    made, signal = _position(walk, row), context.signals.get(row.trace_id)
    facts = context.instruments.get(row.instrument)
    if made is None or signal is None or facts is None or not row.risk_equity > 0:
        return
    fee = facts.taker_fee if context.folder.facts.costs == "on" else 0.0
    lost = made.entered * (signal.stop_distance + made.entry_price * fee)
    yield from _above("risk of the trade", 100.0 * lost / row.risk_equity, context.limits.max_per_trade_r_pct)
    notional = made.entered * made.entry_price / row.risk_equity
    yield from _above("leverage", notional, context.limits.leverage_cap, "x")


def _position(walk: _Walk, row: Any) -> Position | None:
    held = walk.ledger.open.get((row.strategy, row.instrument))
    if held is not None and held.trace_id == row.trace_id:
        return held
    return next((p for p in reversed(walk.ledger.closed) if p.trace_id == row.trace_id), None)


def drift(context: Context) -> Check:
    """What passed a limit without an entry is listed with its cause; nothing is approved on top of it."""
    limits = context.limits
    violations: list[str] = []
    episodes: list[_Episode] = []
    open_episode: dict[str, _Episode] = {}
    previous: Any = None
    roles: list[str] = []  # of the fills since the sample before
    for event in context.timeline("fills", "equity", "decisions"):
        row = event.row
        if event.table == "fills":
            roles.append(row.role)
            continue
        if event.table == "decisions":
            if row.approved:
                violations += _approved_in_drift(row, open_episode, previous)
            continue
        for name, value, limit in _measures(limits, row):
            episode = open_episode.get(name)
            if value <= limit + PCT_TOLERANCE:
                open_episode.pop(name, None)
            elif episode is None:
                open_episode[name] = _Episode(
                    name, limit, _cause(previous, row, roles), row.ts_event, row.ts_event, value
                )
                episodes.append(open_episode[name])
            else:
                episode.last, episode.worst = row.ts_event, max(episode.worst, value)
        previous = row
        roles.clear()
    notes = [str(episode) for episode in episodes]
    return answer("drift", f"{len(episodes)} times a limit was passed without an entry", violations, notes)


@dataclass(slots=True)
class _Episode:
    measure: str
    limit: float
    cause: str
    first: int
    last: int
    worst: float

    def __str__(self) -> str:
        return (
            f"{self.measure} up to {self.worst:.3f} % (limit {self.limit:.3f} %) "
            f"{when(self.first)} .. {when(self.last)}: {self.cause}"
        )


def _measures(limits: RiskSettings, row: Any) -> tuple[tuple[str, float, float], ...]:
    return (
        ("open and reserved risk", row.open_risk_pct + row.reserved_risk_pct, row.effective_cap_pct),
        ("gross exposure", row.gross_pct, limits.max_gross_exposure_pct),
        ("net exposure", abs(row.net_pct), limits.max_net_exposure_pct),
    )


def _cause(before: Any, now: Any, roles: list[str]) -> str:
    """Name what changed since the sample before."""
    if before is None:
        return "at the start"
    if now.effective_cap_pct < before.effective_cap_pct - PCT_TOLERANCE:
        return "the effective cap fell (correlation safe mode)"
    if any(role != "entry" for role in roles):
        return "an exit closed what had balanced or carried it"
    if roles:
        return "an entry filled after prices had moved, or its costs lowered equity"
    return "equity fell" if now.equity < before.equity else "prices moved"


def _approved_in_drift(row: Any, episodes: dict[str, _Episode], sample: Any) -> Iterator[str]:
    """At the instant of the sample nothing else has moved: an approval came on top of the excess."""
    if sample is None or sample.ts_event != row.ts_event:
        return
    for name in ("open and reserved risk", "gross exposure"):
        if name in episodes:
            yield f"{row.trace_id}: approved at {when(row.ts_event)} while {episodes[name]}"
