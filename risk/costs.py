"""Round-trip cost of a trade in price units per coin, and as a multiple of its stop distance.

Guarantees: entry fee by order style, exit at the taker fee (a stop leaves at market), slippage both ways
except for a post-only entry, and funding only where it is paid, never where it would be received.
"""

from __future__ import annotations

from risk.settings import RiskSettings
from risk.vocabulary import CostEstimate, EntryStyle, InstrumentRules

# Tag of an order that announces its priced slippage in basis points; the simulated venue charges it.
RESTORE_TAG = "restore"
"""Tag of the order that opens a position again after a restart: the simulated venue charges it nothing."""

SLIPPAGE_TAG = "slip_bps="


def estimate_costs(
    side: int,
    price: float,
    stop_distance: float,
    style: EntryStyle,
    rules: InstrumentRules,
    slippage_bps: float,
    funding_rate: float | None,
    settlements: int,
) -> CostEstimate:
    """Return the expected cost of one coin from entry to exit.

    A `POST_ONLY_THEN_MARKET` entry is priced as a market order: what does not fill at rest pays for it.

    Parameters
    ----------
    slippage_bps : float
        Expected slippage of a market order of this size.
    funding_rate : float or None
        Last settled rate (fraction; longs pay a positive one); None counts as no known cost.
    settlements : int
        Funding settlements until the time stop.

    """
    resting = style is EntryStyle.POST_ONLY
    slippage = price * slippage_bps / 10_000.0
    entry_fee = price * (rules.maker_fee if resting else rules.taker_fee)
    entry_slippage = 0.0 if resting else slippage
    exit_fee = price * rules.taker_fee
    funding = max(0.0, side * (funding_rate or 0.0) * settlements) * price
    total = entry_fee + exit_fee + entry_slippage + slippage + funding
    return CostEstimate(entry_fee, exit_fee, entry_slippage, slippage, funding, total / stop_distance)


def loss_per_unit(stop_distance: float, rounded_distance: float, costs: CostEstimate, tick: float) -> float:
    """Return the money one coin loses when its stop is hit: distance plus fees and slippage both ways.

    The stop is rounded away from the average entry, which may lie between ticks when an entry fills in
    slices: the result is never less than that worst stop with the costs of leaving, so an entry cannot risk
    more than booked.
    """
    leaving = costs.exit_fee + costs.exit_slippage
    entering = costs.entry_fee + costs.entry_slippage
    return max(rounded_distance + entering + leaving, stop_distance + tick + leaving)


def cost_refusal(costs: CostEstimate, settings: RiskSettings) -> str | None:
    """Say why a trade costs too much for its stop, or None."""
    if costs.cost_r <= settings.max_cost_r:
        return None
    return (
        f"costs {costs.cost_r:.3f} R > max_cost_r {settings.max_cost_r:g} (per coin: fees "
        f"{costs.entry_fee + costs.exit_fee:.6g}, slippage {costs.entry_slippage + costs.exit_slippage:.6g}, "
        f"funding {costs.funding:.6g})"
    )
