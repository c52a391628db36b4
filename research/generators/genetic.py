"""Genetic programming on the typed tree, with an archive that keeps the best of each kind.

Archive: a candidate's cell is how often it trades, how long it is in the market and what it mainly looks at;
each cell keeps its best (MAP-Elites, Mouret and Clune 2015), so one good family does not crowd out the
others.  The archive is rebuilt from `context.feedback` at each call: a resumed campaign goes on alike.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from research.dsl.document import Document
from research.dsl.parse import parse_document
from research.dsl.tree import walk
from research.generators.base import Feedback, GenerationContext
from research.generators.collect import collect
from research.generators.grammar import WINDOWS, Draw, random_document

Raw = dict[str, Any]
Cell = tuple[int, int, str]

IMMIGRANTS = 0.2  # share of fresh random documents
CROSSOVERS = 0.35
_FAMILIES = {
    "funding": "funding", "funding_quantile": "funding", "basis": "basis", "volume": "volume",
    "higher": "higher", "rsi": "oscillator", "adx": "oscillator", "rank": "statistic", "zscore": "statistic",
    "std": "statistic", "highest": "channel", "lowest": "channel", "sma": "average", "ema": "average",
}  # fmt: skip
_OPPOSITES = {
    "gt": "lt",
    "lt": "gt",
    "ge": "le",
    "le": "ge",
    "cross_up": "cross_down",
    "cross_down": "cross_up",
}


class GeneticProgramming:
    """Breeds the documents of the archive; without feedback it is the random grammar."""

    name = "genetic"

    def propose(self, count: int, seed: int, context: GenerationContext) -> list[Document]:
        """Return `count` new documents."""
        archive = build_archive(context.feedback)
        parents = [archive[cell].document for cell in sorted(archive)]

        def draw(number: int) -> Document:
            rng = np.random.default_rng((seed, 7, number))
            name = f"gp_{seed}_{number}"
            if not parents or rng.random() < IMMIGRANTS:
                return random_document(rng, name, context)
            raw = _raw(parents[int(rng.integers(len(parents)))])
            if len(parents) > 1 and rng.random() < CROSSOVERS:
                raw = cross(rng, raw, _raw(parents[int(rng.integers(len(parents)))]))
            else:
                raw = mutate(rng, raw, context)
            return parse_document({**raw, "name": name, "description": ""})

        return collect(count, draw, context)


def build_archive(feedback: tuple[Feedback, ...]) -> dict[Cell, Feedback]:
    """Return the best candidate of each cell; what could not be judged is left out."""
    archive: dict[Cell, Feedback] = {}
    for one in feedback:
        if not math.isfinite(one.score) or one.trades <= 0:
            continue
        cell = cell_of(one)
        if cell not in archive or one.score > archive[cell].score:
            archive[cell] = one
    return archive


def cell_of(feedback: Feedback) -> Cell:
    """Return where a candidate belongs: trades by powers of four, exposure by quarters, main family."""
    families = Counter(
        _FAMILIES[node.op] for root in feedback.document.roots for node in walk(root) if node.op in _FAMILIES
    )
    main = min(families, key=lambda name: (-families[name], name)) if families else "price"
    return int(math.log(feedback.trades, 4)), min(3, int(feedback.exposure * 4)), main


def mutate(rng: np.random.Generator, raw: Raw, context: GenerationContext) -> Raw:
    """Return a copy with one to three changes."""
    made: Raw = json.loads(json.dumps(raw))
    for _ in range(1 + int(rng.integers(3))):
        kind = int(rng.integers(5))
        if kind == 0:
            _mutate_exits(rng, made)
        elif kind == 1:
            _mutate_number(rng, made)
        elif kind == 2:
            _replace(rng, made, context)
        elif kind == 3:
            nodes = [node for node in _nodes(made) if node["op"] in _OPPOSITES]
            node = nodes[int(rng.integers(len(nodes)))]
            node["op"] = _OPPOSITES[node["op"]]
        else:
            _mutate_number(rng, made)
            _mutate_exits(rng, made)
    return made


def cross(rng: np.random.Generator, one: Raw, other: Raw) -> Raw:
    """Return `one` with a condition of `other` in place of one of its own, and the exits of either."""
    made: Raw = json.loads(json.dumps(one))
    donors = [node for node in _nodes(other) if node["op"] in _OPPOSITES]
    places = [node for node in _nodes(made) if node["op"] in _OPPOSITES]
    place, donor = places[int(rng.integers(len(places)))], donors[int(rng.integers(len(donors)))]
    place.clear()
    place.update(json.loads(json.dumps(donor)))
    if rng.random() < 0.5:
        for key in ("stop", "target", "trail", "time_stop", "entry_style"):
            made[key] = other[key]
    return made


def _raw(document: Document) -> Raw:
    made: Raw = document.model_dump(mode="json")
    return made


def _nodes(raw: Raw) -> Iterator[Raw]:
    """Yield the nodes of entries and exits."""
    pending: list[Any] = [raw["entry"], raw["exit"]]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if "op" in value:
                yield value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _mutate_number(rng: np.random.Generator, raw: Raw) -> None:
    nodes = [node for node in _nodes(raw) if "n" in node or node["op"] == "const"]
    if not nodes:
        return
    node = nodes[int(rng.integers(len(nodes)))]
    if node["op"] == "const":
        scale = max(abs(node["value"]), {"osc": 5.0, "bps": 1.0, "rate": 0.0001}.get(node["unit"], 0.1))
        node["value"] = float(np.round(node["value"] + rng.normal(0.0, 0.25) * scale, 6))
    elif node["op"] == "lag":
        node["n"] = max(1, node["n"] + int(rng.integers(-3, 4)))
    else:
        around = min(range(len(WINDOWS)), key=lambda k: abs(WINDOWS[k] - node["n"]))
        node["n"] = WINDOWS[int(np.clip(around + rng.integers(-2, 3), 0, len(WINDOWS) - 1))]


def _mutate_exits(rng: np.random.Generator, raw: Raw) -> None:
    draw = Draw(rng, GenerationContext((raw["timeframe"],)))
    kind = int(rng.integers(3))
    if kind == 0:
        moved = raw["stop"]["atr"] * float(np.exp(rng.normal(0.0, 0.25)))
        raw["stop"] = {"atr": float(np.round(np.clip(moved, 0.5, 8.0), 2))}
    elif kind == 1:
        raw["target"] = raw["trail"] = None
        raw |= draw.exits()
    else:
        bars = raw["time_stop"].get("bars") or 24
        raw["time_stop"] = {"bars": int(np.clip(round(bars * float(np.exp(rng.normal(0.0, 0.4)))), 2, 500))}


def _replace(rng: np.random.Generator, raw: Raw, context: GenerationContext) -> None:
    """Put a fresh random condition in the place of one."""
    draw = Draw(rng, GenerationContext((raw["timeframe"],), None, context.has_funding, context.has_basis))
    places = [node for node in _nodes(raw) if node["op"] in _OPPOSITES]
    place = places[int(rng.integers(len(places)))]
    fresh = draw.condition(0)
    place.clear()
    place.update(fresh)
