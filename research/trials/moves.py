"""Parameters of a document, and the documents next to it.

A parameter is a number that a tuner could move: windows, constants, stop, targets, trail, time stop.  The
same number under the same key (a window of 20 on both sides, thresholds of 1.5 and -1.5) is one parameter and
moves as one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from research.dsl import Document, DocumentError, parse_document

_FIXED = {"version", "confidence", "warmup_bars", "name", "description", "instruments"}

type _Place = tuple[Any, str | int]  # container and key
type Parameter = tuple[str, float]  # key and absolute value


def parameters(document: Document) -> tuple[Parameter, ...]:
    """Return the parameters of a document, each once, in the order of the document."""
    found: dict[Parameter, None] = {}
    for parameter, _ in _places(document.model_dump(mode="json")):
        found[parameter] = None
    return tuple(found)


def condition_parameters(document: Document) -> tuple[Parameter, ...]:
    """Return the parameters of the entry and exit conditions alone: what the candidate was fitted with."""
    tree = document.model_dump(mode="json", include={"entry", "exit"})
    return tuple(dict.fromkeys(parameter for parameter, _ in _places(tree)))


def neighbours(document: Document, moves: tuple[float, ...]) -> list[Document]:
    """Return the document with each parameter moved up and down by each share.

    Whole numbers move by at least one.  A move that the language does not allow (a window below two, a
    threshold out of range) or that changes nothing is left out.
    """
    found: dict[str, Document] = {}
    tree = document.model_dump(mode="json")
    for parameter in parameters(document):
        for move in moves:
            for sign in (-1.0, 1.0):
                changed = copy.deepcopy(tree)
                for same, (container, key) in _places(changed):
                    if same == parameter:
                        container[key] = _moved(container[key], sign * move)
                try:
                    near = parse_document(changed)
                except DocumentError:
                    continue
                if near.document_hash != document.document_hash:
                    found.setdefault(near.document_hash, near)
    return list(found.values())


def _moved(value: float, share: float) -> float:
    if isinstance(value, int):
        step = round(value * share)
        return value + (step if step else (1 if share > 0 else -1))
    return float(f"{value * (1.0 + share):.10g}")  # few digits: the document stays readable


def _places(tree: Any, key: str = "") -> Iterator[tuple[Parameter, _Place]]:
    """Yield every number of a document with where it stands."""
    items: Any = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in items:
        label = name if isinstance(name, str) else key
        if label in _FIXED or isinstance(value, bool | str) or value is None:
            continue
        if isinstance(value, int | float):
            if value:
                yield (label, abs(float(value))), (tree, name)
        else:
            yield from _places(value, label)
