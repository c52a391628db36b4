"""Stops for signals that bring none of their own, and what makes a stop unusable.

Guarantees: a plan always has a stop on the losing side of its entry, above zero, and nearer than the
liquidation price of the isolated position.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from risk.positions import liquidation_price
from risk.rounding import price_away
from risk.settings import RiskSettings
from risk.vocabulary import InstrumentRules, Signal, side_name


class PlannedStops(NamedTuple):
    """Stop and take prices; None where there is none."""

    stop: float | None
    take: float | None


def plan_stops(
    side: int,
    price: float | None,
    atr: float | None,
    settings: RiskSettings,
    stop: float | None = None,
    take: float | None = None,
) -> PlannedStops:
    """Return stop = price - side * stop_atr * ATR and take = price + side * take_atr * ATR.

    They replace the given levels.  Without a usable price, ATR or side the given levels are returned as
    they are; a caller must refuse a plan whose stop is None.
    """
    if price is None or atr is None or not (math.isfinite(price) and math.isfinite(atr)):
        return PlannedStops(stop, take)
    if side == 0 or price <= 0.0 or atr <= 0.0:
        return PlannedStops(stop, take)
    return PlannedStops(
        price - side * settings.stop_atr * atr,
        price + side * settings.take_atr * atr,
    )


def with_planned_stops(signal: Signal, settings: RiskSettings) -> Signal:
    """Return the signal with the desk's stop and take where it names no stop (distance 0) of its own."""
    exits = signal.exits
    if exits.stop_distance != 0.0:
        return signal
    planned = plan_stops(signal.side, signal.reference_price, signal.atr, settings)
    if planned.stop is None:
        return signal
    has_way_out = bool(exits.targets_r) or exits.target_price is not None or exits.trail_atr is not None
    return signal._replace(
        exits=exits._replace(
            stop_distance=abs(signal.reference_price - planned.stop),
            target_price=exits.target_price if has_way_out else planned.take,
        ),
    )


def stop_price_of(signal: Signal, rules: InstrumentRules) -> float:
    """Return the stop implied by the reference price, rounded to a tick away from it."""
    return price_away(signal.stop_price, signal.side, rules.tick, rules.price_digits)


def stop_problem(signal: Signal, rules: InstrumentRules, settings: RiskSettings) -> str | None:
    """Say why a signal's stop cannot be used, or None if it can."""
    price, distance = signal.reference_price, signal.exits.stop_distance
    if distance == 0.0:
        return f"no stop: stop_distance 0 and ATR {signal.atr:g}, expected a stop or a positive ATR"
    stop = stop_price_of(signal, rules)
    if (price - stop) * signal.side <= 0.0:
        return f"stop {stop:g} is on the wrong side of {price:g} for a {side_name(signal.side)}"
    if stop <= 0.0:
        return f"stop {stop:g} <= 0 (distance {distance:g} from {price:g})"
    liquidation = liquidation_price(signal.side, price, settings.leverage_cap, rules.maintenance_margin)
    if (stop - liquidation) * signal.side <= 0.0:
        at = f"liquidation price {liquidation:g} at leverage_cap {settings.leverage_cap:g}"
        return f"stop {stop:g} is beyond the {at}"
    return None
