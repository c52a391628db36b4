"""G4: walk-forward out of sample, and combinatorial purged cross-validation for tuned parameters.

The document is tuned again before every fold, among itself and its neighbours, on what lies before the fold;
the winner then trades the fold from flat.  Purge: the last days before a fold that share bars with it through
indicators or open trades are not used for tuning; the embargo adds days.  Sources: Lopez de Prado (2018),
Advances in Financial Machine Learning, chapters 7 and 12.  Walk-forward efficiency is a veto only: its
thresholds in the literature are miscalibrated; the stitched Sharpe ratio decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from research.dsl import Document
from research.standards.outcome import Check, GateResult, above, at_least, reported
from research.standards.spec import GateSpec
from research.statistics.overfitting import split_count
from research.statistics.performance import profit_factor
from research.statistics.sharpe import Floats, sharpe_ratio
from research.trials.trial import Laboratory
from research.trials.windows import Span

_SHORTEST_TRAINING_DAYS = 30

type Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Separation:
    """Days that keep training and test apart."""

    purge_days: int
    embargo_days: int


def separation(document: Document, lookback_bars: int, research_days: int, spec: GateSpec) -> Separation:
    """Return purge and embargo of a document; a time stop in settlements counts eight hours each."""
    stop = document.time_stop
    minutes = lookback_bars * document.minutes
    minutes += stop.bars * document.minutes if stop.bars is not None else (stop.settlements or 0) * 480
    embargo = max(spec.windows.embargo_days_min, math.ceil(spec.windows.embargo_share * research_days))
    return Separation(math.ceil(minutes / 1440), embargo)


def walk_forward_gate(
    laboratory: Laboratory,
    variants: Sequence[Document],
    daily_net: Floats,
    apart: Separation,
    *,
    tuned: bool,
) -> GateResult:
    """Judge the tuning of a document on folds it was not tuned on.

    Parameters
    ----------
    variants
        The document first, then its neighbours.
    daily_net : (n_days, n_variants)
        Their net returns over the research window.
    tuned
        The generator fitted parameters: cross-validation decides too.
    """
    spec, research = laboratory.spec, laboratory.windows.research
    limits = spec.g4_walk_forward
    edges = np.linspace(0, research.days, spec.windows.folds + 2).astype(int)  # the first part trains only
    stitched, trades, efficiency_in, efficiency_out, positive = [], [], [], [], 0
    for start, end in pairwise(edges[1:]):
        training = daily_net[: max(0, int(start) - apart.purge_days - apart.embargo_days)]
        chosen = best_of(training)
        fold = research.part(int(start), int(end - start))
        result = laboratory.screen([variants[chosen]], fold)[0]
        returns = laboratory.daily(result, fold)
        stitched.append(returns)
        trades.append(result.trades.net)
        positive += bool(returns.sum() > 0)
        if len(training) >= _SHORTEST_TRAINING_DAYS:
            efficiency_in.append(training[:, chosen].mean())
            efficiency_out.append(returns.mean())
    checks = [
        at_least("oos_profit_factor", profit_factor(np.concatenate(trades)), limits.profit_factor_min),
        at_least("oos_sharpe", laboratory.sharpe(np.concatenate(stitched)), limits.sharpe_min),
        at_least("folds_positive", positive, limits.folds_positive_min),
        at_least("efficiency", _ratio(efficiency_out, efficiency_in), limits.efficiency_min),
    ]
    return GateResult.of("G4", *checks, _cross_validated(laboratory, daily_net, apart, tuned=tuned))


def _cross_validated(laboratory: Laboratory, daily_net: Floats, apart: Separation, *, tuned: bool) -> Check:
    limits, scale = laboratory.spec.g4_walk_forward, laboratory.spec.windows.observations_per_year**0.5
    paths = cpcv_sharpes(daily_net, limits.cpcv_groups, limits.cpcv_test_groups, apart) * scale
    lowest = float(np.quantile(paths, 0.05)) if np.isfinite(paths).all() else math.nan
    if tuned:
        return above("cpcv_sharpe_p05", lowest, limits.cpcv_sharpe_p05_min)
    return reported("cpcv_sharpe_p05", lowest)


def best_of(training: Floats) -> int:
    """Return the column with the best Sharpe ratio; the first where the training is too short to tell."""
    if len(training) < _SHORTEST_TRAINING_DAYS:
        return 0
    deviation = training.std(axis=0, ddof=1)
    ratio = np.where(deviation > 1e-12, training.mean(axis=0) / np.maximum(deviation, 1e-12), -np.inf)
    return int(ratio.argmax())


def cpcv_sharpes(daily_net: Floats, groups: int, test_groups: int, apart: Separation) -> Floats:
    """Return the Sharpe ratio, per observation, of each path of combinatorial purged cross-validation."""
    days = len(daily_net)
    edges = np.linspace(0, days, groups + 1).astype(int)
    _, paths = split_count(groups, test_groups)
    path_returns = np.full((paths, days), np.nan)
    used = np.zeros(groups, int)  # how many paths each group is in already
    for tested in combinations(range(groups), test_groups):
        spans = [Span(int(edges[group]), int(edges[group + 1] - edges[group])) for group in tested]
        training = daily_net[training_days(days, spans, apart)]
        chosen = best_of(training)
        for group, span in zip(tested, spans, strict=True):
            rows = slice(span.first, span.first + span.days)
            path_returns[used[group], rows] = daily_net[rows, chosen]
            used[group] += 1
    return np.array([sharpe_ratio(path) for path in path_returns])


def training_days(days: int, tests: Sequence[Span], apart: Separation) -> Mask:
    """Return which days may train: outside the tests, their purge on both sides and the embargo behind."""
    free = np.ones(days, bool)
    for test in tests:
        first = max(0, test.first - apart.purge_days)
        free[first : test.first + test.days + apart.purge_days + apart.embargo_days] = False
    return free


def _ratio(out_of_sample: Sequence[float], in_sample: Sequence[float]) -> float:
    """Return out of sample over in sample; NaN where training earned nothing to compare with."""
    earned = float(np.mean(in_sample)) if in_sample else math.nan
    return float(np.mean(out_of_sample)) / earned if earned > 0 else math.nan
