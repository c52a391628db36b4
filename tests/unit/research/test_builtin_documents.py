"""The built-in strategies written as documents say the same on the same bars, on synthetic and on real
history.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from research.dsl.builtin import BUILTIN, builtin_document
from research.dsl.vector import evaluate
from risk.vocabulary import EntryStyle
from strategies.batch import replay
from strategies.registry import REGISTRY, get
from tests.fakes.histories import History
from tests.fakes.research import NAME, frame_of
from tests.unit.strategies.subjects import synthetic_history
from tests.unit.strategies.test_lookahead import REAL_HISTORIES


def test_every_registered_strategy_has_its_document() -> None:
    assert set(BUILTIN) == set(REGISTRY)
    assert not {builtin_document(name).name for name in BUILTIN} & set(REGISTRY)


def compare(strategy: str, history: History) -> int:
    """Assert that entries, stops, targets and exits agree; return the number of entries."""
    document = builtin_document(strategy)
    said = evaluate(document, frame_of(history, document.minutes))
    rule, count = get(strategy).rule(), 0
    for row, (bar, setup) in enumerate(replay(rule, NAME, history.bars, history.funding, history.references)):
        assert said.entry[row] == (0 if setup is None else setup.side), f"bar {row}"
        if document.exit.long is not None:
            assert said.exit_long[row] == (rule.exit_due(1) is not None), f"bar {row}"
            assert said.exit_short[row] == (rule.exit_due(-1) is not None), f"bar {row}"
        if setup is None:
            continue
        count += 1
        exits = setup.exits
        assert document.stop.atr * said.atr[row] == pytest.approx(exits.stop_distance, rel=1e-12)
        assert (exits.target_price is None) == (document.target is None or document.target.kind == "r")
        if exits.target_price is not None:
            assert said.target[row] == pytest.approx(exits.target_price, rel=1e-12)
        assert EntryStyle(document.entry_style) is setup.entry_style
        assert bar.ts_event == history.bars.ts_event[row]
    return count


@pytest.mark.parametrize("strategy", BUILTIN)
def test_entries_match_on_a_synthetic_history(strategy: str) -> None:
    assert compare(strategy, synthetic_history(strategy, 1800, seed=21)) > 0


@pytest.mark.data
@pytest.mark.parametrize("strategy", BUILTIN)
def test_entries_match_on_real_history(strategy: str, market_dir: Path) -> None:
    assert compare(strategy, REAL_HISTORIES[strategy](market_dir)) > 0
