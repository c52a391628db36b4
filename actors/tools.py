"""The table of the desk's tools: every tool an agent may call, with its cost and its function.

Each tool is a plain function of a `ToolContext` and the state in `DeskTools`; nothing else is shared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial

from actors.regimes import RegimeClassifier, RegimePanel
from actors.selection_rules import CooldownBook, Key, MandateRules, ScoreBook
from actors.toolbox import ToolContext, ToolRegistry, ToolSpec
from risk import ticket
from risk.drawdown import guard_drawdown
from risk.engine import RiskDesk
from risk.stops import with_planned_stops
from risk.vocabulary import (
    Bar,
    DeskState,
    Mandate,
    MandateRow,
    Refused,
    Regime,
    RegimeLabel,
    Signal,
    Ticket,
    TradePlan,
)
from strategies.registry import StrategySpec

Scored = tuple[str, float | None, int, int]  # strategy, score, rested until, cooling until
Readings = list[tuple[Bar, RegimeClassifier]]


@dataclass(frozen=True, slots=True)
class DeskTools:
    """The state that tools work on; one desk has one."""

    risk_desk: RiskDesk
    regimes: RegimePanel
    mandates: MandateRules
    cooldowns: CooldownBook
    scores: ScoreBook


def calc_features(state: DeskTools, _: ToolContext, bars: tuple[Bar, ...]) -> Readings:
    """Feed closed 1h bars, at most one an instrument, to their classifiers and return these."""
    return state.regimes.update(bars)


def classify_regime(
    _: DeskTools, __: ToolContext, readings: Readings, labels: dict[str, RegimeLabel]
) -> list[Regime]:
    """Name the regimes that differ from `labels`, those in force by instrument."""
    return [
        Regime(bar.ts_event, bar.instrument, one.label, one.raw, one.reading.features)
        for bar, one in readings
        if one.label is not labels[bar.instrument]
    ]


def load_enable_map(
    state: DeskTools, _: ToolContext, regime: RegimeLabel, scored: list[Scored]
) -> tuple[MandateRow, ...]:
    """Return what each strategy may do in a regime."""
    row = state.mandates.row
    return tuple([row(regime, *one) for one in scored])


def score_strategy(state: DeskTools, _: ToolContext, key: Key, spec: StrategySpec) -> float | None:
    """Score a strategy on an instrument."""
    return state.scores.score(key, spec.minutes, spec.mean_reverting)


def manage_cooldown(
    state: DeskTools, context: ToolContext, event: str, key: Key, minutes: int, r: float
) -> int:
    """Book an entry (`entered`) or a closed trade (`closed`); return until when signals are refused."""
    if event == "entered":
        state.cooldowns.entered(key, context.ts_event, minutes)
    elif event == "closed":
        state.cooldowns.closed(key, context.ts_event, minutes, r)
    else:
        raise ValueError(f"cooldown event was {event!r}, expected 'entered' or 'closed'")
    return state.cooldowns.until_ns(key)


def guard(state: DeskTools, _: ToolContext) -> bool:
    """Tell whether daily PnL and 72 h drawdown are inside their limits now."""
    figures = state.risk_desk.guard
    return guard_drawdown(figures.daily_pnl_pct, figures.drawdown_72h_pct, state.risk_desk.settings)


def stops(state: DeskTools, _: ToolContext, signal: Signal) -> Signal:
    """Return the signal with the desk's stop and take where it names none; its own levels are kept."""
    return with_planned_stops(signal, state.risk_desk.settings)


def plan_position(
    state: DeskTools,
    context: ToolContext,
    signal: Signal,
    mandate: Mandate | None,
    desk: DeskState,
    daily_volatility: float | None,
    warm: bool,
    flags: frozenset[str],
) -> TradePlan | Refused:
    """Run the risk pipeline; an approved plan is reserved."""
    return state.risk_desk.decide(signal, mandate, desk, context.ts_event, daily_volatility, warm, flags)


def estimate_slippage(state: DeskTools, context: ToolContext, plan: TradePlan) -> float:
    """Return the expected slippage of a plan's entry on the market of now, basis points."""
    desk = state.risk_desk
    rules = desk.rules[plan.signal.instrument]
    market = ticket.TicketContext(plan, desk.market, desk.settings, rules, context.ts_event)
    return market.slippage_bps(plan.quantity)


def check_liquidity(state: DeskTools, context: ToolContext, plan: TradePlan) -> Refused | None:
    """Refuse a plan on a market that is too thin or too wide."""
    desk = state.risk_desk
    rules = desk.rules[plan.signal.instrument]
    return ticket.check_liquidity(plan, desk.market, desk.settings, rules, context.ts_event)


def place_order(state: DeskTools, context: ToolContext, plan: TradePlan) -> Ticket | Refused:
    """Turn a plan into the ticket that the strategy sends: style, price, slices."""
    desk = state.risk_desk
    rules = desk.rules[plan.signal.instrument]
    return ticket.build_ticket(plan, desk.market, desk.settings, rules, context.ts_event)


def export_metrics(_: DeskTools, __: ToolContext, counters: Counter[str]) -> dict[str, int]:
    """Return a copy of the monitor's counters for whoever exports them."""
    return dict(counters)


_TABLE = (
    ("calc_features", "regime", calc_features, 20, ()),
    ("classify_regime", "regime", classify_regime, 10, ()),
    ("load_enable_map", "selection", load_enable_map, 5, ()),
    ("score_strategy", "selection", score_strategy, 10, ()),
    ("manage_cooldown", "selection", manage_cooldown, 5, ("state",)),
    ("guard_drawdown", "risk", guard, 2, ()),
    ("plan_stops", "risk", stops, 3, ()),
    ("plan_position", "risk", plan_position, 3, ("state", "risk")),
    ("check_liquidity", "execution", check_liquidity, 2, ()),
    ("estimate_slippage", "execution", estimate_slippage, 2, ()),
    ("place_order", "execution", place_order, 15, ("orders",)),
    ("export_metrics", "monitor", export_metrics, 5, ()),
)

TOOLS = tuple(
    ToolSpec(capability, agent, function, cost_hint_ms, read_only=not tags, safety_tags=tags)
    for capability, agent, function, cost_hint_ms, tags in _TABLE
)
"""The tools as they are described, bound to no desk."""


def register_tools(state: DeskTools) -> ToolRegistry:
    """Return a registry with every tool bound to one desk's state."""
    registry = ToolRegistry()
    for capability, agent, function, cost_hint_ms, tags in _TABLE:
        registry.register(
            ToolSpec(
                capability,
                agent,
                partial(function, state),
                cost_hint_ms,
                read_only=not tags,
                safety_tags=tags,
            )
        )
    return registry
