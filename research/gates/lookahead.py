"""G1: does any value of the document change when the future is taken away or made another?

The checks are those of `crupto research lookahead` (`research.lookahead`), on every instrument the document
trades, cut at random and at the entries and exits of its trades in the research window.  What could not be
checked is inconclusive and fails.  Whether it enters often enough to be judged is asked of all instruments
together: one on which it hardly ever trades says nothing against it.
"""

from __future__ import annotations

import numpy as np

from research.dsl import Document
from research.lookahead import check_document
from research.screen import ScreenResult
from research.standards.outcome import GateResult, at_least, at_most
from research.trials.trial import Laboratory


def lookahead_gate(laboratory: Laboratory, document: Document, result: ScreenResult, seed: int) -> GateResult:
    """Judge a document on every instrument it trades."""
    limits = laboratory.spec.g1_lookahead
    leaks, inconclusive, entries, cuts, values, note = 0, 0, 0, 0, 0, ""
    for name in result.instruments:
        own = result.trades.instrument == name
        rows = np.unique(np.concatenate((result.trades.entry_row[own], result.trades.exit_row[own])))
        report = check_document(
            document,
            laboratory.market.frame(name, document.minutes),
            rows,
            seed=seed,
            random_cuts=limits.random_cuts,
            trade_cuts=limits.trade_cuts,
            min_trades=0,
        )
        leaks += len(report.leaks)
        inconclusive += len(report.inconclusive)
        entries += report.entries
        cuts += report.cuts
        values += report.values
        told = [*map(str, report.leaks), *report.inconclusive]
        note = note or (f"{name}: {told[0]}" if told else "")
    return GateResult.of(
        "G1",
        at_most("leaks", leaks, 0),
        at_most("inconclusive", inconclusive, 0),
        at_least("entries", entries, limits.entries_min),
        at_least("cuts", cuts, limits.random_cuts),
        at_least("values_compared", values, 1),
        note=note,
    )
