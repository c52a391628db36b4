"""The engine's strategy classes: one per registered rule."""

from __future__ import annotations

from nautilus_trader.model import StrategyId
from nautilus_trader.trading import StrategyConfig

from strategies.registry import StrategySpec
from strategies.signal_strategy import SignalStrategy


class Breakout4H(SignalStrategy):
    """Donchian breakout on 4h bars with an ADX filter; half at 1R, the rest at 2R."""


class VolatilityExpansion15M(SignalStrategy):
    """Expansion of ATR% and volume on 15m bars; trails by 1.5 ATR."""


class RangeReversion5M(SignalStrategy):
    """Return to the middle band on 5m bars in a quiet range; post-only entries."""


class FundingReversion(SignalStrategy):
    """Fade of extreme funding and basis on 1h bars; leaves when the deviation has gone."""


CLASSES: dict[str, type[SignalStrategy]] = {
    "breakout_4h": Breakout4H,
    "volatility_expansion_15m": VolatilityExpansion15M,
    "range_reversion_5m": RangeReversion5M,
    "funding_reversion": FundingReversion,
}


def build(spec: StrategySpec) -> SignalStrategy:
    """Return an unconnected strategy of a spec; `setup` comes next."""
    cls = CLASSES.get(spec.name, SignalStrategy)
    return cls(StrategyConfig(strategy_id=StrategyId(f"{cls.__name__}-001"), order_id_tag=spec.tag))
