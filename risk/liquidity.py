"""What an order of a size would cost or find in the market: slippage, liquidity, slices.

Guarantees: estimates are pure functions of the last finest bar and of fresh quotes; without volume there is
no finite estimate, and nothing can be sliced.
"""

from __future__ import annotations

import math

from risk.rounding import floor_quantity
from risk.settings import RiskSettings
from risk.vocabulary import InstrumentRules


def half_spread_bps(price: float, rules: InstrumentRules, spread_bps: float | None) -> float:
    """Half of the quoted spread; without quotes half of the default spread, at least half a tick."""
    if spread_bps is not None:
        return spread_bps / 2.0
    return max(rules.default_spread_bps / 2.0, 10_000.0 * rules.tick / (2.0 * price))


def estimate_slippage_bps(
    notional_usd: float,
    bar_quote_volume: float,
    price: float,
    rules: InstrumentRules,
    settings: RiskSettings,
    spread_bps: float | None = None,
) -> float:
    """Expected slippage of a market order: half spread + impact * sqrt(notional / bar volume) + latency.

    `bar_quote_volume` is the quote volume of the last finest bar; where it is 0 the estimate is infinite.
    """
    fixed = half_spread_bps(price, rules, spread_bps) + settings.latency_bps
    if notional_usd <= 0.0:
        return fixed
    if bar_quote_volume <= 0.0:
        return math.inf
    return fixed + settings.impact_bps * math.sqrt(notional_usd / bar_quote_volume)


def slice_quantity(
    quantity: float, bar_volume: float, minimum: float, rules: InstrumentRules, settings: RiskSettings
) -> tuple[float, ...]:
    """Split an order into equal children of at most `max_bar_volume_fraction` of the last bar's volume.

    Parameters
    ----------
    quantity, bar_volume : float
        Base coins.
    minimum : float
        Smallest child the venue takes, base coins.

    Returns
    -------
    tuple of float
        One order if it is small enough; else at most `max_slices` equal children, each at least `minimum`,
        what does not fit is dropped; empty if not even one child of the minimum fits.

    """
    largest = floor_quantity(bar_volume * settings.max_bar_volume_fraction, rules.step, rules.size_digits)
    if quantity <= largest:
        return (quantity,)
    if largest < minimum or largest <= 0.0:
        return ()
    count = min(settings.max_slices, math.ceil(quantity / largest))
    while count > 1 and floor_quantity(quantity / count, rules.step, rules.size_digits) < minimum:
        count -= 1
    child = min(largest, floor_quantity(quantity / count, rules.step, rules.size_digits))
    return (child,) * count
