"""What the benchmarks of the screen let an executor do; in a module that worker processes can import."""

from __future__ import annotations

from collections.abc import Sequence

from research.dsl import Document
from research.market import MarketArrays
from research.metrics import Metrics
from research.screen import screen


def screen_batch(market: MarketArrays, documents: Sequence[Document]) -> tuple[int, list[Metrics]]:
    """Return the evaluations (a candidate on a bar) and what the screen says of each candidate."""
    results = screen(documents, market)
    return sum(result.bars for result in results), [result.metrics for result in results]
