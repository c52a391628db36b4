"""The gate file and its page; what is no number never passes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from research.errors import ResearchError
from research.gates.company import company_gate
from research.gates.document import render
from research.gates.holdout import holdout_gate
from research.gates.screen_floors import screen_gate
from research.gates.walk_forward import Separation, cpcv_sharpes, training_days
from research.standards import GateResult, Status, load_spec
from research.standards.outcome import at_least, at_most, reported
from research.standards.spec import DEFAULT_SPEC
from research.trials.windows import Span, cut_days

SPEC = load_spec()
GOOD = {
    "trades": 300.0, "trades_per_fold": 20.0, "profit_factor": 1.5, "sharpe": 2.0, "drawdown": 0.05,
    "exposure": 0.3, "largest_trade_share": 0.05,
}  # fmt: skip


def test_the_page_says_what_the_gate_file_says(project_dir: Path) -> None:
    assert (project_dir / "research" / "GATES.md").read_text() == render()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_never_passes(value: float) -> None:
    assert not at_least("x", value, -1e9).passed
    assert not at_most("x", value, 1e9).passed


def test_a_gate_without_a_deciding_check_fails() -> None:
    assert GateResult.of("G5", reported("sharpe", 3.0)).status is Status.FAILED


def test_good_figures_pass_the_floors() -> None:
    assert screen_gate(GOOD, 60, SPEC).passed


@pytest.mark.parametrize("name", list(GOOD))
def test_each_missing_figure_fails_the_floors(name: str) -> None:
    figures = {key: value for key, value in GOOD.items() if key != name}
    assert not screen_gate(figures, 60, SPEC).passed


def test_a_verdict_reads_back_from_its_ledger_line() -> None:
    gate = screen_gate(GOOD | {"sharpe": math.nan}, 60, SPEC)
    again = GateResult.from_body(gate.to_body())
    assert (again.status, again.why()) == (gate.status, gate.why())


@pytest.mark.parametrize(
    ("old", "new"),
    [("sharpe_min: 1.0", "sharpe_min: .nan"), ("trades_min: 200", "trade_min: 200"), ("folds: 6", "")],
)
def test_a_wrong_gate_file_is_refused(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "gates.yaml"
    path.write_text(DEFAULT_SPEC.read_text().replace(old, new, 1))
    with pytest.raises(ResearchError, match="cannot be used"):
        load_spec(path)


def test_windows_are_apart_by_the_embargo() -> None:
    windows = cut_days(1000, 1000, SPEC)
    gap = windows.holdout.first - (windows.research.first + windows.research.days)
    assert gap == windows.embargo_days >= max(5, math.ceil(0.01 * windows.research.days))
    assert windows.holdout.first + windows.holdout.days == 2000


def test_training_days_keep_purge_and_embargo_around_a_test() -> None:
    free = training_days(100, [Span(40, 10)], Separation(3, 5))
    assert np.flatnonzero(~free).tolist() == list(range(37, 58))


def test_cross_validation_has_a_path_for_each_group_once() -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.01, (600, 3))
    paths = cpcv_sharpes(returns, 6, 2, Separation(2, 2))
    assert len(paths) == 5
    assert np.isfinite(paths).all()


def test_a_copy_of_a_champion_is_refused_and_an_independent_edge_is_not() -> None:
    random = np.random.default_rng(3)
    champion, other = random.normal(0.001, 0.01, 500), random.normal(0.002, 0.01, 500)
    assert not company_gate(champion * 2, {"one": champion}, SPEC).passed
    assert company_gate(other, {"one": champion}, SPEC).passed
    assert company_gate(other, {}, SPEC).status is Status.NOT_APPLICABLE


def test_route_two_needs_a_certain_holdout() -> None:
    random = np.random.default_rng(5)
    research, weak = random.normal(0.0012, 0.01, 700), random.normal(0.0, 0.01, 300)
    weak += 0.0006 - weak.mean()
    assert holdout_gate(research, weak, 1.0, SPEC).passed
    assert not holdout_gate(research, weak, 2.0, SPEC).passed
    assert not holdout_gate(research, np.zeros(300), 1.0, SPEC).passed
