"""Resampling: stationary bootstrap, superior predictive ability, Monte Carlo of trades.

Everything takes a seed and is a pure function of its arguments.

Papers
------
Politis, Romano (1994), The Stationary Bootstrap; Patton, Politis, White (2009) for the block length.
Hansen (2005), A Test for Superior Predictive Ability.  White (2000), A Reality Check for Data Snooping.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from research.statistics.sharpe import Floats

_CHUNK = 2_000_000  # resampled values held at once: 16 MB


def stationary_indices(length: int, mean_block: float, draws: int, seed: int) -> npt.NDArray[np.int64]:
    """Return (draws, length) positions: blocks of geometric length that wrap around the end."""
    if length < 1 or not mean_block >= 1.0:
        raise ValueError(f"length {length} and mean block {mean_block}, expected at least 1 each")
    random = np.random.default_rng(seed)
    starts = random.integers(0, length, size=(draws, length))
    fresh = random.random((draws, length)) < 1.0 / mean_block
    fresh[:, 0] = True
    position = np.arange(length)
    last = np.maximum.accumulate(np.where(fresh, position, 0), axis=1)
    origin = np.take_along_axis(starts, last, axis=1)
    indices: npt.NDArray[np.int64] = (origin + position - last) % length
    return indices


def block_length(returns: Floats) -> float:
    """Return the block length of the stationary bootstrap that fits the returns, at least 1."""
    from arch.bootstrap import optimal_block_length

    if len(returns) < 8 or not returns.std() > 0:
        return 1.0
    return max(1.0, float(optimal_block_length(returns)["stationary"].iloc[0]))


def bootstrap_p_value(difference: Floats, mean_block: float, draws: int, seed: int) -> float:
    """Return the one-sided p that the mean of `difference` is not above 0 (paired, centred bootstrap)."""
    if len(difference) < 2:
        return float("nan")
    mean = float(difference.mean())
    centred = difference - mean
    beyond, done, step = 0, 0, max(1, _CHUNK // len(difference))
    while done < draws:
        count = min(step, draws - done)
        picked = stationary_indices(len(difference), mean_block, count, seed + done)
        beyond += int((centred[picked].mean(axis=1) >= mean).sum())
        done += count
    return (beyond + 1) / (draws + 1)


class SuperiorAbility(NamedTuple):
    """p-values that the best of all candidates beats doing nothing by luck alone."""

    lower: float
    consistent: float
    upper: float


def spa_test(returns: Floats, mean_block: int, draws: int, seed: int) -> SuperiorAbility:
    """Return Hansen's studentised test of candidates (columns) against not trading.

    Raises
    ------
    ValueError
        No column ever moves: there is nothing to test.
    """
    from arch.bootstrap import SPA

    moving = returns[:, returns.std(axis=0) > 0]
    if not moving.shape[1]:
        raise ValueError("no candidate has returns that vary, expected at least one")
    test = SPA(np.zeros(len(moving)), -moving, block_size=mean_block, reps=draws, studentize=True, seed=seed)
    test.compute()
    values = test.pvalues
    return SuperiorAbility(float(values["lower"]), float(values["consistent"]), float(values["upper"]))


class MonteCarlo(NamedTuple):
    """Distribution of reshuffled trades; drawdown and loss as shares of the starting equity."""

    drawdown_median: float
    drawdown_p95: float
    profit_factor_p05: float
    ruin_probability: float  # share of paths whose equity ever falls below the floor
    mean_p05: float
    mean_p95: float


def monte_carlo_trades(
    r_multiples: Floats,
    risk_share: float,
    *,
    draws: int,
    mean_block: float,
    seed: int,
    floor: float = 0.70,
) -> MonteCarlo:
    """Resample trades in blocks, each risking `risk_share` of the equity of its moment.

    Parameters
    ----------
    r_multiples
        Net results of the trades in R, in the order of their exits.
    risk_share
        Share of equity that one R costs, for example 0.008.
    draws
        Number of paths, each as long as the record.
    floor
        Equity below this share of the start counts as ruin.
    """
    if not len(r_multiples):
        raise ValueError("there were no trades to resample, expected at least one")
    drawdowns, factors, lows, means = [], [], [], []
    step, done = max(1, _CHUNK // len(r_multiples)), 0
    while done < draws:
        count = min(step, draws - done)
        picked = r_multiples[stationary_indices(len(r_multiples), mean_block, count, seed + done)]
        growth = np.maximum(1.0 + risk_share * picked, 1e-9)
        equity = np.concatenate((np.ones((count, 1)), np.cumprod(growth, axis=1)), axis=1)
        drawdowns.append((1.0 - equity / np.maximum.accumulate(equity, axis=1)).max(axis=1))
        gains, losses = np.maximum(picked, 0).sum(axis=1), np.maximum(-picked, 0).sum(axis=1)
        factors.append(gains / np.where(losses > 0, losses, 1e-12))
        lows.append(equity.min(axis=1))
        means.append(picked.mean(axis=1))
        done += count
    drawdown, factor = np.concatenate(drawdowns), np.concatenate(factors)
    low, mean = np.concatenate(lows), np.concatenate(means)
    return MonteCarlo(
        float(np.median(drawdown)),
        float(np.quantile(drawdown, 0.95)),
        float(np.quantile(factor, 0.05)),
        float((low < floor).mean()),
        float(np.quantile(mean, 0.05)),
        float(np.quantile(mean, 0.95)),
    )
