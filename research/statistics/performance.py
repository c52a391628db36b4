"""Figures of a curve or of trades: drawdown, profit factor, what one trade carries."""

from __future__ import annotations

import math

import numpy as np

from research.statistics.sharpe import Floats


def max_drawdown(equity: Floats) -> float:
    """Return the deepest fall from a peak as a share of the peak, 0 to 1.

    Raises
    ------
    ValueError
        Equity is empty, not finite or not positive at its first value.
    """
    if not len(equity) or not np.isfinite(equity).all() or not equity[0] > 0:
        raise ValueError("equity was empty, not finite or not positive, expected a curve above 0")
    peak = np.maximum.accumulate(equity)
    return float((1.0 - equity / peak).max())


def additive_drawdown(returns: Floats) -> float:
    """Return the deepest fall of the sum of returns, in units of the starting equity (a constant stake)."""
    if not len(returns):
        return math.nan
    curve = np.concatenate(([0.0], np.cumsum(returns)))
    return float((np.maximum.accumulate(curve) - curve).max())


def profit_factor(trades: Floats) -> float:
    """Return gains over losses; NaN without trades, infinity where nothing was lost."""
    if not len(trades):
        return math.nan
    gains, losses = float(trades[trades > 0].sum()), float(-trades[trades < 0].sum())
    if losses > 0:
        return gains / losses
    return math.inf if gains > 0 else math.nan


def largest_trade_share(trades: Floats) -> float:
    """Return the best trade's share of the net profit; infinity where there is no net profit."""
    if not len(trades):
        return math.nan
    total = float(trades.sum())
    return float(trades.max()) / total if total > 0 else math.inf


def without_best(trades: Floats, share: float) -> Floats:
    """Return the trades without their best `share` (rounded up: at least one goes)."""
    removed = math.ceil(share * len(trades))
    return np.sort(trades)[: len(trades) - removed]
