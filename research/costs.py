"""What trading costs in the screen: the desk's fees and priced slippage as fractions of notional."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from research.market import Frame
from risk.settings import RiskSettings
from risk.vocabulary import InstrumentRules

Floats = NDArray[np.float64]

DEFAULT_NOTIONAL_USD = 5_000.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Fees and slippage of one candidate's orders.

    `multiplier` scales fees and slippage, not funding.  Without rules of an instrument the defaults here are
    the venue's fees and 1 bp of spread.
    """

    maker_fee: float = 0.0002  # fraction of notional
    taker_fee: float = 0.0005
    spread_bps: float = 1.0
    latency_bps: float = 1.0
    impact_bps: float = 10.0  # times sqrt(notional / quote volume of the bar)
    notional_usd: float = DEFAULT_NOTIONAL_USD
    max_slippage_bps: float = 100.0
    tick: float = 0.0  # 0: prices are not rounded
    price_digits: int = 10
    multiplier: float = 1.0
    funding: bool = True

    def of(self, rules: InstrumentRules | None) -> Costs:
        """Return these costs with the fees, spread and tick of an instrument."""
        if rules is None:
            return self
        return replace(
            self,
            maker_fee=rules.maker_fee,
            taker_fee=rules.taker_fee,
            spread_bps=rules.default_spread_bps,
            tick=rules.tick,
            price_digits=rules.price_digits,
        )

    def with_settings(self, settings: RiskSettings) -> Costs:
        """Return these costs with the slippage figures of the desk's settings."""
        return replace(self, latency_bps=settings.latency_bps, impact_bps=settings.impact_bps)

    def taker(self, frame: Frame) -> Floats:
        """Return what a market order at each close costs, a fraction of its notional.

        Half spread (at least half a tick) + impact * sqrt(notional / quote volume) + latency, as the desk
        estimates it, at most `max_slippage_bps`; where the bar has no volume it is the most.
        """
        half = np.maximum(self.spread_bps / 2.0, 10_000.0 * self.tick / (2.0 * frame.close))
        impact = np.full(len(frame), np.inf)
        traded = frame.volume > 0.0
        quote_volume = frame.volume[traded] * frame.close[traded]
        impact[traded] = self.impact_bps * np.sqrt(self.notional_usd / quote_volume)
        slippage = np.minimum(half + self.latency_bps + impact, self.max_slippage_bps)
        fraction: Floats = self.multiplier * (self.taker_fee + slippage / 10_000.0)
        return fraction

    @property
    def maker(self) -> float:
        """Return what a resting order costs, a fraction of its notional."""
        return self.multiplier * self.maker_fee


FREE = Costs(0.0, 0.0, 0.0, 0.0, 0.0, funding=False, multiplier=0.0)
