"""The two checks that come from elsewhere: look-ahead (G1) and the engine (G3), as functions."""

from __future__ import annotations

from collections.abc import Callable

from research.dsl import Document
from research.screen import ScreenResult
from research.standards.outcome import GateResult
from research.trials.trial import Laboratory

type LookaheadCheck = Callable[[Laboratory, Document, ScreenResult, int], GateResult]
"""(laboratory, document, its research screen, seed) -> G1"""

type EngineCheck = Callable[[Laboratory, Document, ScreenResult], GateResult]
"""(laboratory, document, its research screen) -> G3"""


def no_engine(laboratory: Laboratory, document: Document, result: ScreenResult) -> GateResult:
    """Return a failure: a check that was not made proves nothing."""
    return GateResult.error("G3", "no engine check was made")
