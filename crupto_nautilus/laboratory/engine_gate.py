"""G3: the engine trades a document exactly as the screen said, twice with one result."""

from __future__ import annotations

import math
from dataclasses import astuple, replace

from crupto_nautilus.desk.engine_check import EngineCheck, check_in_engine
from research.dsl import Document
from research.ledger import sha256_of
from research.market import Frame
from research.screen import ScreenResult, window_rows
from research.standards.outcome import GateResult, at_least, at_most, holds
from research.trials.trial import Laboratory


def engine_gate(laboratory: Laboratory, document: Document, result: ScreenResult) -> GateResult:
    """Run a document in the engine over the research window, on every instrument it trades.

    Raises
    ------
    KeyError
        The market has no venue rules of an instrument: the gate then fails as inconclusive.
    """
    limits, costs = laboratory.spec.g3_engine, laboratory.costs
    differences, trades, mean, worst, repeated = 0, 0, 0.0, 0.0, True
    first = ""
    for name in result.instruments:
        frame = _until_research_ends(laboratory, name, document)
        rules = laboratory.market.rules[name]
        settings = replace(laboratory.settings, start_ns=None, end_ns=None)
        checks = [
            check_in_engine(document, frame, rules, costs=costs, settings=settings)
            for _ in range(limits.runs)
        ]
        one = checks[0]
        repeated &= len({_hash(check) for check in checks}) == 1
        differences += len(one.differences)
        first = first or (f"{name}: {one.differences[0]}" if one.differences else "")
        trades += one.trades
        mean += one.mean_difference_bps * one.trades
        worst = max(worst, one.account_difference_bps)
    average = mean / trades if trades else math.nan
    return GateResult.of(
        "G3",
        at_most("differences", differences, 0),
        at_least("trades", trades, 1),
        at_most("mean_difference_bps", average, limits.mean_difference_bps_max),
        at_most("account_difference_bps", worst, limits.mean_difference_bps_max),
        holds("runs_equal", repeated),
        note=first,
    )


def _until_research_ends(laboratory: Laboratory, name: str, document: Document) -> Frame:
    """Return the bars up to the end of the research window: the engine sees no holdout either."""
    frame = laboratory.market.frame(name, document.minutes)
    settings = replace(laboratory.settings, end_ns=laboratory.windows.research.end_ns)
    _, last = window_rows(frame, settings)
    return frame.until(last - 1)


def _hash(check: EngineCheck) -> str:
    return sha256_of(list(astuple(check)))
