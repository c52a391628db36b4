"""Documents in the Nautilus engine: the same entries and exits as in the screen, to the cent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crupto_nautilus.desk import engine_check
from crupto_nautilus.desk.engine_check import check_in_engine
from research import simulate
from research.dsl import Document
from research.dsl.builtin import builtin_document
from research.market import Frame
from tests.fakes.histories import read_funding_history
from tests.fakes.research import NAME, RULES, document, frame_of, random_documents, traded_history


@pytest.fixture(scope="module")
def frame() -> Frame:
    return frame_of(traded_history(1200, 31))


def trade_alike(documents: list[Document], frame: Frame) -> int:
    """Check documents one by one and return how many trades were compared."""
    trades = 0
    for made in documents:
        check = check_in_engine(made, frame, RULES)
        assert check.differences == (), made.canonical_json()
        assert check.mean_difference_bps < 0.1
        assert check.account_difference_bps < 0.1
        assert check.ok
        trades += check.trades
    return trades


def test_random_documents_trade_alike(frame: Frame) -> None:
    """A quarter of those below."""
    assert trade_alike(random_documents(60, 7)[::4], frame) > 100


@pytest.mark.soak
@pytest.mark.parametrize("part", range(1, 4))
def test_sixty_random_documents_trade_alike(part: int, frame: Frame) -> None:
    assert trade_alike(random_documents(60, 7)[part::4], frame) > 100


@pytest.mark.data
def test_the_funding_document_on_real_history(market_dir: Path) -> None:
    """Resting entries, exits on a condition and funding, on a year of BTC."""
    history = read_funding_history(market_dir, "BTC")
    bars = history.bars.take(slice(9000, 16_000))
    frame = frame_of(type(history)(bars, history.funding, history.references), name=NAME)
    made = builtin_document("funding_reversion")
    check = check_in_engine(made, frame, RULES)
    assert check.trades > 5
    assert check.ok, check


def test_a_screen_that_fills_elsewhere_is_caught(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself: a walk that leaves a bar late differs."""
    walk = simulate.walk

    def late(*arguments: object) -> np.ndarray:
        trades = walk(*arguments)  # type: ignore[arg-type]
        trades[:, simulate.EXIT_ROW] = np.minimum(trades[:, simulate.EXIT_ROW] + 1, len(frame) - 1)
        return trades

    monkeypatch.setattr(engine_check.simulate, "walk", late)
    assert not check_in_engine(document(), frame, RULES).ok
