"""How much to risk and how many coins that buys: budget, multiplier, caps, rounding.

Guarantees: nothing unknown (NaN, infinity) ever sizes a trade; sizes are never negative and never rounded
up; what is booked as risk is what the rounded quantity loses at its stop, costs included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from risk.drawdown import guard_drawdown
from risk.rounding import floor_quantity
from risk.settings import RiskSettings
from risk.vocabulary import InstrumentRules, RefusalReason, TradingState

Words = Callable[[], str]  # a text that is made only if it is read


def clamp(value: float, low: float, high: float) -> float:
    """Return `value` held between `low` and `high`."""
    return max(low, min(high, value))


def minimum_quantity(rules: InstrumentRules, price: float) -> float:
    """Return the smallest quantity the venue takes at `price`: minimum size and notional, up to a step."""
    wanted = max(rules.min_quantity, rules.step, rules.min_notional_usd / price)
    down = floor_quantity(wanted, rules.step, rules.size_digits)
    return down if down >= wanted * (1.0 - 1e-12) else round(down + rules.step, rules.size_digits)


def reduced_budget_pct(state: TradingState, settings: RiskSettings) -> float:
    """Risk budget of a trade in percent, before what the portfolio leaves.

    0 at the daily loss or drawdown limit or on anything not finite; else the base, plus the bonus on a good
    day (at most `max_per_trade_r_pct`), reduced for a losing streak and for volatility, at least the floor,
    which never lifts it above the base.
    """
    figures = (state.daily_pnl_pct, state.trailing_drawdown_72h_pct, state.realized_volatility)
    if not all(math.isfinite(x) for x in figures) or not guard_drawdown(figures[0], figures[1], settings):
        return 0.0
    budget = settings.per_trade_r_pct_base
    if state.daily_pnl_pct >= settings.risk_bonus_threshold_pct:
        budget = min(budget + settings.risk_bonus_add, settings.max_per_trade_r_pct)
    if state.losing_streak > 1:
        step = settings.losing_streak_step * (state.losing_streak - 1)
        budget *= 1.0 - min(settings.losing_streak_max, step)
    excess = state.realized_volatility - settings.volatility_threshold
    if excess > 0.0:
        budget *= 1.0 - min(0.5, settings.volatility_risk_step * excess / settings.volatility_threshold)
    return max(budget, min(settings.min_r_pct_floor, settings.per_trade_r_pct_base))


def headroom_pct(state: TradingState, settings: RiskSettings) -> float:
    """Risk in percent that the (effective) portfolio cap leaves after open and reserved risk, at least 0."""
    cap = settings.max_portfolio_r_pct if state.effective_cap_pct is None else state.effective_cap_pct
    left = cap - state.portfolio_risk_pct
    return left if math.isfinite(left) and left > 0.0 else 0.0


def risk_budget_pct(state: TradingState, settings: RiskSettings) -> float:
    """Return the risk budget of a trade in percent of equity (trading-rules 5), never negative."""
    return min(reduced_budget_pct(state, settings), headroom_pct(state, settings))


def position_sizer(confidence: float, atr_fraction: float | None) -> float:
    """Return the multiplier of the budget in [0.5, 1.5]: confidence times a volatility factor in [0.7, 1.2].

    `atr_fraction` is ATR / price (0.02 = 2 %); without one, or at 0, only confidence counts.

    Raises
    ------
    ValueError
        If an argument is not finite.

    """
    if not math.isfinite(confidence) or (atr_fraction is not None and not math.isfinite(atr_fraction)):
        raise ValueError(
            f"confidence was {confidence} and ATR fraction {atr_fraction}, expected finite numbers"
        )
    factor = 1.0 if atr_fraction is None or atr_fraction <= 0.0 else clamp(0.02 / atr_fraction, 0.7, 1.2)
    return clamp(clamp(confidence, 0.5, 1.5) * factor, 0.5, 1.5)


def size_position(
    side: int,
    entry_price: float,
    stop_price: float | None,
    state: TradingState,
    settings: RiskSettings,
    *,
    atr: float | None = None,
    cost_per_unit: float = 0.0,
    gross_room_usd: float | None = None,
    net_room_usd: float | None = None,
) -> float:
    """Return the quantity in coins that loses the budget at its stop, before rounding to a step.

    The loss per coin is abs(entry - stop), else the ATR, else 1 % of price, plus `cost_per_unit` (price
    units).  The notional is at most leverage_cap * equity and what the rooms leave (None: no such limit).
    A stop on the wrong side, no equity, no budget or anything not finite gives 0.
    """
    budget = risk_budget_pct(state, settings)
    given = [entry_price, state.equity, cost_per_unit, *(x for x in (stop_price, atr) if x is not None)]
    if not all(math.isfinite(x) for x in given) or min(budget, entry_price, state.equity) <= 0.0:
        return 0.0
    if stop_price is not None:
        distance = (entry_price - stop_price) * side
    else:
        distance = atr if atr is not None and atr > 0.0 else 0.01 * entry_price
    if distance <= 0.0 or cost_per_unit < 0.0:
        return 0.0
    quantity = state.equity * budget / 100.0 / (distance + cost_per_unit)
    rooms = [settings.leverage_cap * state.equity]
    rooms += [room for room in (gross_room_usd, net_room_usd) if room is not None]
    return max(0.0, min(quantity, min(rooms) / entry_price))


@dataclass(frozen=True, slots=True)
class SizeStep:
    """One limit that takes part in a size: the quantity it allows, and the words for it where it binds."""

    reason: RefusalReason
    before: float
    after: float
    text: str

    @property
    def binds(self) -> bool:
        """Whether the limit made the size smaller."""
        return self.after < self.before


def shrink(wanted: float, limits: tuple[tuple[RefusalReason, float, Words], ...]) -> tuple[SizeStep, ...]:
    """Apply limits one after the other, in the order of their reasons; a quantity never falls below 0."""
    steps = []
    quantity = max(0.0, wanted)
    for reason, allowed, words in limits:
        after = max(0.0, min(quantity, allowed))
        steps.append(SizeStep(reason, quantity, after, words() if after < quantity else ""))
        quantity = after
    return tuple(steps)


def exposure_quantity(
    limit_usd: float, used_usd: float, price: float, fraction: float, entry_cost: float
) -> float:
    """Return the coins whose notional fits under an exposure limit after their own entry costs are paid.

    Solves used + quantity * price <= fraction * (equity - quantity * entry_cost) with limit = fraction *
    equity.
    """
    return max(0.0, (limit_usd - used_usd) / (price + fraction * entry_cost))
