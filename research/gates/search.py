"""G5: does the best of so many trials differ from the best of so many throws of a coin?

Two routes.  Route 1: the deflated Sharpe ratio of 2025 with the sampling variance of a Sharpe ratio without
an edge and N from the ledger.  Route 2: at least the Sharpe ratio that the best of N trials without an edge
is expected to show; the holdout must then prove it alone (G8).  Why this variance and these routes:
`research/GATES.md`, measured by `make calibrate`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from research.standards.outcome import GateResult, at_least, at_most, reported
from research.standards.spec import GateSpec
from research.statistics.overfitting import pbo_cscv
from research.statistics.resampling import spa_test
from research.statistics.selection import (
    dsr_2014,
    dsr_2025,
    expected_best_sharpe,
    min_backtest_years,
    null_variance,
    sidak,
)
from research.statistics.sharpe import (
    Floats,
    min_track_record_2012,
    moments,
    psr_2012_p_value,
    sharpe_ratio,
)
from research.trials.trial import Trial


@dataclass(frozen=True, slots=True)
class SearchStatistics:
    """Statistics of a whole campaign, one for all its finalists."""

    trials: int  # N: the ledger's count
    days: int
    ranked: int  # trials with enough trades for a column below
    trial_variance: float  # of the daily Sharpe ratios that were seen: reported, never used
    spa_consistent: float
    spa_upper: float
    pbo_gross: float


def search_statistics(trials: Sequence[Trial], count: int, spec: GateSpec, seed: int) -> SearchStatistics:
    """Return the statistics of a campaign; NaN where there is too little to compute one."""
    least = spec.selection.min_trades_to_rank
    ranked = [trial for trial in trials if trial.figures.get("trades", 0.0) >= least]
    if len(ranked) < 2:
        return SearchStatistics(count, 0, len(ranked), math.nan, math.nan, math.nan, math.nan)
    net = np.column_stack([trial.net for trial in ranked])
    gross = np.column_stack([trial.gross for trial in ranked])
    limits = spec.g5_statistics
    spa = spa_test(net, limits.spa_block_days, limits.spa_draws, seed)
    seen = np.array([sharpe_ratio(column) for column in net.T])
    return SearchStatistics(
        count,
        len(net),
        len(ranked),
        float(np.nanvar(seen, ddof=1)),
        spa.consistent,
        spa.upper,
        pbo_cscv(gross, limits.pbo_blocks).pbo,
    )


def search_gate(returns: Floats, search: SearchStatistics, spec: GateSpec) -> GateResult:
    """Judge a finalist's daily returns against the size of the search."""
    limits, days = spec.g5_statistics, len(returns)
    sharpe = sharpe_ratio(returns)
    skew, kurtosis = moments(returns)
    year = spec.windows.observations_per_year
    variance = null_variance(days)
    best_of_luck = expected_best_sharpe(variance, search.trials)
    deflated = dsr_2025(sharpe, days, skew, kurtosis, variance, search.trials)
    route = 1.0 if deflated >= limits.dsr_2025_min else 2.0 if sharpe >= best_of_luck else 0.0
    p_value = psr_2012_p_value(sharpe, 0.0, days, skew, kurtosis)
    scale = math.sqrt(year)
    return GateResult.of(
        "G5",
        at_least("route", route, 1.0),
        at_most("spa_consistent", search.spa_consistent, limits.spa_consistent_max),
        at_most("pbo_gross", search.pbo_gross, limits.pbo_max),
        at_most(
            "min_track_record_days",
            min_track_record_2012(sharpe, 0.0, skew, kurtosis, limits.min_track_record_alpha),
            days,
        ),
        at_most(
            "min_backtest_years",
            min_backtest_years(search.trials, sharpe * scale) if sharpe > 0 else math.nan,
            days / year,
        ),
        reported("dsr_2025", deflated),
        reported("sharpe", sharpe * scale),
        reported("sharpe_best_of_luck", best_of_luck * scale),
        reported("trials", search.trials),
        reported(
            "dsr_2014_empirical",
            dsr_2014(sharpe, days, skew, kurtosis, search.trial_variance, search.trials),
        ),
        reported("dsr_2014_null", dsr_2014(sharpe, days, skew, kurtosis, variance, search.trials)),
        reported("sidak_p", sidak(p_value, search.trials)),
    )
