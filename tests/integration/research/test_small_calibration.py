"""A small calibration, by the code of `make calibrate`: it holds, and a broken gate shows in it.

Markets of one year and twenty candidates instead of three years and two hundred; the planted edge is larger
for that, so the rates are no substitute for those of the whole calibration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crupto_nautilus.laboratory.calibrate import calibrate, holds
from crupto_nautilus.laboratory.engine_gate import engine_gate
from research.calibration.simulate import Study, Task, market_of
from research.calibration.table import Row
from research.calibration.textbook import Textbook
from research.campaign.judge import Bench, Finalist, entry_gates, judge_before_holdout, judge_holdout
from research.executors import SerialExecutor
from research.gates.search import search_statistics
from research.generators import GenerationContext
from research.standards import GateResult, GateSpec, load_spec
from research.trials.trial import Laboratory, try_batch
from research.trials.windows import cut
from tests.fakes.research import frame_of, traded_history
from tests.fakes.research_work import no_engine_here

BARS, CANDIDATES = 24 * 365, 20
EDGE = 0.035
MARTINGALES = [Task("martingale", 50_000 + number) for number in range(3)]
DESTROYED = [Task("destroyed", 50_000)]
PLANTED = [Task("planted", 50_001, EDGE), Task("planted", 50_003, EDGE)]


def _spec(**changes: dict[str, float]) -> GateSpec:
    """Return the gate file with fewer draws and one run of the engine, and with some limits changed."""
    values = load_spec().model_dump()
    fewer = {
        "g3_engine": {"runs": 1},
        "g5_statistics": {"spa_draws": 200},
        "g6_robustness": {"monte_carlo_draws": 1000},
    }
    for part in (fewer, changes):
        for name, limits in part.items():
            values[name] |= limits
    return GateSpec.model_validate(values)


def _study(spec: GateSpec) -> Study:
    return Study(
        spec,
        engine=engine_gate,
        frames=(frame_of(traded_history(3000, 5)),),
        bars=BARS,
        candidates=CANDIDATES,
    )


def _table(study: Study, tasks: Sequence[Task], lines: Path) -> list[Row]:
    return calibrate(study, tasks, lines, SerialExecutor())


def test_it_promotes_no_luck_and_finds_strong_edges(tmp_path: Path) -> None:
    tasks, lines = [*MARTINGALES, *DESTROYED, *PLANTED], tmp_path / "lines.jsonl"
    table = _table(_study(_spec()), tasks, lines)
    assert [(row.kind, row.promoted, row.campaigns) for row in table] == [
        ("martingale", 0, len(MARTINGALES)),
        ("destroyed", 0, len(DESTROYED)),
        ("planted", len(PLANTED), len(PLANTED)),
    ]
    assert all(holds(row) for row in table)
    written = lines.read_text()
    assert _table(_study(_spec()), tasks, lines) == table
    assert lines.read_text() == written  # nothing was computed twice


GATES = {"screen": "G2", "walk_forward": "G4", "search": "G5", "robustness": "G6", "holdout": "G8"}


def _break(monkeypatch: pytest.MonkeyPatch, name: str, verdict: GateResult) -> None:
    """Let a gate say the same of every candidate."""
    monkeypatch.setattr(f"research.campaign.judge.{name}_gate", lambda *_, **__: verdict)


def test_gates_without_teeth_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, gate in GATES.items():
        _break(monkeypatch, name, GateResult.not_applicable(gate, "asks nothing"))
    study = replace(_study(_spec()), engine=no_engine_here)
    (row,) = _table(study, MARTINGALES[:1], tmp_path / "lines.jsonl")
    assert (row.promoted, holds(row)) == (1, False)


@pytest.mark.parametrize("name", GATES)
def test_a_gate_that_lets_nothing_through_is_noticed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break(monkeypatch, name, GateResult.error(GATES[name], "broken"))
    study = replace(_study(_spec()), engine=no_engine_here)
    (row,) = _table(study, PLANTED[:1], tmp_path / "lines.jsonl")
    assert (row.promoted, holds(row)) == (0, False)


@pytest.fixture(scope="module")
def verdicts() -> dict[str, list[dict[str, GateResult]]]:
    """Return what every gate says, alone, of the best candidate of each market."""
    study = _study(_spec())
    return {
        "null": [_best(study, task) for task in MARTINGALES],
        "planted": [_best(study, task) for task in PLANTED[:1]],
    }


def _best(study: Study, task: Task) -> dict[str, GateResult]:
    market = market_of(study, task)
    laboratory = Laboratory(market, cut(market, study.spec), study.spec)
    documents = Textbook().propose(study.candidates, task.seed, GenerationContext())
    trials = try_batch(laboratory, documents)
    traded = [
        (trial, document)
        for trial, document in zip(trials, documents, strict=True)
        if trial.figures["trades"] >= 50
    ]
    trial, document = max(traded, key=lambda one: np.nan_to_num(one[0].sharpe, nan=-math.inf))
    finalist = Finalist(document, trial, entry_gates(document, trial, laboratory, is_new=True))
    search = search_statistics(trials, len(trials), study.spec, task.seed)
    bench = Bench(laboratory, search, seed=task.seed, engine=no_engine_here)
    before = {gate.gate: gate for gate in judge_before_holdout(bench, finalist)}
    gates = [*finalist.entry, *before.values(), judge_holdout(bench, finalist, before["G5"].value("route"))]
    return {gate.gate: gate for gate in gates}


@pytest.mark.parametrize("gate", GATES.values())
def test_each_gate_alone_tells_luck_from_an_edge(
    gate: str, verdicts: dict[str, list[dict[str, GateResult]]]
) -> None:
    assert all(found[gate].passed for found in verdicts["planted"]), [
        f[gate].why() for f in verdicts["planted"]
    ]
    refused = sum(not found[gate].passed for found in verdicts["null"])
    assert refused >= len(verdicts["null"]) / 2
