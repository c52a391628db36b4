"""G8: the newest stretch of history, looked at once."""

from __future__ import annotations

import math

from research.standards.outcome import GateResult, above, at_least, reported
from research.standards.spec import GateSpec
from research.statistics.sharpe import Floats, moments, psr_2012, sharpe_ratio


def holdout_gate(
    research_returns: Floats, holdout_returns: Floats, route: float, spec: GateSpec
) -> GateResult:
    """Judge the daily returns of the holdout against those of the research window."""
    scale = math.sqrt(spec.windows.observations_per_year)
    sharpe = sharpe_ratio(holdout_returns)
    needed = spec.g8_holdout.sharpe_share_min * sharpe_ratio(research_returns) * scale
    skew, kurtosis = moments(holdout_returns)
    certainty = psr_2012(sharpe, 0.0, len(holdout_returns), skew, kurtosis)
    proof = (
        at_least("psr", certainty, spec.g8_holdout.psr_route_2_min)
        if route == 2.0
        else reported("psr", certainty)
    )
    return GateResult.of(
        "G8", above("sharpe", sharpe * scale, 0.0), at_least("sharpe_kept", sharpe * scale, needed), proof
    )
