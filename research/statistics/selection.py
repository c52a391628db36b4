"""The price of having searched: what the best of N trials without an edge looks like.

Papers
------
Bailey, Lopez de Prado (2014), The Deflated Sharpe Ratio, SSRN 2460551.
Bailey, Borwein, Lopez de Prado, Zhu (2014), Pseudo-Mathematics and Financial Charlatanism, SSRN 2308659.
Lopez de Prado, Lipton, Zoonekynd (2025), How to use the Sharpe ratio, SSRN 5520741.
Harvey, Liu (2015), Backtesting, SSRN 2345489.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from research.statistics.sharpe import naive_p_value, psr_2012

_EULER = 0.5772156649015329
_GRID = np.arange(-12.0, 12.0, 1e-3)  # the trapezoid rule is exact to rounding on so smooth a density


class MaximumMoments(NamedTuple):
    """Mean and variance of the largest of k independent standard normals."""

    mean: float
    variance: float


def expected_maximum(trials: int) -> float:
    """Return the expected largest of N standard normals, approximation of the 2014 paper (equation 6)."""
    if trials <= 1:
        return 0.0
    first = float(ndtri(1.0 - 1.0 / trials))
    second = float(ndtri(1.0 - 1.0 / (trials * math.e)))
    return (1.0 - _EULER) * first + _EULER * second


@lru_cache(maxsize=512)
def maximum_moments(trials: int) -> MaximumMoments:
    """Return exact moments of the largest of N standard normals, by integration of its density."""
    if trials < 1:
        raise ValueError(f"trials was {trials}, expected at least 1")
    log_density = (
        math.log(trials) - 0.5 * math.log(2.0 * math.pi) - _GRID**2 / 2.0 + (trials - 1) * log_ndtr(_GRID)
    )
    weight = np.exp(log_density) * 1e-3
    mean = float((weight * _GRID).sum())
    return MaximumMoments(mean, float((weight * (_GRID - mean) ** 2).sum()))


def null_variance(observations: int) -> float:
    """Return the sampling variance of a Sharpe ratio without an edge, 1 / (T - 1).

    The spread of trials in a real search measures turnover rather than chance (costs kill most of them), so
    the empirical variance of the 2014 paper never passes anything; this one is what the gates use.
    """
    return 1.0 / (observations - 1) if observations > 1 else math.nan


def expected_best_sharpe(trial_variance: float, trials: int, trial_mean: float = 0.0) -> float:
    """Return SR0: the Sharpe ratio that the best of N trials without an edge is expected to show."""
    if not trial_variance >= 0.0:
        return math.nan
    return trial_mean + math.sqrt(trial_variance) * expected_maximum(trials)


def dsr_2014(
    sharpe: float, observations: int, skew: float, kurtosis: float, trial_variance: float, trials: int
) -> float:
    """Return the deflated Sharpe ratio of 2014: PSR 2012 against SR0."""
    return psr_2012(sharpe, expected_best_sharpe(trial_variance, trials), observations, skew, kurtosis)


def dsr_2025(
    sharpe: float, observations: int, skew: float, kurtosis: float, trial_variance: float, trials: int
) -> float:
    """Return the deflated Sharpe ratio of 2025: variance at SR0, times that of the largest of N normals."""
    threshold = expected_best_sharpe(trial_variance, trials)
    factor = 1.0 - skew * threshold + (kurtosis - 1.0) / 4.0 * threshold * threshold
    variance = factor / observations * maximum_moments(trials).variance
    return float(ndtr((sharpe - threshold) / math.sqrt(variance))) if variance > 0.0 else math.nan


def min_backtest_years(trials: int, sharpe_target_annual: float) -> float:
    """Return MinBTL: years below which N trials without an edge are expected to show the target Sharpe."""
    return (expected_maximum(trials) / sharpe_target_annual) ** 2


def trials_budget(years: float, sharpe_target_annual: float, ceiling: int = 1_000_000) -> int:
    """Return the largest N whose MinBTL fits in `years`, by bisection, at most `ceiling`."""
    low, high = 1, ceiling
    while low < high:
        middle = (low + high + 1) // 2
        if min_backtest_years(middle, sharpe_target_annual) <= years:
            low = middle
        else:
            high = middle - 1
    return low


def bonferroni(p_value: float, tests: int) -> float:
    """Return the family-wise p of one of `tests` p-values; also Holm's for the smallest of them."""
    return min(1.0, p_value * tests)


def sidak(p_value: float, tests: int) -> float:
    """Return the family-wise p for independent tests, accurate for tiny p."""
    return -math.expm1(tests * math.log1p(-p_value)) if p_value < 1.0 else 1.0


def holm(p_values: list[float]) -> list[float]:
    """Return Holm's adjusted p-values in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def haircut(
    sharpe: float, observations: int, tests: int, method: Literal["bonferroni", "bhy"] = "bonferroni"
) -> float:
    """Return the share of the Sharpe ratio that multiple testing takes away (Harvey and Liu).

    `bhy` is Benjamini-Hochberg-Yekutieli at rank one, an upper bound of the step-up value.
    """
    p_value = naive_p_value(sharpe, observations)
    penalty = 1.0 if method == "bonferroni" else float((1.0 / np.arange(1, tests + 1)).sum())
    adjusted = min(1.0, p_value * tests * penalty)
    left = -float(ndtri(adjusted)) / math.sqrt(observations)
    return 1.0 - max(left, 0.0) / sharpe
