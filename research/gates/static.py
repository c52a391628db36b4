"""G0: what can be said of a document without looking at a market."""

from __future__ import annotations

from research.dsl import Document
from research.standards.outcome import GateResult, at_most, holds
from research.standards.spec import GateSpec
from research.trials.moves import condition_parameters


def static_gate(document: Document, spec: GateSpec, *, is_new: bool) -> GateResult:
    """Judge size and novelty; schema, units and hostile input are refused before, when a document is read.

    Parameters
    ----------
    is_new : bool
        No earlier campaign on this market tried a document of this hash.
    """
    limits = spec.g0_static
    return GateResult.of(
        "G0",
        at_most("depth", document.depth, limits.max_depth),
        at_most("nodes", document.node_count, limits.max_nodes),
        at_most("parameters", len(condition_parameters(document)), limits.max_parameters),
        holds("new", is_new),
    )
