"""One calibration campaign: candidates, every gate, and beside it what weaker rules would have done.

Guarantees: the verdict is that of the same functions a real campaign uses, all gates on; a campaign depends
on its kind and seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from research.calibration import markets
from research.calibration.textbook import Textbook
from research.campaign.evidence import EngineCheck, LookaheadCheck, no_engine
from research.campaign.judge import (
    Bench,
    Finalist,
    choose_finalists,
    entry_gates,
    judge_before_holdout,
    judge_holdout,
    safely,
)
from research.dsl import Document
from research.gates.lookahead import lookahead_gate
from research.gates.search import search_statistics
from research.generators import GenerationContext
from research.market import Frame, MarketArrays
from research.screen import ScreenResult
from research.standards.outcome import GateResult, Status
from research.standards.spec import GateSpec
from research.statistics.selection import dsr_2014, dsr_2025, null_variance
from research.statistics.sharpe import moments, psr_2012, sharpe_ratio
from research.trials.trial import Laboratory, Trial, try_batch
from research.trials.windows import cut

type Kind = Literal["martingale", "destroyed", "planted"]

BARS = 26_280  # three years of hours
CANDIDATES = 200


@dataclass(frozen=True, slots=True)
class Study:
    """What all campaigns of a calibration share."""

    spec: GateSpec
    lookahead: LookaheadCheck = lookahead_gate
    engine: EngineCheck = no_engine
    frames: tuple[Frame, ...] = ()  # real 1h bars, for the kind `destroyed`: one instrument a campaign
    bars: int = BARS
    candidates: int = CANDIDATES


@dataclass(frozen=True, slots=True)
class Task:
    """One campaign."""

    kind: Kind
    seed: int
    amplitude: float = 0.0

    @property
    def key(self) -> str:
        """Return a name: kind, size of the edge, seed."""
        return f"{self.kind}:{self.amplitude:g}:{self.seed}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one campaign."""

    key: str
    kind: str
    amplitude: float
    seed: int
    promoted: int  # 1: a candidate passed every gate
    finalists: int
    holdout_sharpe: float  # of the candidate with the best research Sharpe ratio
    research_sharpe: float
    weaker: dict[str, bool] = field(default_factory=dict)  # rule -> it would have promoted something
    killed_by: dict[str, int] = field(default_factory=dict)  # gate -> finalists it was the first to kill


def market_of(study: Study, task: Task) -> MarketArrays:
    """Return the market of a campaign; real instruments take turns."""
    if task.kind == "destroyed":
        one = study.frames[task.seed % len(study.frames)]
        return markets.destroyed([one], study.bars, task.seed)
    return markets.planted(study.bars, task.seed, task.amplitude)


def simulate(study: Study, task: Task) -> Outcome:
    """Run one campaign; the work of an executor."""
    market = market_of(study, task)
    laboratory = Laboratory(market, cut(market, study.spec), study.spec)
    documents = Textbook().propose(study.candidates, task.seed, GenerationContext())
    trials = try_batch(laboratory, documents)
    candidates = [
        Finalist(document, trial, entry_gates(document, trial, laboratory, is_new=True))
        for document, trial in zip(documents, trials, strict=True)
    ]
    finalists = choose_finalists(candidates, laboratory)
    promoted, killed = _judge(study, laboratory, trials, finalists, task.seed)
    best = max(candidates, key=lambda one: np.nan_to_num(one.trial.sharpe, nan=-math.inf))
    return Outcome(
        task.key,
        task.kind,
        task.amplitude,
        task.seed,
        promoted,
        len(finalists),
        _holdout_sharpe(laboratory, best),
        best.trial.sharpe,
        weaker_rules(laboratory, candidates),
        killed,
    )


def _judge(
    study: Study, laboratory: Laboratory, trials: list[Trial], finalists: list[Finalist], seed: int
) -> tuple[int, dict[str, int]]:
    if not finalists:
        return 0, {}
    bench = Bench(
        laboratory=laboratory,
        search=search_statistics(trials, len(trials), study.spec, seed),
        seed=seed,
        lookahead=study.lookahead,
        engine=_later,
        stop_at_failure=True,
    )
    killed: dict[str, int] = {}
    for one in finalists:
        gates = judge_before_holdout(bench, one)
        if all(gate.passed for gate in gates):
            route = next(gate for gate in gates if gate.gate == "G5").value("route")
            gates.append(judge_holdout(bench, one, route))
        if all(gate.passed for gate in gates):  # the dearest gate last: the verdict is the same
            gates.append(safely("G3", partial(_engine, study, laboratory, one.document)))
        failed = _first_failure(gates)
        if failed is None:
            return 1, killed  # the campaign has promoted something; more would not change the table
        killed[failed] = killed.get(failed, 0) + 1
    return 0, killed


def _engine(study: Study, laboratory: Laboratory, document: Document) -> GateResult:
    result = laboratory.screen([document], laboratory.windows.research)[0]
    return study.engine(laboratory, document, result)


def _later(laboratory: Laboratory, document: Document, result: ScreenResult) -> GateResult:
    return GateResult.not_applicable("G3", "after the holdout")


def _first_failure(gates: list[GateResult]) -> str | None:
    return next((gate.gate for gate in gates if gate.status is Status.FAILED), None)


def _holdout_sharpe(laboratory: Laboratory, one: Finalist) -> float:
    span = laboratory.windows.holdout
    return laboratory.sharpe(laboratory.daily(laboratory.screen([one.document], span)[0], span))


def weaker_rules(laboratory: Laboratory, candidates: list[Finalist]) -> dict[str, bool]:
    """Return what rules without our corrections say of the same campaign's three best candidates.

    `floors in sample` are the original system's (profit factor 1.3, Sharpe ratio 1.0, 100 trades), `floors`
    adds its floor out of sample (0.8); the others are single statistics at 95 %.
    """
    traded = [one for one in candidates if one.trial.figures.get("trades", 0) >= 100]
    top = sorted(traded, key=lambda one: -np.nan_to_num(one.trial.sharpe, nan=-math.inf))[:3]
    seen = [sharpe_ratio(one.trial.net) for one in candidates if one.trial.figures.get("trades", 0) >= 20]
    empirical = float(np.nanvar(seen, ddof=1)) if len(seen) > 1 else math.nan
    found = dict.fromkeys(("floors in sample", "floors", "PSR", "DSR 2014 empirical", "DSR 2025"), False)
    for one in top:
        net = one.trial.net
        sharpe, (skew, kurtosis), days = sharpe_ratio(net), moments(net), len(net)
        floors = one.trial.sharpe >= 1.0 and one.trial.figures["profit_factor"] >= 1.3
        passed: Mapping[str, Any] = {
            "floors in sample": floors,
            "floors": floors and _holdout_sharpe(laboratory, one) >= 0.8,
            "PSR": psr_2012(sharpe, 0.0, days, skew, kurtosis) >= 0.95,
            "DSR 2014 empirical": dsr_2014(sharpe, days, skew, kurtosis, empirical, len(candidates)) >= 0.95,
            "DSR 2025": dsr_2025(sharpe, days, skew, kurtosis, null_variance(days), len(candidates)) >= 0.95,
        }
        found = {name: found[name] or bool(passed[name]) for name in found}
    return found
