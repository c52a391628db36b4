"""G9 and G10: shadow and canary against what research led to expect; and when a challenger has to go.

Every value is of data time.  Nothing observed, or too little, fails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from research.probation.observation import Expectation, Observation, drawdown, together
from research.standards.outcome import GateResult, at_least, at_most, below, reported
from research.standards.spec import GateSpec
from research.statistics.sharpe import Floats


def shadow_gate(
    observations: Sequence[Observation], expectation: Expectation, spec: GateSpec, seed: int
) -> GateResult:
    """Judge all shadow runs of one label together."""
    limits, r = spec.g9_shadow, together(observations)
    expected = expectation.of(len(r), limits.band, seed)
    mean = float(r.mean()) if len(r) else math.nan
    wanted = sum(one.signals_expected for one in observations)
    equal = sum(one.signals_equal for one in observations)
    excess = np.array([value for one in observations for value in one.slippage_excess_bps], float)
    return GateResult.of(
        "G9",
        at_least("days", sum(one.days for one in observations), limits.days_min),
        at_least("trades", len(r), limits.trades_min),
        at_least("parity", equal / wanted if wanted else math.nan, limits.parity_min),
        at_most("slippage_excess_bps", _mean(excess), limits.slippage_excess_bps_max),
        below("slippage_t", _t_value(excess), limits.slippage_t_max),
        at_least("mean_r", mean, expected.mean_low),
        at_most("mean_r_high", mean, expected.mean_high),
        at_most(
            "drawdown",
            drawdown(r, expectation.risk_share) if len(r) else math.nan,
            limits.drawdown_over_median_max * expected.drawdown_median,
        ),
        note=f"{len(observations)} runs, {observations[0].label if observations else 'no'} evidence",
    )


def canary_gate(
    observations: Sequence[Observation], expectation: Expectation, spec: GateSpec, seed: int, *, second: bool
) -> GateResult:
    """Judge all canary runs of one label at one share of risk."""
    limits, r = spec.g10_canary, together(observations)
    expected = expectation.of(len(r), 1.0 - 2.0 * limits.band_breach_alpha, seed)
    return GateResult.of(
        "G10",
        at_least(
            "days",
            sum(one.days for one in observations),
            limits.second_days_min if second else limits.first_days_min,
        ),
        at_least("trades", len(r), 1 if second else limits.first_trades_min),
        at_least("mean_r", float(r.mean()) if len(r) else math.nan, expected.mean_low),
        at_most(
            "drawdown", drawdown(r, expectation.risk_share) if len(r) else math.nan, expected.drawdown_p95
        ),
        reported("stage", 2.0 if second else 1.0),
        note=f"{len(observations)} runs, {observations[0].label if observations else 'no'} evidence",
    )


def breach(observation: Observation, expectation: Expectation, spec: GateSpec, seed: int) -> str:
    """Return what one run says against its challenger, or nothing; a run without trades says nothing."""
    r = np.array(observation.r, float)
    if not len(r):
        return ""
    expected = expectation.of(len(r), 1.0 - 2.0 * spec.g10_canary.band_breach_alpha, seed)
    fall = drawdown(r, expectation.risk_share)
    if fall > expected.drawdown_p95:
        return f"drawdown {fall:.4f} beyond the expected {expected.drawdown_p95:.4f}"
    if r.mean() < expected.mean_low:
        return f"mean {r.mean():.3f} R below the expected {expected.mean_low:.3f}"
    return ""


def must_go(breaches: Sequence[str], spec: GateSpec) -> bool:
    """Tell whether the last runs, oldest first, broke their band often enough in a row."""
    needed = spec.g10_canary.breaches_to_demote
    return len(breaches) >= needed and all(breaches[-needed:])


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _t_value(values: Floats) -> float:
    """Return the one-sided t of a mean above 0; fills that all agree have none above it."""
    if len(values) < 2:
        return math.nan
    deviation = float(values.std(ddof=1))
    if deviation < 1e-9:
        return 0.0 if abs(float(values.mean())) < 1e-6 else math.copysign(1e9, float(values.mean()))
    return float(values.mean()) / deviation * math.sqrt(len(values))
