"""Tests of a single Sharpe ratio: how sure is it, how long must it be watched.

Conventions of the whole package: Sharpe ratios are per observation (never annualised), kurtosis is
non-excess (3 for a normal), probabilities are one-sided.  Everything is a plain formula of the paper named;
a value that cannot be computed is NaN, which every gate treats as failed.

Papers
------
Bailey, Lopez de Prado (2012), The Sharpe Ratio Efficient Frontier, SSRN 1821643.
Lopez de Prado, Lipton, Zoonekynd (2025), How to use the Sharpe ratio, SSRN 5520741.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

type Floats = npt.NDArray[np.float64]

_FLAT = 1e-12  # a standard deviation below this is no risk, and the ratio no number


class Moments(NamedTuple):
    """Skewness and non-excess kurtosis of returns."""

    skew: float
    kurtosis: float


def sharpe_ratio(returns: Floats) -> float:
    """Return mean over sample standard deviation, per observation; NaN for flat or fewer than two returns."""
    if len(returns) < 2:
        return math.nan
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation if deviation > _FLAT else math.nan


def moments(returns: Floats) -> Moments:
    """Return skewness and kurtosis with the population normalisation; NaN for flat returns."""
    if len(returns) < 2 or not float(returns.std()) > _FLAT:
        return Moments(math.nan, math.nan)
    z = (returns - returns.mean()) / returns.std()
    return Moments(float((z**3).mean()), float((z**4).mean()))


def _variance_factor(sharpe: float, skew: float, kurtosis: float) -> float:
    """Return T times the variance of an estimated Sharpe ratio whose true value is `sharpe`."""
    return 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe


def _over(numerator: float, variance: float) -> float:
    """Return numerator / sqrt(variance), NaN where the variance is none."""
    return numerator / math.sqrt(variance) if variance > 0.0 else math.nan


def psr_2012(
    sharpe: float, benchmark: float, observations: int, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Return the probability that the true Sharpe ratio exceeds `benchmark` (2012, equation 9)."""
    factor = _variance_factor(sharpe, skew, kurtosis)
    return float(ndtr(_over((sharpe - benchmark) * math.sqrt(observations - 1), factor)))


def psr_2025(
    sharpe: float, benchmark: float, observations: int, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Return the same probability with the variance taken under the null, at `benchmark` (2025)."""
    factor = _variance_factor(benchmark, skew, kurtosis) / observations
    return float(ndtr(_over(sharpe - benchmark, factor)))


def psr_2012_p_value(
    sharpe: float, benchmark: float, observations: int, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Return 1 - PSR without cancellation, down to 1e-300."""
    factor = _variance_factor(sharpe, skew, kurtosis)
    return float(ndtr(-_over((sharpe - benchmark) * math.sqrt(observations - 1), factor)))


def naive_p_value(sharpe: float, observations: int) -> float:
    """Return the one-sided p of a Sharpe ratio of normal returns, no correction for anything."""
    return float(ndtr(-sharpe * math.sqrt(observations)))


def min_track_record_2012(
    sharpe: float, benchmark: float, skew: float = 0.0, kurtosis: float = 3.0, alpha: float = 0.05
) -> float:
    """Return how many observations make PSR reach 1 - alpha (2012, equation 11); inf where none do."""
    if not sharpe > benchmark:
        return math.nan if math.isnan(sharpe) else math.inf
    factor = _variance_factor(sharpe, skew, kurtosis)
    return 1.0 + factor * (float(ndtri(1.0 - alpha)) / (sharpe - benchmark)) ** 2


def min_track_record_2025(
    sharpe: float, benchmark: float, skew: float = 0.0, kurtosis: float = 3.0, alpha: float = 0.05
) -> float:
    """Return the same length with the variance under the null (2025); inf where no length is enough."""
    if not sharpe > benchmark:
        return math.nan if math.isnan(sharpe) else math.inf
    factor = _variance_factor(benchmark, skew, kurtosis)
    return factor * (float(ndtri(1.0 - alpha)) / (sharpe - benchmark)) ** 2


def critical_sharpe(
    benchmark: float, observations: int, skew: float = 0.0, kurtosis: float = 3.0, alpha: float = 0.05
) -> float:
    """Return the smallest estimate that rejects `benchmark` at size alpha (2025)."""
    variance = _variance_factor(benchmark, skew, kurtosis) / observations
    return benchmark + float(ndtri(1.0 - alpha)) * math.sqrt(variance) if variance > 0.0 else math.nan


def type_2_error(
    benchmark: float,
    true_sharpe: float,
    observations: int,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    alpha: float = 0.05,
) -> float:
    """Return the probability to miss a true Sharpe ratio (2025); power is one minus this."""
    critical = critical_sharpe(benchmark, observations, skew, kurtosis, alpha)
    variance = _variance_factor(true_sharpe, skew, kurtosis) / observations
    return float(ndtr(_over(critical - true_sharpe, variance)))


def false_discovery_rate(prior: float, alpha: float, beta: float) -> float:
    """Return P(no edge | test passed) for a share `prior` of candidates with an edge (2025, pFDR)."""
    false = (1.0 - prior) * alpha
    return false / (false + prior * (1.0 - beta))
