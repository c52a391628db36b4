"""Controls of the desk: inputs, desk state, data, regime, selection.

Guarantees: what is not a number is refused before anything is compared with it; the drawdown limits are
read from the figures as well as from the desk state, so that nothing slips in between two states.
"""

from __future__ import annotations

import math

from risk.context import DecisionContext
from risk.control import Control
from risk.drawdown import daily_loss_reached, kill_switch_reached
from risk.vocabulary import MINUTE_NS, DeskMode, RefusalReason, RegimeLabel, Signal, side_name

_SECOND_NS = 1_000_000_000


class ToolError(Control):
    """The assembly says that a tool or an agent failed."""

    reason = RefusalReason.TOOL_ERROR

    def finding(self, context: DecisionContext) -> str | None:
        """Look for a `tool_error` flag."""
        if not context.flags:
            return None
        for flag in sorted(context.flags):
            name, _, detail = flag.partition(":")
            if name == "tool_error":
                return detail or "a tool or an agent failed"
        return None


class InvalidInput(Control):
    """Something needed is missing or is not a number."""

    reason = RefusalReason.INVALID_INPUT

    def finding(self, context: DecisionContext) -> str | None:
        """Check every figure that later checks read."""
        signal, market = context.signal, context.market
        if context.rules is None:
            return f"no instrument rules for {signal.instrument}"
        if signal.side not in (1, -1):
            return f"side was {signal.side}, expected 1 or -1"
        spread = market.spread_bps(signal.instrument, context.ts)
        price, volume = market.price(signal.instrument), market.bar_volume(signal.instrument)
        if price is None:
            return f"no price of {signal.instrument} yet"
        # A sum is finite only if all its terms are: one look instead of fifteen where all is well.
        exits, guard = signal.exits, context.guard
        total = (
            signal.reference_price + exits.stop_distance + signal.confidence + signal.atr + price
            + (exits.target_price or 0.0) + (exits.trail_atr or 0.0) + sum(exits.targets_r)
            + volume + (spread or 0.0)
            + (market.funding_rate(signal.instrument) or 0.0) + (context.daily_volatility or 0.0)
            + context.equity + guard.daily_pnl_pct + guard.drawdown_72h_pct
        )  # fmt: skip
        if not math.isfinite(total):
            found = self._not_finite(context, spread, price)
            if found is not None:
                return found
        return self._sign(signal, spread, price, volume)

    @staticmethod
    def _not_finite(context: DecisionContext, spread: float | None, price: float) -> str | None:
        signal, market = context.signal, context.market
        figures = {
            "reference_price": signal.reference_price,
            "stop_distance": signal.exits.stop_distance,
            "confidence": signal.confidence,
            "atr": signal.atr,
            "target_price": signal.exits.target_price,
            "trail_atr": signal.exits.trail_atr,
            **{f"targets_r[{i}]": r for i, r in enumerate(signal.exits.targets_r)},
            "last price": price,
            "bar volume": market.bar_volume(signal.instrument),
            "spread": spread,
            "funding rate": market.funding_rate(signal.instrument),
            "daily volatility": context.daily_volatility,
            "equity": context.equity,
            "daily PnL": context.guard.daily_pnl_pct,
            "72 h drawdown": context.guard.drawdown_72h_pct,
        }
        for name, value in figures.items():
            if value is not None and not math.isfinite(value):
                return f"{name} was {value}, expected a finite number"
        return None

    @staticmethod
    def _sign(signal: Signal, spread: float | None, price: float, volume: float) -> str | None:
        if signal.reference_price <= 0.0:
            return f"reference_price was {signal.reference_price:g}, expected a positive price"
        if price <= 0.0:
            return f"last price was {price:g}, expected a positive price"
        if signal.atr < 0.0:
            return f"atr was {signal.atr:g}, expected at least 0"
        if volume < 0.0:
            return f"bar volume was {volume:g}, expected at least 0"
        if spread is not None and spread < 0.0:
            return f"spread was {spread:g}, expected at least 0"
        return None


class Reconciling(Control):
    """Something at the venue is unexplained."""

    reason = RefusalReason.RECONCILING

    def finding(self, context: DecisionContext) -> str | None:
        """Look for the `reconciling` flag, of the desk or of the signal's instrument."""
        if not context.flags:
            return None
        here = ("reconciling", f"reconciling@{context.signal.instrument}")
        for flag in sorted(context.flags):
            name, _, detail = flag.partition(":")
            if name in here:
                return detail or "books and venue are being reconciled"
        return None


class KillSwitch(Control):
    """The 72 h drawdown limit was reached."""

    reason = RefusalReason.KILL_SWITCH

    def finding(self, context: DecisionContext) -> str | None:
        """Read the desk state, and the figure itself in case it moved since."""
        desk = context.desk
        if desk.mode is DeskMode.HALTED and desk.reason is self.reason:
            return desk.detail
        drawdown, settings = context.guard.drawdown_72h_pct, context.settings
        if kill_switch_reached(drawdown, settings):
            return (
                f"72 h drawdown {drawdown:.4f} % <= -kill_switch_drawdown_72h "
                f"{settings.kill_switch_drawdown_72h:g}"
            )
        return None


class OperatorHalt(Control):
    """Halted by an operator (or by anything else than the kill switch)."""

    reason = RefusalReason.OPERATOR_HALT

    def finding(self, context: DecisionContext) -> str | None:
        """Read the desk state."""
        return (context.desk.detail or "halted") if context.desk.mode is DeskMode.HALTED else None


class DailyLock(Control):
    """The daily loss limit was reached."""

    reason = RefusalReason.DAILY_LOCK

    def finding(self, context: DecisionContext) -> str | None:
        """Read the desk state, and the figure itself in case it moved since."""
        if context.desk.mode is DeskMode.REDUCE_ONLY:
            return context.desk.detail or "reduce only"
        daily, settings = context.guard.daily_pnl_pct, context.settings
        if daily_loss_reached(daily, settings):
            return f"daily PnL {daily:.4f} % <= -max_daily_loss_pct {settings.max_daily_loss_pct:g}"
        return None


class Cooling(Control):
    """Entries rest after an unlock or a daily lock."""

    reason = RefusalReason.COOLING

    def finding(self, context: DecisionContext) -> str | None:
        """Compare desk time with the end of the cooling period."""
        left = context.desk.cooling_until_ns - context.ts
        if left <= 0:
            return None
        minutes = context.settings.cooling_period_minutes
        return f"{left / _SECOND_NS:.0f} s left of cooling_period_minutes {minutes}"


class StrategyDisabled(Control):
    """The strategy is switched off, or no regime knows it."""

    reason = RefusalReason.STRATEGY_DISABLED

    def finding(self, context: DecisionContext) -> str | None:
        """Look for the flag, then for the strategy in the mandate."""
        strategy, row = context.signal.strategy, context.row
        if context.flags and f"disabled:{strategy}" in context.flags:
            return f"{strategy} is disabled"
        if row is not None:
            return (row.detail or f"{strategy} is disabled") if row.reason is self.reason else None
        return None if context.mandate is None else f"{strategy} is not in the enable map"


class StaleData(Control):
    """The newest bar is too old, or missing in this instant."""

    reason = RefusalReason.STALE_DATA

    def finding(self, context: DecisionContext) -> str | None:
        """Compare the age of the newest bar with its length."""
        market, name = context.market, context.signal.instrument
        if not market.is_stale(name, context.ts):
            return None
        last, minutes = market.last_ts(name), market.base_minutes(name)
        if last is None or minutes is None:
            return f"no bar of {name} yet"
        age = (context.ts - last) / MINUTE_NS
        limit = f"stale_bars {context.settings.stale_bars} x {minutes} min"
        return f"newest bar is {age:g} min old, limit {limit}; or it is late in this instant"


class NotWarm(Control):
    """An indicator, the regime or the volatility is not known yet."""

    reason = RefusalReason.NOT_WARM

    def finding(self, context: DecisionContext) -> str | None:
        """Check warm-up of the strategy, the regime and the volatility."""
        mandate, row = context.mandate, context.row
        if row is not None and row.reason is self.reason:
            return row.detail or f"{context.signal.strategy} is not warm"
        if not context.warm or mandate is None or mandate.regime is RegimeLabel.UNKNOWN:
            return f"regime of {context.signal.instrument} is not known yet"
        if context.daily_volatility is None:
            return f"daily volatility of {context.signal.instrument} is not known yet"
        return None


class RegimeOff(Control):
    """The regime does not allow the strategy."""

    reason = RefusalReason.REGIME_OFF

    def finding(self, context: DecisionContext) -> str | None:
        """Read the mandate."""
        row, mandate = context.row, context.mandate
        if row is None or mandate is None:
            return "no mandate"
        if row.reason is self.reason or not row.sides:
            return row.detail or f"{row.strategy} is off in {mandate.regime.value}"
        return None


class DirectionOff(Control):
    """The regime allows the strategy in the other direction only."""

    reason = RefusalReason.DIRECTION_OFF

    def finding(self, context: DecisionContext) -> str | None:
        """Read the sides of the mandate."""
        row, mandate, side = context.row, context.mandate, context.signal.side
        if row is None or mandate is None or side in row.sides:
            return None
        allowed = ", ".join(side_name(s) for s in row.sides)
        return f"{row.strategy} in {mandate.regime.value} allows {allowed}, signal is {side_name(side)}"


class Rested(Control):
    """The strategy's score was too low: it rests."""

    reason = RefusalReason.RESTED

    def finding(self, context: DecisionContext) -> str | None:
        """Compare desk time with the end of the rest."""
        row = context.row
        return None if row is None else _blocked(context, row.rested_until_ns, row.reason is self.reason)


class Cooldown(Control):
    """Too few bars since the last entry, or since the second loss in a row."""

    reason = RefusalReason.COOLDOWN

    def finding(self, context: DecisionContext) -> str | None:
        """Compare desk time with the end of the cooldown."""
        row = context.row
        return None if row is None else _blocked(context, row.cooldown_until_ns, row.reason is self.reason)


def _blocked(context: DecisionContext, until_ns: int, named: bool) -> str | None:
    """A block counts until its (exclusive) end; without an end while the mandate names it."""
    row = context.row
    detail = "" if row is None else row.detail
    if until_ns > context.ts:
        minutes = -((context.ts - until_ns + 1) // MINUTE_NS)  # the end lies 1 ns behind the last bar refused
        left = f"{minutes} min left" if minutes else "ends with this bar"
        return left + (f": {detail}" if named and detail else "")
    return (detail or "blocked by the mandate") if named and until_ns == 0 else None
