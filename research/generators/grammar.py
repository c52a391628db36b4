"""Random documents from the grammar: the default generator, offline, knowing nothing of the market."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from catalog.timeframes import TIMEFRAMES
from research.dsl.document import Document
from research.dsl.parse import parse_document
from research.generators.base import GenerationContext
from research.generators.collect import collect

WINDOWS = (5, 8, 10, 14, 20, 34, 55, 89, 120, 200)

Raw = dict[str, Any]


class RandomGrammar:
    """Draws documents of at most some 50 nodes; each draw has a seed of its own."""

    name = "grammar"

    def propose(self, count: int, seed: int, context: GenerationContext) -> list[Document]:
        """Return `count` new documents."""

        def draw(number: int) -> Document:
            return random_document(np.random.default_rng((seed, number)), f"g_{seed}_{number}", context)

        return collect(count, draw, context)


def random_document(rng: np.random.Generator, name: str, context: GenerationContext) -> Document:
    """Return one random document of the grammar."""
    draw = Draw(rng, context)
    side = draw.one(("long", "short"))
    raw: Raw = {
        "version": 1,
        "name": name,
        "timeframe": draw.timeframe,
        "instruments": list(context.instruments) if context.instruments else "all",
        "direction": side,
        "entry": {side: draw.condition(2)},
        "stop": {"atr": draw.between(1.0, 4.0, 1)},
        "time_stop": {"bars": int(rng.integers(8, 200))},
        "entry_style": draw.one(("market", "market", "market", "post_only", "post_only_then_market")),
    }
    if rng.random() < 0.6:
        raw["exit"] = {side: draw.condition(1)}
    raw |= draw.exits()
    return parse_document(raw)


class Draw:
    """Draws parts of one document from a seeded generator."""

    def __init__(self, rng: np.random.Generator, context: GenerationContext) -> None:
        self.rng = rng
        self.timeframe = self.one(context.timeframes)
        self.above = [name for name in ("15m", "1h", "4h") if TIMEFRAMES[name] > TIMEFRAMES[self.timeframe]]
        self.funding, self.basis = context.has_funding, context.has_basis

    def one[T](self, choices: tuple[T, ...] | list[T]) -> T:
        """Return one of the choices."""
        return choices[int(self.rng.integers(len(choices)))]

    def between(self, low: float, high: float, digits: int) -> float:
        """Return a rounded number of a range."""
        return float(np.round(self.rng.uniform(low, high), digits))

    def window(self) -> int:
        """Return a usual window."""
        return self.one(WINDOWS)

    def exits(self) -> Raw:
        """Return targets or a trail, or neither."""
        kind = self.rng.random()
        if kind < 0.45:
            return {"target": {"kind": "r", "at": [self.between(1.0, 4.0, 1)]}}
        if kind < 0.65:
            first = self.between(0.5, 2.0, 1)
            return {"target": {"kind": "r", "at": [first, round(first + self.between(0.5, 3.0, 1), 1)]}}
        return {"trail": {"atr": self.between(1.0, 5.0, 1)}} if kind < 0.9 else {}

    def condition(self, depth: int) -> Raw:
        """Return a condition at most `depth` levels of logic deep."""
        if depth > 0 and self.rng.random() < 0.45:
            parts = [self.condition(depth - 1) for _ in range(2)]
            return {"op": self.one(("and", "and", "or")), "args": parts}
        units = ["price", "price", "osc", "ratio", "ratio", "volume"]
        units += ["rate"] * self.funding + ["bps"] * self.basis
        unit = self.one(units)
        left, right = self.pair(unit)
        return {"op": self.one(("gt", "lt", "cross_up", "cross_down")), "a": left, "b": right}

    def pair(self, unit: str) -> tuple[Raw, Raw]:
        """Return two values that can be compared."""
        if unit == "osc":
            return self.osc(), {"op": "const", "value": float(self.rng.integers(15, 86)), "unit": "osc"}
        if unit == "ratio":
            kind, value = self.ratio(2)
            if self.rng.random() < 0.5:
                return value, self.ratio_level(kind)
            return value, {"op": "lag", "x": value, "n": int(self.rng.integers(1, 20))}
        if unit == "rate":
            level = {"op": "funding_quantile", "n": self.one((90, 180, 270)), "q": self.between(0.5, 0.95, 2)}
            if self.rng.random() < 0.5:
                return {"op": "funding"}, level
            return {"op": "funding"}, {
                "op": "const",
                "value": self.between(-0.0004, 0.0006, 5),
                "unit": "rate",
            }
        if unit == "bps":
            middle = {"op": "median", "x": {"op": "basis"}, "n": self.one((168, 336, 720))}
            wide = {"op": "const", "value": self.between(-10.0, 10.0, 1), "unit": "bps"}
            return {"op": "sub", "a": {"op": "basis"}, "b": middle}, wide
        make = self.price if unit == "price" else self.volume
        left = make(2)
        right = make(2)
        return left, right if right != left else {"op": "lag", "x": left, "n": 1}

    def price(self, depth: int) -> Raw:
        """Return a price."""
        if depth <= 0:
            return {"op": self.one(("open", "high", "low", "close", "close", "close"))}
        kind = int(self.rng.integers(6))
        if kind == 0:
            return self.price(0)
        if kind == 1:
            op = self.one(("sma", "ema", "highest", "lowest"))
            return {"op": op, "x": self.price(depth - 1), "n": self.window()}
        if kind == 2:
            op, of = self.one((("highest", "high"), ("lowest", "low")))
            return {"op": op, "x": {"op": "lag", "x": {"op": of}, "n": 1}, "n": self.window()}
        if kind == 3:
            width = {"op": "const", "value": self.between(0.2, 3.0, 2)}
            scaled = {"op": "mul", "a": width, "b": {"op": "atr", "n": self.window()}}
            return {"op": self.one(("add", "sub")), "a": self.price(depth - 1), "b": scaled}
        if kind == 4 and self.above:
            inner = {"op": self.one(("sma", "ema")), "x": {"op": "close"}, "n": self.one((5, 8, 10, 20, 34))}
            return {"op": "higher", "timeframe": self.one(self.above), "x": inner}
        return {"op": self.one(("sma", "ema")), "x": self.price(0), "n": self.window()}

    def osc(self) -> Raw:
        """Return an oscillator."""
        kind = int(self.rng.integers(4))
        if kind == 0:
            return {"op": "adx", "n": self.one((7, 14, 28))}
        value: Raw = {"op": "rsi", "x": {"op": "close"}, "n": self.one((2, 5, 8, 14, 21))}
        if kind == 1 and self.above:
            return {"op": "higher", "timeframe": self.one(self.above), "x": value}
        return value

    def volume(self, depth: int) -> Raw:
        """Return a volume."""
        if depth <= 0:
            return {"op": "volume"}
        smooth = {"op": self.one(("sma", "ema", "highest")), "x": {"op": "volume"}, "n": self.window()}
        if self.rng.random() < 0.5:
            return smooth
        factor = {"op": "const", "value": self.between(0.5, 3.0, 1)}
        return {"op": "mul", "a": factor, "b": smooth}

    def ratio(self, depth: int) -> tuple[str, Raw]:
        """Return a ratio with its kind, which says where its levels lie."""
        kinds: tuple[Callable[[], tuple[str, Raw]], ...] = (
            lambda: ("zscore", {"op": "zscore", "x": self.of_ratio(depth), "n": self.window()}),
            lambda: ("range", {"op": "div", "a": {"op": "atr", "n": self.window()}, "b": {"op": "close"}}),
            lambda: ("rank", {"op": "rank", "x": self.of_ratio(depth), "n": self.window()}),
            lambda: ("roc", {"op": "roc", "x": {"op": "close"}, "n": self.window()}),
        )
        return self.one(kinds)()

    def of_ratio(self, depth: int) -> Raw:
        """Return what a ratio is taken of."""
        kind = int(self.rng.integers(3))
        if kind == 0:
            return {"op": "volume"}
        if kind == 1 and depth > 1:
            return {"op": "div", "a": {"op": "atr", "n": self.window()}, "b": {"op": "close"}}
        return {"op": "close"}

    def ratio_level(self, kind: str) -> Raw:
        """Return a level where such a ratio may lie."""
        value = {
            "zscore": lambda: self.between(-2.5, 2.5, 1),
            "range": lambda: self.between(0.002, 0.03, 4),
            "rank": lambda: self.between(0.05, 0.95, 2),
            "roc": lambda: self.between(-0.06, 0.06, 3),
        }[kind]()
        return {"op": "const", "value": value}
