"""The size a signal gets: budget, multiplier and every limit that shrinks it, with the words for each.

Guarantees: limits are applied in the order of their refusal reasons (per trade, portfolio, gross with
leverage, net); each step remembers what it left, so that a refusal names the limit that really took the
trade below what the venue takes, and every clamp can be read in the decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from risk.costs import estimate_costs, loss_per_unit
from risk.liquidity import estimate_slippage_bps
from risk.rounding import floor_quantity
from risk.situation import Situation
from risk.sizing import (
    SizeStep,
    Words,
    exposure_quantity,
    headroom_pct,
    minimum_quantity,
    position_sizer,
    reduced_budget_pct,
    shrink,
)
from risk.stops import stop_price_of
from risk.vocabulary import MINUTE_NS, CostEstimate, EntryStyle, RefusalReason, TradePlan, TradingState


@dataclass(slots=True, eq=False)
class Proposal:
    """A size before the refusals: risk in percent of equity, quantities in coins."""

    state: TradingState
    reduced_pct: float  # budget before what the portfolio leaves
    multiplier: float
    risk_pct_wanted: float  # what the limits of risk leave, before rounding and exposure
    headroom_pct: float
    stop_price: float
    costs: CostEstimate
    slippage_bps: float  # of a market order of this size
    loss_per_unit: float
    minimum: float  # smallest quantity the venue takes
    steps: tuple[SizeStep, ...]
    quantity: float  # rounded down to a step
    risk_usd: float
    risk_pct: float

    @property
    def first_quantity(self) -> float:
        """What the budget alone buys, before any limit."""
        return self.steps[0].before

    @property
    def clamps(self) -> tuple[str, ...]:
        """The limits that made the size smaller."""
        return tuple(step.text for step in self.steps if step.binds)


def trading_state(now: Situation, *, plain_cap: bool = False) -> TradingState:
    """Return what the budget reads; under `block` safe mode refuses by itself and does not shrink the cap.

    With `plain_cap` the correlations are not looked at: the cap is the portfolio's own, the largest it can
    be.
    """
    settings, used, equity = now.settings, now.used, now.equity
    shrinks = settings.safe_mode_action != "block" and not plain_cap
    return TradingState(
        equity=equity,
        daily_pnl_pct=now.guard.daily_pnl_pct,
        trailing_drawdown_72h_pct=now.guard.drawdown_72h_pct,
        losing_streak=now.books.losing_streak,
        realized_volatility=now.daily_volatility or 0.0,
        portfolio_risk_pct=100.0 * (used.open_risk_usd + used.reserved_risk_usd) / equity,
        effective_cap_pct=now.concentration.cap_pct if shrinks else settings.max_portfolio_r_pct,
        gross_pct=100.0 * used.gross_usd / equity,
        net_pct=100.0 * used.net_usd / equity,
    )


def exhausted(now: Situation) -> str | None:
    """Say that not even the plain portfolio cap leaves half the floor, without any look at correlations."""
    settings = now.settings
    half = now.half_floor_pct
    state = trading_state(now, plain_cap=True)
    reduced, room = now.risk_share * reduced_budget_pct(state, settings), headroom_pct(state, settings)
    multiplier = position_sizer(now.signal.confidence, now.signal.atr / now.signal.reference_price)
    wanted = min(min(reduced, room) * multiplier, settings.max_per_trade_r_pct, room)
    if wanted >= half:
        return None
    return (
        f"risk {wanted:.4f} % < {now.half_floor_text}: "
        f"budget {reduced:.4f} % x {multiplier:.3f}, open and reserved {state.portfolio_risk_pct:.4f} % of "
        f"max_portfolio_r_pct {settings.max_portfolio_r_pct:g}"
    )


def propose(now: Situation) -> Proposal:
    """Size a signal whose inputs and stop are valid (trading-rules 5)."""
    signal, settings, rules, equity = now.signal, now.settings, now.rules_checked, now.equity
    price, side, distance = signal.reference_price, signal.side, signal.exits.stop_distance
    state = trading_state(now)
    reduced, room = now.risk_share * reduced_budget_pct(state, settings), headroom_pct(state, settings)
    multiplier = position_sizer(signal.confidence, signal.atr / price)
    alone = reduced * multiplier
    final = min(min(reduced, room) * multiplier, settings.max_per_trade_r_pct, room)

    before_costs = min(equity * final / 100.0 / distance * price, settings.leverage_cap * equity)
    slippage_bps = estimate_slippage_bps(
        before_costs,
        now.market.bar_quote_volume(signal.instrument),
        price,
        rules,
        settings,
        now.market.spread_bps(signal.instrument, now.ts),
    )
    costs = estimate_costs(
        side,
        price,
        distance,
        signal.entry_style,
        rules,
        slippage_bps,
        now.market.funding_rate(signal.instrument),
        _settlements(now),
    )
    stop = stop_price_of(signal, rules)
    loss = loss_per_unit(distance, abs(price - stop), costs, rules.tick)

    money_pct = equity / 100.0 / loss  # coins per percent of risk
    # What fits the portfolio as it is follows the rule's formula, which takes the budget at most as large
    # as the room before it is multiplied; what does not fit is first seen in full, so that a refusal can
    # tell by how much.
    start = alone if alone > room else min(reduced, room) * multiplier
    after_trade = min(start, settings.max_per_trade_r_pct)
    exposure, exposure_text = _exposure_limits(now, costs.entry_fee + costs.entry_slippage)
    steps = shrink(
        start * money_pct,
        (
            (
                RefusalReason.PER_TRADE_CAP,
                settings.max_per_trade_r_pct * money_pct,
                lambda: f"risk {start:.4f} % > max_per_trade_r_pct {settings.max_per_trade_r_pct:g}",
            ),
            (
                RefusalReason.PORTFOLIO_CAP,
                (final if after_trade > room else room) * money_pct,
                lambda: f"risk {after_trade:.4f} % + used {state.portfolio_risk_pct:.4f} % > {cap_text(now)}",
            ),
            (RefusalReason.GROSS_EXPOSURE, exposure[0], exposure_text[0]),
            (RefusalReason.NET_EXPOSURE, exposure[1], exposure_text[1]),
        ),
    )
    quantity = floor_quantity(steps[-1].after, rules.step, rules.size_digits)
    risk_usd = quantity * loss if quantity > 0.0 else 0.0
    return Proposal(
        state=state,
        reduced_pct=reduced,
        multiplier=multiplier,
        risk_pct_wanted=final,
        headroom_pct=room,
        stop_price=stop,
        costs=costs,
        slippage_bps=slippage_bps,
        loss_per_unit=loss,
        minimum=minimum_quantity(rules, _lowest_price(now)),
        steps=steps,
        quantity=quantity,
        risk_usd=risk_usd,
        risk_pct=100.0 * risk_usd / equity,
    )


def plan_of(now: Situation, proposal: Proposal) -> TradePlan:
    """Turn an accepted proposal into the plan."""
    signal = now.signal
    probation = (f"canary: risk_share {now.risk_share:g}",) if now.risk_share != 1.0 else ()
    return TradePlan(
        signal=signal,
        quantity=proposal.quantity,
        stop_price=proposal.stop_price,
        risk_usd=proposal.risk_usd,
        risk_pct=proposal.risk_pct,
        notional_usd=proposal.quantity * signal.reference_price,
        costs=proposal.costs,
        expected_slippage_bps=(0.0 if signal.entry_style is EntryStyle.POST_ONLY else proposal.slippage_bps),
        equity_usd=now.equity,
        clamps=(*probation, *proposal.clamps),
    )


def cap_text(now: Situation) -> str:
    """Name the cap in force: the portfolio cap, or what safe mode leaves of it."""
    settings, found = now.settings, now.concentration
    plain = f"max_portfolio_r_pct {settings.max_portfolio_r_pct:g}"
    if not found.active or settings.safe_mode_action == "block":
        return plain
    pair = "-".join(found.pair or ())
    return f"effective cap {found.cap_pct:.4f} ({plain}, safe mode: {pair} {found.largest:.3f})"


def _settlements(now: Situation) -> int:
    """Funding settlements until the time stop."""
    signal = now.signal
    exits = signal.exits
    if exits.time_stop_settlements is not None:
        return exits.time_stop_settlements
    duration = (exits.time_stop_bars or 0) * signal.minutes * MINUTE_NS
    return now.market.settlements_within(signal.instrument, now.ts, duration)


def _resting(now: Situation) -> bool:
    return now.signal.entry_style is not EntryStyle.MARKET


def _lowest_price(now: Situation) -> float:
    """The lowest price the entry order may carry: a resting buy lies one tick inside the close."""
    signal = now.signal
    inside = _resting(now) and signal.side > 0
    return signal.reference_price - (now.rules_checked.tick if inside else 0.0)


def _exposure_limits(now: Situation, entry_cost: float) -> tuple[tuple[float, float], tuple[Words, Words]]:
    """Coins that gross (with leverage) and net exposure leave, once all pending entry costs are paid."""
    signal, settings, books = now.signal, now.settings, now.books
    inside = _resting(now) and signal.side < 0
    price = signal.reference_price + (now.rules_checked.tick if inside else 0.0)
    equity = now.equity - books.pending_entry_cost_usd
    gross_used, net_used = now.used.gross_usd, books.net_towards(signal.side)

    def coins(fraction: float, used: float) -> float:
        return exposure_quantity(fraction * equity, used, price, fraction, entry_cost)

    def words(name: str, limit: float, used: float) -> Words:
        return lambda: f"notional + used {100.0 * used / now.equity:.2f} % > {name} {limit:g}"

    def leverage_words() -> str:
        return f"notional > leverage_cap {settings.leverage_cap:g} x equity {now.equity:.2f}"

    gross_limit, net_limit = settings.max_gross_exposure_pct, settings.max_net_exposure_pct
    by_gross, by_leverage = coins(gross_limit / 100.0, gross_used), coins(settings.leverage_cap, 0.0)
    by_both = words("max_gross_exposure_pct", gross_limit, gross_used)
    gross_text = leverage_words if by_leverage < by_gross else by_both
    return (
        (min(by_gross, by_leverage), coins(net_limit / 100.0, net_used)),
        (gross_text, words("max_net_exposure_pct", net_limit, net_used)),
    )
