"""G6: does it survive worse costs, a late order, moved parameters, another order of its trades?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from research.dsl import Document
from research.screen import ScreenResult
from research.standards.outcome import Check, GateResult, above, at_least, at_most, reported
from research.statistics.performance import profit_factor, without_best
from research.statistics.resampling import block_length, monte_carlo_trades
from research.statistics.sharpe import Floats
from research.trials.sizing import desk_risk_share, r_in_exit_order
from research.trials.trial import Laboratory


def robustness_gate(
    laboratory: Laboratory, document: Document, result: ScreenResult, daily_net: Floats, seed: int
) -> GateResult:
    """Judge a finalist under stress.

    Parameters
    ----------
    result
        The document over the research window.
    daily_net : (n_days, n_variants)
        Net returns of the document (first column) and of its neighbours.
    """
    return GateResult.of(
        "G6",
        *_costs(laboratory, document),
        *_moves(laboratory, daily_net),
        *_trades(laboratory, result, seed),
    )


def _costs(laboratory: Laboratory, document: Document) -> Sequence[Check]:
    limits, span = laboratory.spec.g6_robustness, laboratory.windows.research
    dear, dearer = (
        laboratory.screen([document], span, cost_multiplier=multiplier)[0]
        for multiplier in (limits.cost_multiplier, limits.cost_multiplier_reported)
    )
    late = laboratory.screen([document], span, bar_delay=limits.delay_bars)[0]

    def sharpe(screened: ScreenResult) -> float:
        return laboratory.sharpe(laboratory.daily(screened, span))

    return (
        above("cost_sharpe", sharpe(dear), 0.0),
        at_least("cost_profit_factor", profit_factor(dear.trades.net), limits.cost_profit_factor_min),
        reported("cost_x3_sharpe", sharpe(dearer)),
        above("late_sharpe", sharpe(late), 0.0),
    )


def _moves(laboratory: Laboratory, daily_net: Floats) -> Sequence[Check]:
    limits = laboratory.spec.g6_robustness
    ratios = np.array([laboratory.sharpe(column) for column in daily_net.T])
    base, moved = ratios[0], np.nan_to_num(ratios[1:], nan=-np.inf)  # a move that stops trading loses all
    if not len(moved) or not base > 0:
        return (
            at_least("moves_keep_half", math.nan, limits.moves_keep_half_min),
            at_least("move_worst", math.nan, limits.move_worst_min),
        )
    kept = moved / base
    return (
        at_least("moves_keep_half", float((kept >= 0.5).mean()), limits.moves_keep_half_min),
        at_least("move_worst", float(np.maximum(kept.min(), -1e9)), limits.move_worst_min),
        reported("moves", len(moved)),
    )


def _trades(laboratory: Laboratory, result: ScreenResult, seed: int) -> Sequence[Check]:
    limits, risk = laboratory.spec.g6_robustness, laboratory.spec.risk
    multiples = r_in_exit_order(result.trades)
    if not len(multiples):
        return (at_most("drawdown_p95", math.nan, limits.drawdown_p95_max),)
    share = risk.canary_shares[-1] * desk_risk_share(result.trades, risk)
    block, draws = block_length(multiples), limits.monte_carlo_draws

    def resampled(risk_share: float, paths: int) -> tuple[float, float, float, float]:
        found = monte_carlo_trades(
            multiples, risk_share, draws=paths, mean_block=block, seed=seed, floor=limits.ruin_equity
        )
        return found.drawdown_p95, found.profit_factor_p05, found.ruin_probability, found.drawdown_median

    drawdown, factor, ruin, median = resampled(share, draws)
    full, *_ = resampled(risk.per_trade_pct / 100.0, max(200, draws // 10))
    left = without_best(result.trades.net, limits.best_trades_share)
    return (
        at_most("drawdown_p95", drawdown, limits.drawdown_p95_max),
        at_least("profit_factor_p05", factor, limits.profit_factor_p05_min),
        at_most("ruin_probability", ruin, limits.ruin_probability_max),
        at_least("without_best_profit_factor", profit_factor(left), limits.without_best_profit_factor_min),
        reported("drawdown_median", median),
        reported("risk_share", share),
        reported("drawdown_p95_full_risk", full),
    )
