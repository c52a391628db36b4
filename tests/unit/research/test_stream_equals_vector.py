"""The two evaluators of a document agree to the bit: every step, every entry and every exit, on every bar."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from research.dsl import Document
from research.dsl.builtin import BUILTIN, builtin_document
from research.dsl.rule import rule_of
from research.dsl.stream import Stream
from research.dsl.vector import Memo, evaluate
from research.market import Frame
from strategies.batch import replay
from tests.fakes.histories import History
from tests.fakes.research import NAME, frame_of, random_documents, traded_history, with_gaps


def differences(document: Document, history: History, frame: Frame, memo: Memo) -> list[str]:
    """Compare both evaluators of a document and name what differs."""
    said = evaluate(document, frame, memo)
    rule: Any = rule_of(document)()
    stream: Stream = rule._stream
    rows, entries, exits = [], [], []
    for _, setup in replay(rule, NAME, history.bars, history.funding, history.references):
        rows.append(list(stream.values))
        entries.append(0 if setup is None else setup.side)
        exits.append((rule.exit_due(1) is not None, rule.exit_due(-1) is not None))
    table = np.array(rows, float)
    found = []
    for column, (step, values) in enumerate(zip(said.program.steps, said.values, strict=True)):
        if step.frame == 0 and not np.array_equal(
            table[:, column], np.broadcast_to(np.asarray(values, float), len(frame)), equal_nan=True
        ):
            found.append(f"{document.name}: {step.key}")
    if entries != said.entry.tolist():
        found.append(f"{document.name}: entries")
    if exits != list(zip(said.exit_long.tolist(), said.exit_short.tolist(), strict=True)):
        found.append(f"{document.name}: exits")
    return found


@pytest.mark.parametrize(
    ("minutes", "timeframe", "seed", "count", "bars"),
    [(60, "1h", 3, 90, 3000), (15, "15m", 4, 60, 2500), (5, "5m", 5, 40, 2500)],
)
def test_random_documents_on_a_history_with_gaps(
    minutes: int, timeframe: str, seed: int, count: int, bars: int
) -> None:
    """Over 500,000 bar evaluations in the three cases together."""
    history = with_gaps(traded_history(bars, seed, minutes), seed)
    frame, memo = frame_of(history, minutes), Memo()
    found = [
        difference
        for document in random_documents(count, seed, (timeframe,))
        for difference in differences(document, history, frame, memo)
    ]
    assert found == []


@pytest.mark.parametrize("strategy", BUILTIN)
def test_built_in_documents(strategy: str) -> None:
    document = builtin_document(strategy)
    history = with_gaps(traded_history(2000, 8, document.minutes), 8)
    assert differences(document, history, frame_of(history, document.minutes), Memo()) == []


def test_a_broken_operator_would_be_seen() -> None:
    """The comparison itself: one value off in one step is told."""
    document = random_documents(1, 12)[0]
    history = traded_history(400, 12)
    other = History(history.bars.take(slice(1, None)), history.funding, history.references)
    assert differences(document, other, frame_of(history).until(398), Memo())
