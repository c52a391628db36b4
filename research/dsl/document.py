"""A strategy document: entries, exits, stop, targets, direction, instruments and timeframe, all as data.

Guarantees: a `Document` is frozen and valid; its canonical JSON reads back to an equal document; its hash
names what it does, so renaming it, or writing the sides of `and`, `add`, `mul`, `larger`, `smaller` in
another order, gives the same hash.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from catalog.timeframes import TIMEFRAMES
from research.dsl.nodes import Condition, Higher, Node, Number, Source
from research.dsl.tree import children, walk

MAX_NODES = 128
MAX_DEPTH = 12

Timeframe = Literal["5m", "15m", "1h", "4h"]
Coin = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,12}$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,47}$")]

_COMMUTATIVE = {"add", "mul", "larger", "smaller"}


class Sides(Node):
    """One condition a side."""

    long: Condition | None = None
    short: Condition | None = None


class Stop(Node):
    """Stop distance in ATR(14) of the signal's bar."""

    atr: Annotated[float, Field(ge=0.25, le=10.0, allow_inf_nan=False)]


RMultiple = Annotated[float, Field(ge=0.25, le=20.0, allow_inf_nan=False)]


class TargetR(Node):
    """One target for all, or two for a half each (the first moves the stop to break-even), in R."""

    kind: Literal["r"]
    at: Annotated[tuple[RMultiple, ...], Field(min_length=1, max_length=2)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if len(self.at) == 2 and self.at[1] <= self.at[0]:
            raise ValueError(f"targets must rise, found {self.at[0]:g} and {self.at[1]:g}")
        return self


class TargetPrice(Node):
    """All out at a price, as it stands on the signal's bar."""

    kind: Literal["price"]
    x: Number

    @model_validator(mode="after")
    def _is_price(self) -> Self:
        if self.x.unit != "price":
            raise ValueError(f"a target must be a price, found {self.x.unit}")
        return self


class Trail(Node):
    """The stop follows the best close since entry at this many current ATR(14)."""

    atr: Annotated[float, Field(ge=0.25, le=20.0, allow_inf_nan=False)]


class TimeStop(Node):
    """Leave after so many bars of the timeframe, or so many funding settlements."""

    bars: Annotated[int, Field(ge=1, le=1000)] | None = None
    settlements: Annotated[int, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.bars is None) == (self.settlements is None):
            raise ValueError("a time stop has either bars or settlements")
        return self


class Document(Node):
    """A strategy as data."""

    version: Literal[1]
    name: Name
    description: Annotated[str, Field(max_length=400, pattern=r"^[A-Za-z0-9 .,;:()%+\-/]*$")] = ""
    timeframe: Timeframe
    instruments: Literal["all"] | Annotated[tuple[Coin, ...], Field(min_length=1, max_length=50)] = "all"
    direction: Literal["long", "short", "both"]
    entry: Sides
    exit: Sides = Sides()
    stop: Stop
    target: Annotated[TargetR | TargetPrice, Field(discriminator="kind")] | None = None
    trail: Trail | None = None
    time_stop: TimeStop
    entry_style: Literal["market", "post_only", "post_only_then_market"] = "market"
    confidence: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] = 0.6
    once_per_settlement: bool = False
    warmup_bars: Annotated[int, Field(ge=1, le=5000)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wanted = {"long": {"long"}, "short": {"short"}, "both": {"long", "short"}}[self.direction]
        found = {side for side in ("long", "short") if getattr(self.entry, side) is not None}
        if found != wanted:
            raise ValueError(
                f"direction {self.direction} needs entries for {' and '.join(sorted(wanted))}, "
                f"found {' and '.join(sorted(found)) or 'none'}"
            )
        useless = {s for s in ("long", "short") if getattr(self.exit, s) is not None} - wanted
        if useless:
            raise ValueError(f"an exit for {' and '.join(sorted(useless))} that is never entered")
        self._check_size()
        self._check_higher()
        return self

    def _check_size(self) -> None:
        nodes, depth = self.node_count, self.depth
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ValueError(
                f"too large: {nodes} nodes, {depth} deep; at most {MAX_NODES} nodes, {MAX_DEPTH} deep"
            )

    def _check_higher(self) -> None:
        for root in self.roots:
            for node in walk(root):
                if not isinstance(node, Higher):
                    continue
                minutes = TIMEFRAMES[node.timeframe]
                if minutes <= self.minutes:
                    raise ValueError(f"{node.timeframe} is not higher than the document's {self.timeframe}")
                for inner in walk(node.x):
                    if isinstance(inner, Higher):
                        raise ValueError("a higher timeframe inside a higher timeframe")
                    if (isinstance(inner, Source) and inner.op in ("funding", "basis")) or (
                        inner.op == "funding_quantile"
                    ):
                        raise ValueError(f"{inner.op} has no higher timeframe")

    @property
    def minutes(self) -> int:
        """Return the timeframe in minutes."""
        return TIMEFRAMES[self.timeframe]

    @property
    def sides(self) -> tuple[int, ...]:
        """Return the sides that are entered, long (+1) first."""
        return {"long": (1,), "short": (-1,), "both": (1, -1)}[self.direction]

    @property
    def roots(self) -> tuple[Any, ...]:
        """Return every expression: entries, exits, target."""
        parts: list[Any] = [self.entry.long, self.entry.short, self.exit.long, self.exit.short]
        if isinstance(self.target, TargetPrice):
            parts.append(self.target.x)
        return tuple(part for part in parts if part is not None)

    @property
    def node_count(self) -> int:
        """Return the number of nodes of all expressions."""
        return sum(1 for root in self.roots for _ in walk(root))

    @property
    def depth(self) -> int:
        """Return the depth of the deepest expression; a single node is 1."""

        def depth(node: Any) -> int:
            return 1 + max((depth(child) for child in children(node)), default=0)

        return max(depth(root) for root in self.roots)

    def trades(self, coin: str) -> bool:
        """Return whether the document is meant for the instruments of a coin (`BTC`)."""
        return self.instruments == "all" or coin in self.instruments

    def canonical_json(self) -> str:
        """Return the document as JSON with sorted keys and every default written out."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @cached_property
    def document_hash(self) -> str:
        """Return the sha256 of what the document does: name and description do not count."""
        meaning = self.model_dump(mode="json", exclude={"name", "description"})
        if isinstance(self.instruments, tuple):
            meaning["instruments"] = sorted(set(self.instruments))
        for part in ("entry", "exit", "target"):
            meaning[part] = _ordered(meaning[part])
        text = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _ordered(value: Any) -> Any:
    """Put the operands of commutative operators in one order, and write -0.0 as 0.0."""
    if isinstance(value, float):
        return value + 0.0
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: _ordered(item) for key, item in value.items()}
    if made.get("op") in _COMMUTATIVE:
        made["a"], made["b"] = sorted((made["a"], made["b"]), key=_text)
    elif made.get("op") in ("and", "or"):
        made["args"] = sorted(made["args"], key=_text)
    return made


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


__all__ = ["Document", "Sides", "Stop", "TargetPrice", "TargetR", "TimeStop", "Trail"]
