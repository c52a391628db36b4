"""G2: floors of the screen over the research window.

They come from the original system and are floors only: without an edge they pass in more than half of all
campaigns.  Here a figure that is missing fails instead of passing as zero.
"""

from __future__ import annotations

from collections.abc import Mapping

from research.standards.outcome import GateResult, at_least, at_most
from research.standards.spec import GateSpec


def screen_gate(
    figures: Mapping[str, float], minutes: int, spec: GateSpec, portfolio_drawdown: float | None = None
) -> GateResult:
    """Judge the figures of a trial.

    Parameters
    ----------
    figures
        `trial_figures` of the research window; a missing one is NaN.
    minutes
        Timeframe of the document.
    portfolio_drawdown
        Drawdown of the champions over the same window; None while there is no champion.
    """
    limits = spec.g2_screen
    nan = float("nan")
    allowed = (
        limits.drawdown_max
        if portfolio_drawdown is None
        else limits.drawdown_over_portfolio_max * portfolio_drawdown
    )
    least = limits.trades_min_4h if minutes >= 240 else limits.trades_min
    return GateResult.of(
        "G2",
        at_least("trades", figures.get("trades", nan), least),
        at_least("trades_per_fold", figures.get("trades_per_fold", nan), limits.trades_per_fold_min),
        at_least("profit_factor", figures.get("profit_factor", nan), limits.profit_factor_min),
        at_least("sharpe", figures.get("sharpe", nan), limits.sharpe_min),
        at_most("drawdown", figures.get("drawdown", nan), allowed),
        at_least("exposure_low", figures.get("exposure", nan), limits.exposure_min),
        at_most("exposure_high", figures.get("exposure", nan), limits.exposure_max),
        at_most(
            "largest_trade_share", figures.get("largest_trade_share", nan), limits.largest_trade_share_max
        ),
    )
