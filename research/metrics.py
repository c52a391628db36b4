"""Figures of a candidate from its returns and trades; a figure that cannot be told is NaN, never 0."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from research.trades import Trades
from strategies.compiled import as_one_type, compiled

Floats = NDArray[np.float64]

MINUTES_A_YEAR = 365 * 24 * 60


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the screen says of a candidate; returns are fractions of notional, drawdown is positive."""

    trades: int
    total_net: float
    total_gross: float
    sharpe: float  # annual, of the returns per bar
    sharpe_gross: float
    profit_factor: float  # of net trades; NaN without a losing or without any trade
    win_rate: float
    mean_r: float
    max_drawdown: float  # of the sum of returns
    exposure: float  # share of the bars in a position, 0 to 1
    cost: float
    funding: float
    largest_share: float  # of the gains made by the best trade


def measure(
    ts_event: NDArray[np.int64], net: Floats, gross: Floats, trades: Trades, exposure: float, minutes: int
) -> Metrics:
    """Return the figures of returns per bar of `minutes` and of the trades they came from."""
    count = len(trades)
    gains = float(trades.net[trades.net > 0.0].sum())
    losses = -float(trades.net[trades.net < 0.0].sum())
    per_year = MINUTES_A_YEAR / minutes
    total_net, sharpe, drawdown, total_gross, sharpe_gross = summarise(
        as_one_type(net), as_one_type(gross), per_year
    )
    return Metrics(
        trades=count,
        total_net=total_net,
        total_gross=total_gross,
        sharpe=sharpe,
        sharpe_gross=sharpe_gross,
        profit_factor=gains / losses if losses > 0.0 else math.nan,
        win_rate=float((trades.net > 0.0).mean()) if count else math.nan,
        mean_r=float(trades.r.mean()) if count else math.nan,
        max_drawdown=drawdown,
        exposure=exposure,
        cost=float(trades.cost.sum()),
        funding=float(trades.funding.sum()),
        largest_share=float(trades.net.max()) / gains if gains > 0.0 else math.nan,
    )


@compiled
def summarise(net: Floats, gross: Floats, per_year: float) -> tuple[float, float, float, float, float]:
    """Return sum, annual Sharpe ratio and largest drawdown of the running sum of `net`, then sum and annual
    Sharpe ratio of `gross`; a ratio without variation is NaN.

    The two columns are added side by side: each sum waits for its own last addition only.
    """
    n = len(net)
    total, total_gross, peak, fall = 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        total += net[k]
        total_gross += gross[k]
        peak = max(peak, total)
        fall = max(fall, peak - total)
    mean, mean_gross = total / n, total_gross / n
    squares, squares_gross = 0.0, 0.0
    for k in range(n):
        squares += (net[k] - mean) * (net[k] - mean)
        squares_gross += (gross[k] - mean_gross) * (gross[k] - mean_gross)
    return (
        total,
        _sharpe(mean, squares / n, per_year),
        fall,
        total_gross,
        _sharpe(mean_gross, squares_gross / n, per_year),
    )


@compiled
def _sharpe(mean: float, variance: float, per_year: float) -> float:
    deviation = math.sqrt(variance)
    return mean / deviation * math.sqrt(per_year) if deviation > 0.0 else math.nan
