"""Who becomes a finalist, and what every gate says of each.

Guarantees: pure functions of their arguments (documents, market, gate file, seed), so a verdict can be
computed again bit for bit; a gate that raises has failed as inconclusive, with what it raised as its note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from research.campaign.evidence import EngineCheck, LookaheadCheck, no_engine
from research.dsl import Document
from research.dsl.program import compile_document
from research.dsl.vector import Memo
from research.gates.company import company_gate
from research.gates.holdout import holdout_gate
from research.gates.lookahead import lookahead_gate
from research.gates.robustness import robustness_gate
from research.gates.screen_floors import screen_gate
from research.gates.search import SearchStatistics, search_gate
from research.gates.static import static_gate
from research.gates.walk_forward import separation, walk_forward_gate
from research.screen import ScreenResult
from research.standards.outcome import GateResult
from research.statistics.sharpe import Floats
from research.trials.moves import neighbours
from research.trials.trial import SCREENED, Laboratory, Trial

ORDER = ("G0", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8")


@dataclass(frozen=True, slots=True)
class Bench:
    """What judging a finalist needs beside its document; workers get it once."""

    laboratory: Laboratory
    search: SearchStatistics
    champions: Mapping[str, Floats] = field(default_factory=dict)  # daily net returns of the research window
    seed: int = 0
    tuned: bool = False  # the generator fitted parameters
    lookahead: LookaheadCheck = lookahead_gate
    engine: EngineCheck = no_engine
    stop_at_failure: bool = False  # calibration: the verdict alone is wanted, not every reason


@dataclass(frozen=True, slots=True)
class Finalist:
    """A candidate that goes before every gate, with the verdicts it already has."""

    document: Document
    trial: Trial
    entry: tuple[GateResult, ...]  # G0 and G2


def entry_gates(
    document: Document,
    trial: Trial,
    laboratory: Laboratory,
    *,
    is_new: bool,
    portfolio_drawdown: float | None = None,
) -> tuple[GateResult, ...]:
    """Return G0 and G2 of a trial."""
    spec = laboratory.spec
    static = static_gate(document, spec, is_new=is_new)
    if trial.status != SCREENED:
        return static, GateResult.error("G2", trial.note)
    return static, screen_gate(trial.figures, document.minutes, spec, portfolio_drawdown)


def choose_finalists(candidates: Sequence[Finalist], laboratory: Laboratory) -> list[Finalist]:
    """Return those that pass G0 and G2, best Sharpe ratio first, one a family, as many as the file says.

    Two candidates are one family where their daily gross returns correlate above the file's limit.
    """
    selection = laboratory.spec.selection
    passed = [one for one in candidates if all(gate.passed for gate in one.entry)]
    passed.sort(key=lambda one: (-one.trial.sharpe, one.trial.document_hash))
    chosen: list[Finalist] = []
    for one in passed:
        if len(chosen) == selection.finalists:
            break
        if not any(_alike(one.trial, other.trial) > selection.family_correlation for other in chosen):
            chosen.append(one)
    return chosen


def _alike(first: Trial, second: Trial) -> float:
    if not first.gross.std() > 0 or not second.gross.std() > 0:
        return 0.0
    return float(np.corrcoef(first.gross, second.gross)[0, 1])


def judge_before_holdout(bench: Bench, finalist: Finalist) -> list[GateResult]:
    """Return G1, G4, G5, G6, G7 and, where all before it passed, G3; the work of an executor."""
    laboratory, document = bench.laboratory, finalist.document
    research, spec = laboratory.windows.research, laboratory.spec
    memo = Memo()
    result = laboratory.screen([document], research, memo=memo)[0]
    returns = finalist.trial.net
    family: list[tuple[list[Document], Floats]] = []

    def variants() -> tuple[list[Document], Floats]:
        if not family:
            family.append(_variants(laboratory, document, returns, memo))
        return family[0]

    def walk_forward() -> GateResult:
        documents, daily_net = variants()
        lookback = compile_document(document).ready_bars
        apart = separation(document, lookback, research.days, spec)
        return walk_forward_gate(laboratory, documents, daily_net, apart, tuned=bench.tuned)

    steps: dict[str, Callable[[], GateResult]] = {
        "G5": lambda: search_gate(returns, bench.search, spec),
        "G4": walk_forward,
        "G6": lambda: robustness_gate(laboratory, document, result, variants()[1], bench.seed),
        "G7": lambda: company_gate(returns, bench.champions, spec),
        "G1": lambda: bench.lookahead(laboratory, document, result, bench.seed),
    }
    found: dict[str, GateResult] = {}
    for name, step in steps.items():  # the cheap and deadly ones first
        if bench.stop_at_failure and not all(gate.passed for gate in found.values()):
            found[name] = GateResult.not_run(name, "an earlier gate failed")
        else:
            found[name] = safely(name, step)
    failed = [name for name, gate in found.items() if not gate.passed]
    found["G3"] = (
        GateResult.not_run("G3", f"{', '.join(sorted(failed))} failed")
        if failed
        else safely("G3", lambda: bench.engine(laboratory, document, result))
    )
    return [found[name] for name in ORDER if name in found]


def judge_holdout(bench: Bench, finalist: Finalist, route: float) -> GateResult:
    """Return G8; the caller has recorded that the holdout is open."""
    laboratory = bench.laboratory

    def judged() -> GateResult:
        span = laboratory.windows.holdout
        result = laboratory.screen([finalist.document], span)[0]
        return holdout_gate(finalist.trial.net, laboratory.daily(result, span), route, laboratory.spec)

    return safely("G8", judged)


def _variants(
    laboratory: Laboratory, document: Document, returns: Floats, memo: Memo
) -> tuple[list[Document], Floats]:
    """Return the document and its neighbours with their daily net returns as columns."""
    span = laboratory.windows.research
    near = neighbours(document, laboratory.spec.g6_robustness.parameter_moves)
    screened: Sequence[ScreenResult] = laboratory.screen(near, span, memo=memo)
    columns = [returns, *(laboratory.daily(result, span) for result in screened)]
    return [document, *near], np.column_stack(columns)


def safely(name: str, step: Callable[[], GateResult]) -> GateResult:
    """Return a gate's verdict, or its failure with what it raised."""
    try:
        return step()
    except Exception as error:  # noqa: BLE001 - a gate that cannot be computed has failed, and says why
        return GateResult.error(name, f"{type(error).__name__}: {error}"[:300])
