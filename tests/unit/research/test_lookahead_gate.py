"""G1 over several instruments: each is checked, and entries are counted over all of them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from research.gates.lookahead import lookahead_gate
from research.market import Frame
from research.screen import ScreenResult
from research.standards import load_spec
from research.standards.outcome import GateResult
from research.trials.trial import Laboratory
from tests.fakes.histories import History
from tests.fakes.research import document, frame_of, traded_history

LIVELY, SILENT = "AAA-USDT.TEST", "BBB-USDT.TEST"


def market(name: str, moves: bool) -> Frame:
    """Return a market that moves, or one that stands still."""
    made = traded_history(700, 35)
    if moves:
        return frame_of(made, name=name)
    still = np.full(len(made), 100.0)
    return frame_of(
        History(
            replace(made.bars, open=still, high=still, low=still, close=still), made.funding, made.references
        ),
        name=name,
    )


def judged(moves: dict[str, bool]) -> GateResult:
    """Judge a document that enters when the close rises above an average."""
    frames = {name: market(name, it_moves) for name, it_moves in moves.items()}
    trades = SimpleNamespace(
        instrument=np.array([], dtype=object), entry_row=np.array([], int), exit_row=np.array([], int)
    )
    laboratory = SimpleNamespace(
        spec=load_spec(), market=SimpleNamespace(frame=lambda name, _minutes: frames[name])
    )
    return lookahead_gate(
        cast(Laboratory, laboratory), document(),
        cast(ScreenResult, SimpleNamespace(instruments=list(frames), trades=trades)), 1,
    )  # fmt: skip


def figures(result: GateResult) -> dict[str, Any]:
    return {check.name: check.value for check in result.checks}


def test_an_instrument_that_is_never_traded_says_nothing_against_a_document() -> None:
    result = judged({LIVELY: True, SILENT: False})
    assert result.passed, result.why()
    assert figures(result)["entries"] > 3


def test_a_document_that_enters_nowhere_is_not_passed() -> None:
    result = judged({LIVELY: False, SILENT: False})
    assert not result.passed
    assert "entries 0" in result.why()
