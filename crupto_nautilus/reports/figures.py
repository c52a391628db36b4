"""Figures of a run that are pure functions of arrays: returns, drawdown, trade statistics, bootstrap.

Guarantees: a figure that is not defined (no trades, no losses, no variation) is None, never 0 or infinity;
random resampling is seeded, so the same trades give the same interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.vocabulary import DAY_NS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAYS_A_YEAR = 365
MIN_TRADES_TO_JUDGE = 30
BOOTSTRAP_SEED = 20260101
_DRAWS_AT_ONCE = 4_000_000
_NO_VARIATION = 1e-15


def daily_equity(ts: Ints, equity: Floats, start_ns: int, end_ns: int, start_equity: float) -> Floats:
    """Return equity at the start and at the end of each UTC day of (start, end]; shape (n_days + 1,).

    A bar that closes at 00:00 belongs to the day it ends.  A day without a sample keeps the equity of the day
    before; first and last day may be partial.
    """
    first, last = start_ns // DAY_NS, max(start_ns, end_ns - 1) // DAY_NS
    ends = (np.arange(first, last + 1) + 1) * DAY_NS
    index = np.searchsorted(ts, ends, side="right") - 1
    values = np.where(index >= 0, equity[np.maximum(index, 0)] if len(equity) else start_equity, start_equity)
    return np.concatenate(([start_equity], values)).astype(np.float64)


def simple_returns(values: Floats) -> Floats:
    """Return value[i] / value[i - 1] - 1."""
    return values[1:] / values[:-1] - 1.0


def sharpe(returns: Floats) -> float | None:
    """Return mean / sample deviation * sqrt(365) of daily returns, risk-free rate 0."""
    if len(returns) < 2:
        return None
    deviation = float(np.std(returns, ddof=1))
    return float(np.mean(returns)) / deviation * math.sqrt(DAYS_A_YEAR) if deviation > _NO_VARIATION else None


def sortino(returns: Floats) -> float | None:
    """Return mean / downside deviation * sqrt(365); target 0, deviation over ALL days (Sortino 1994)."""
    if len(returns) < 2:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns)) / downside * math.sqrt(DAYS_A_YEAR) if downside > _NO_VARIATION else None


def volatility_pct(returns: Floats) -> float | None:
    """Return the annualised sample deviation of daily returns, percent."""
    return float(np.std(returns, ddof=1)) * math.sqrt(DAYS_A_YEAR) * 100 if len(returns) > 1 else None


def drawdown_pct(values: Floats) -> Floats:
    """Return value / highest value so far - 1, percent, at most 0."""
    return (values / np.maximum.accumulate(values) - 1.0) * 100.0


def longest_drawdown_days(ts: Ints, values: Floats) -> float | None:
    """Return the longest time below an earlier high, in days; None without samples."""
    if not len(values):
        return None
    at_high = values >= np.maximum.accumulate(values)
    last_high = np.maximum.accumulate(np.where(at_high, ts, ts[0]))
    return float(np.max(ts - last_high)) / DAY_NS


@dataclass(frozen=True, slots=True)
class Interval:
    """Mean of R with its bootstrap interval; None where there are fewer than two trades."""

    mean: float | None
    low: float | None
    high: float | None


def bootstrap_mean(values: Floats, level: float = 0.95, resamples: int = 4000) -> Interval:
    """Return the mean and its percentile bootstrap interval (Efron 1979); values taken as independent."""
    count = len(values)
    if count == 0:
        return Interval(None, None, None)
    mean = float(np.mean(values))
    if count < 2:
        return Interval(mean, None, None)
    random = np.random.default_rng(BOOTSTRAP_SEED)
    means = np.empty(resamples)
    block = max(1, _DRAWS_AT_ONCE // count)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        means[start : start + size] = values[random.integers(0, count, (size, count))].mean(axis=1)
    low, high = np.percentile(means, [50 * (1 - level), 50 * (1 + level)])
    return Interval(mean, float(low), float(high))


def trade_figures(net: Floats, r: Floats) -> dict[str, Any]:
    """Return profit factor, win rate, average win and loss, expectancy and its interval of closed trades."""
    wins, losses = r[net > 0], r[net < 0]
    lost = float(-net[net < 0].sum())
    interval = bootstrap_mean(r)
    return {
        "trades": len(net),
        "win_rate_pct": 100.0 * len(wins) / len(net) if len(net) else None,
        "profit_factor": float(net[net > 0].sum()) / lost if lost > 0 else None,
        "avg_win_r": float(np.mean(wins)) if len(wins) else None,
        "avg_loss_r": float(np.mean(losses)) if len(losses) else None,
        "mean_r": interval.mean,
        "mean_r_low": interval.low,
        "mean_r_high": interval.high,
        "best_r": float(r.max()) if len(r) else None,
        "worst_r": float(r.min()) if len(r) else None,
        "pnl_r": float(r.sum()),
        "longest_losing_streak": _longest_run(net < 0),
    }


def _longest_run(flags: NDArray[np.bool_]) -> int:
    padded = np.concatenate(([0], flags.astype(np.int8), [0]))
    edges = np.flatnonzero(np.diff(padded))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def covered_ns(opens: Ints, closes: Ints) -> int:
    """Return the length of the union of the intervals [open, close]."""
    if not len(opens):
        return 0
    order = np.argsort(opens, kind="stable")
    starts, ends = opens[order], np.maximum.accumulate(closes[order])
    gaps = np.maximum(0, starts[1:] - ends[:-1])
    return int(ends[-1] - starts[0] - gaps.sum())
