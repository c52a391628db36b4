"""Candidates of a calibration: half textbook rules, half random grammar.

A fixed population, so that a calibration measures the gates and not the newest generator: channel breakout,
z-score reversion, crossing averages and RSI reversion, one side each, with drawn windows and thresholds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.dsl import Document, parse_document
from research.generators import GenerationContext, RandomGrammar

_CLOSE = {"op": "close"}


class Textbook:
    """Proposes `count` candidates, the first half of them textbook rules."""

    name = "textbook"

    def propose(self, count: int, seed: int, context: GenerationContext) -> list[Document]:
        """Return new candidates; the same seed gives the same ones."""
        found: dict[str, Document] = {}
        number = 0
        while len(found) < count // 2:
            document = _rule(np.random.default_rng((seed, number, 7)), f"textbook_{seed}_{number}")
            number += 1
            if document.document_hash not in context.seen:
                found.setdefault(document.document_hash, document)
        return [*found.values(), *RandomGrammar().propose(count - len(found), seed, context)]


def _rule(random: np.random.Generator, name: str) -> Document:
    side = ("long", "short")[int(random.integers(2))]
    entry, leave = _FAMILIES[int(random.integers(len(_FAMILIES)))](random, side == "long")
    return parse_document(
        {
            "version": 1,
            "name": name,
            "timeframe": "1h",
            "direction": side,
            "entry": {side: entry},
            "exit": {side: leave},
            "stop": {"atr": float(np.round(random.uniform(1.5, 4), 1))},
            "target": {"kind": "r", "at": [float(np.round(random.uniform(1, 4), 1))]},
            "time_stop": {"bars": int(random.integers(12, 120))},
        }
    )


def _one(random: np.random.Generator, *choices: int) -> int:
    return choices[int(random.integers(len(choices)))]


def _node(op: str, **parts: Any) -> dict[str, Any]:
    return {"op": op, **parts}


def _breakout(random: np.random.Generator, up: bool) -> tuple[Any, Any]:
    n = _one(random, 20, 34, 55, 89)
    edge = _node("highest" if up else "lowest", x=_node("high" if up else "low"), n=n)
    return (
        _node("gt" if up else "lt", a=_CLOSE, b=_node("lag", x=edge, n=2)),
        _node("lt" if up else "gt", a=_CLOSE, b=_node("sma", x=_CLOSE, n=n)),
    )


def _reversion(random: np.random.Generator, up: bool) -> tuple[Any, Any]:
    score = _node("zscore", x=_CLOSE, n=_one(random, 10, 14, 20, 34, 55))
    limit = float(np.round(random.uniform(0.8, 2.5), 1))
    return (
        _node("lt" if up else "gt", a=score, b=_node("const", value=-limit if up else limit)),
        _node("gt" if up else "lt", a=score, b=_node("const", value=0.0)),
    )


def _crossing(random: np.random.Generator, up: bool) -> tuple[Any, Any]:
    fast = _node("ema", x=_CLOSE, n=_one(random, 5, 8, 10, 14, 20))
    slow = _node("ema", x=_CLOSE, n=_one(random, 34, 55, 89, 120, 200))
    return (
        _node("cross_up" if up else "cross_down", a=fast, b=slow),
        _node("cross_down" if up else "cross_up", a=fast, b=slow),
    )


def _oscillator(random: np.random.Generator, up: bool) -> tuple[Any, Any]:
    index = _node("rsi", x=_CLOSE, n=_one(random, 5, 8, 10, 14, 20))
    limit = float(random.integers(15, 40))

    def level(value: float) -> dict[str, Any]:
        return _node("const", value=value, unit="osc")

    return (
        _node("lt" if up else "gt", a=index, b=level(limit if up else 100.0 - limit)),
        _node("gt" if up else "lt", a=index, b=level(50.0)),
    )


_FAMILIES = (_breakout, _reversion, _crossing, _oscillator)
