"""A document as a flat list of steps: the one plan that both evaluators follow.

Guarantees: equal sub-expressions are one step; a step comes after its operands; every step has a text form
that names what it computes and on which timeframe, the same for every document, so values can be shared
between documents.  Also here: after how many bars a step has a value (`ready_bars`), and after how many it no
longer depends on where the history began (`settle_bars`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from catalog.timeframes import TIMEFRAMES
from research.dsl.document import Document, TargetPrice
from research.dsl.nodes import Comparison, Const, FundingQuantile, Higher, Logic, Quantile, Source

ATR_BARS = 14
ATR_KEY = "atr(14)"

# Memory of recursive averages: bars until the start weighs less than 1e-9.
_EMA_SETTLE = 11  # (1 - 2 / (n + 1)) ** (11 n) = e ** -22
_WILDER_SETTLE = 21
_ADX_SETTLE = 42  # smoothed twice

_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


class Step(NamedTuple):
    """One operation.

    `frame` is 0 on the document's own bars, else the minutes of the higher timeframe; `args` are positions
    of earlier steps; `value` is the number of a constant or the q of a quantile; `days` that of a funding
    quantile.
    """

    op: str
    args: tuple[int, ...]
    n: int
    value: float
    days: int
    frame: int
    key: str
    ready_bars: int
    settle_bars: int

    @property
    def is_condition(self) -> bool:
        """Whether the value is true or false."""
        return self.op in _CONDITIONS


_CONDITIONS = frozenset({"gt", "ge", "lt", "le", "cross_up", "cross_down", "and", "or"})


@dataclass(frozen=True, slots=True)
class Program:
    """The steps of a document and where its parts are among them (-1: not there)."""

    minutes: int
    steps: tuple[Step, ...]
    entry_long: int
    entry_short: int
    exit_long: int
    exit_short: int
    target: int
    atr: int
    frames: tuple[int, ...]  # higher timeframes, minutes
    uses_funding: bool
    uses_basis: bool
    ready_bars: int  # bars (the last included) after which the document may speak
    settle_bars: int
    funding_days: int  # settled funding wanted before the first bar


class _Builder:
    def __init__(self, minutes: int) -> None:
        self.minutes = minutes
        self.steps: list[Step] = []
        self._at: dict[str, int] = {}

    def add(self, node: Any, frame: int = 0) -> int:
        """Add a node with its operands, unless it is there, and return its position."""
        if isinstance(node, Higher):
            return self._higher(node)
        if isinstance(node, Logic):
            args = tuple(self.add(arg, frame) for arg in node.args)
        else:
            names = type(node).model_fields  # to ask a node for a field it lacks is slow
            args = tuple(self.add(getattr(node, name), frame) for name in ("x", "a", "b") if name in names)
        return self._put(node, args, frame)

    def _higher(self, node: Higher) -> int:
        frame = TIMEFRAMES[node.timeframe]
        arg = self.add(node.x, frame)
        inner = self.steps[arg]
        ratio = frame // self.minutes
        key = f"{node.timeframe}[{inner.key.rpartition('@')[0] or inner.key}]"
        # A history may begin in the middle of a higher bar: one more than the whole bars.
        step = Step("higher", (arg,), frame, 0.0, 0, 0, key, (inner.ready_bars + 1) * ratio,
                    (inner.settle_bars + 1) * ratio)  # fmt: skip
        return self._store(step)

    def _put(self, node: Any, args: tuple[int, ...], frame: int) -> int:
        numbers = type(node).model_fields
        n = int(node.n) if "n" in numbers else 0
        value = node.value if isinstance(node, Const) else float(node.q) if "q" in numbers else 0.0
        ready = max((self.steps[arg].ready_bars for arg in args), default=1)
        settle = max((self.steps[arg].settle_bars for arg in args), default=1)
        more, long_more = _windows(node.op, n)
        words = [self.steps[arg].key.rpartition("@")[0] or self.steps[arg].key for arg in args]
        text = _text(node, words)
        key = f"{text}@{frame}" if frame else text
        days = node.days if isinstance(node, FundingQuantile) else 0
        step = Step(node.op, args, n, value, days, frame, key, ready + more, settle + long_more)
        return self._store(step)

    def _store(self, step: Step) -> int:
        at = self._at.get(step.key)
        if at is None:
            at = self._at[step.key] = len(self.steps)
            self.steps.append(step)
        return at

    def add_atr(self) -> int:
        """Add ATR(14), the unit of stops and trails."""
        more, long_more = _windows("atr", ATR_BARS)
        return self._store(Step("atr", (), ATR_BARS, 0.0, 0, 0, ATR_KEY, 1 + more, 1 + long_more))


def _windows(op: str, n: int) -> tuple[int, int]:
    """Return the bars that an operator adds to its operand's: until it has a value, until it has settled."""
    if op in ("lag", "roc", "rank", "median", "quantile"):
        return n, n
    if op in ("sma", "highest", "lowest", "std", "zscore"):
        return n - 1, n - 1
    if op == "ema":
        return n - 1, n * _EMA_SETTLE
    if op == "rsi":
        return n, n * _WILDER_SETTLE
    if op == "atr":
        return n - 1, n * _WILDER_SETTLE
    if op == "adx":
        return 2 * n - 1, n * _ADX_SETTLE
    return (1, 1) if op in ("cross_up", "cross_down") else (0, 0)


def _text(node: Any, words: list[str]) -> str:
    op = node.op
    if isinstance(node, Source):
        return str(op)
    if isinstance(node, Const):
        return f"{node.value + 0.0!r}" if node.unit == "ratio" else f"{node.value + 0.0!r}{node.unit}"
    if isinstance(node, FundingQuantile):
        return f"{op}({node.n},{node.q!r},{node.days}d)"
    if isinstance(node, Comparison) and op in _SIGNS:
        return f"({words[0]} {_SIGNS[op]} {words[1]})"
    if op in _ARITHMETIC:
        return f"({words[0]} {_ARITHMETIC[op]} {words[1]})"
    if isinstance(node, Logic):
        return "(" + f" {op} ".join(words) + ")"
    numbers = [repr(node.n)] if "n" in type(node).model_fields else []
    if isinstance(node, Quantile):
        numbers.append(repr(node.q))
    return f"{op}({','.join([*words, *numbers])})"


@lru_cache(maxsize=4096)
def compile_document(document: Document) -> Program:
    """Return the plan of a document."""
    builder = _Builder(document.minutes)

    def place(node: Any) -> int:
        return -1 if node is None else builder.add(node)

    entry, exits = document.entry, document.exit
    entry_long, entry_short = place(entry.long), place(entry.short)
    exit_long, exit_short = place(exits.long), place(exits.short)
    target = place(document.target.x) if isinstance(document.target, TargetPrice) else -1
    atr = builder.add_atr()
    steps = tuple(builder.steps)
    ready = max(step.ready_bars for step in steps if not step.frame)
    settle = max(step.settle_bars for step in steps if not step.frame)
    ready = max(ready, document.warmup_bars or 0)
    quantiles = [step.days for step in steps if step.op == "funding_quantile"]
    uses_funding = any(step.op in ("funding", "funding_quantile") for step in steps)
    counts_settlements = document.once_per_settlement or document.time_stop.settlements is not None
    return Program(
        minutes=document.minutes,
        steps=steps,
        entry_long=entry_long,
        entry_short=entry_short,
        exit_long=exit_long,
        exit_short=exit_short,
        target=target,
        atr=atr,
        frames=tuple(sorted({step.n for step in steps if step.op == "higher"})),
        uses_funding=uses_funding or counts_settlements,
        uses_basis=any(step.op == "basis" for step in steps),
        ready_bars=ready,
        settle_bars=max(settle, ready),
        funding_days=max(quantiles, default=2 if uses_funding or counts_settlements else 0),
    )
