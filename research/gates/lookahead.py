"""G1: does any value of the document change when the future is taken away?

Every step of the document is computed on histories that end earlier; on the rows both have, every value
must be the same bit for bit (signals alone would miss most look-aheads: a wrong value often decides nothing).
Cuts are drawn at random and set at entries and exits of trades.  Start-up: with half of the history gone no
entry may differ once the document has settled.  That the streaming form gives the same signals is shown by
the engine in G3.  No random cut possible, or no trade to cut at, is inconclusive and fails.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from catalog.schema import PriceArrays
from research.dsl import Document
from research.dsl.vector import Evaluation, evaluate
from research.market import Frame, make_frame
from research.screen import ScreenResult
from research.standards.outcome import GateResult, at_least, at_most
from research.trials.trial import Laboratory


def lookahead_gate(laboratory: Laboratory, document: Document, result: ScreenResult, seed: int) -> GateResult:
    """Judge a document on every instrument it trades."""
    limits = laboratory.spec.g1_lookahead
    random = np.random.default_rng((seed, 31))
    changed, random_cuts, trade_cuts, flips, compared = 0, 0, 0, 0, 0
    for name in result.instruments:
        frame = laboratory.market.frame(name, document.minutes)
        whole = evaluate(document, frame)
        first = whole.program.ready_bars
        if first + 1 >= len(frame):
            continue
        drawn = random.integers(first, len(frame) - 1, size=limits.random_cuts)
        rows = result.trades.instrument == name
        trades = np.concatenate((result.trades.entry_row[rows], result.trades.exit_row[rows]))
        at_trades = np.unique(trades)[: limits.trade_cuts]
        for row in (*drawn.tolist(), *at_trades.tolist()):
            changed += changed_values(whole, evaluate(document, frame.until(int(row))), int(row))
        random_cuts += len(drawn)
        trade_cuts += len(at_trades)
        differing, rows_compared = start_up_flips(document, frame, whole)
        flips += differing
        compared += rows_compared
    return GateResult.of(
        "G1",
        at_most("changed_values", changed, 0),
        at_most("start_up_flips", flips, 0),
        at_least("random_cuts", random_cuts, limits.random_cuts),
        at_least("trade_cuts", trade_cuts, min(limits.trade_cuts, max(1, 2 * len(result.trades)))),
        at_least("start_up_rows", compared, 1),
    )


def changed_values(whole: Evaluation, cut: Evaluation, row: int) -> int:
    """Return how many steps have another value at or before `row` on the history that ends there."""
    pairs = [
        (whole.entry, cut.entry),
        (whole.exit_long, cut.exit_long),
        (whole.exit_short, cut.exit_short),
        (whole.target, cut.target),
        (whole.atr, cut.atr),
        *zip(whole.values, cut.values, strict=True),
    ]
    return sum(not _equal(a, b, row) for a, b in pairs)


def _equal(whole: Any, cut: Any, row: int) -> bool:
    if not isinstance(whole, np.ndarray) or whole.ndim == 0:
        return bool(whole == cut)
    if len(cut) > row + 1 or not len(cut):
        return False
    before = whole[: len(cut)]  # a step on a higher timeframe has fewer rows
    return bool(np.array_equal(before, cut, equal_nan=before.dtype.kind == "f"))


def start_up_flips(document: Document, frame: Frame, whole: Evaluation) -> tuple[int, int]:
    """Return entries that differ when the first half of the history is missing, and rows compared."""
    half = len(frame) // 2
    bars = frame.bars.take(slice(half, None))
    known = np.isfinite(frame.reference)
    references = PriceArrays(frame.ts_event[known], frame.reference[known])
    late = make_frame(frame.instrument, frame.minutes, bars, frame.settled, references)
    settled = whole.program.settle_bars
    after = evaluate(document, late).entry[settled:]
    return int((after != whole.entry[half + settled :]).sum()), len(after)
