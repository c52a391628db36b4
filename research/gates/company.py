"""G7: what a candidate adds to the champions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from research.standards.outcome import GateResult, at_least, at_most
from research.standards.spec import GateSpec
from research.statistics.sharpe import Floats, sharpe_ratio


def company_gate(returns: Floats, champions: Mapping[str, Floats], spec: GateSpec) -> GateResult:
    """Judge a finalist beside the champions.

    The portfolio holds every champion at equal volatility; the candidate is added with the last canary share
    of one champion's volatility.  A champion that never traded in the window says nothing and is left out.
    """
    moving = {name: series for name, series in champions.items() if series.std() > 0}
    if not moving:
        return GateResult.not_applicable("G7", "no champion traded in the research window")
    if not returns.std() > 0:
        return GateResult.error("G7", "the candidate's returns do not vary")
    correlations = {name: float(np.corrcoef(returns, series)[0, 1]) for name, series in moving.items()}
    closest = max(correlations, key=lambda name: correlations[name])
    before = np.sum([series / series.std(ddof=1) for series in moving.values()], axis=0)
    after = before + spec.risk.canary_shares[-1] * returns / returns.std(ddof=1)
    return GateResult.of(
        "G7",
        at_most("correlation", correlations[closest], spec.g7_portfolio.correlation_max),
        at_least("portfolio_sharpe_change", sharpe_ratio(after) - sharpe_ratio(before), 0.0),
        note=f"closest champion: {closest}",
    )
