"""A document as a rule of the desk: what the base strategy runs in a backtest, on paper and in shadow.

Guarantees: the rule speaks on exactly the bars on which the vectorised form has an entry, and `exit_due` says
on exactly the bars on which it has an exit.
"""

from __future__ import annotations

from math import isnan
from typing import Any, ClassVar

from catalog.symbols import parse_instrument
from research.dsl.document import Document, TargetR
from research.dsl.program import Program, compile_document
from research.dsl.stream import Stream
from risk.vocabulary import LONG, SHORT, Bar, EntryStyle, ExitSpec, Funding
from strategies.registry import StrategySpec
from strategies.rule import Condition, Rule, Setup, above, at_least, at_most, below

DOCUMENT_PRIORITY = 20
_COMPARE = {"gt": above, "ge": at_least, "lt": below, "le": at_most}
_SHOWN = 10  # numbers that a setup carries


class DocumentRule(Rule):
    """Runs one document; `spec_of` makes a subclass for each."""

    __slots__ = ("_bar", "_coin_checked", "_said_ts", "_stream", "_trades")

    document: ClassVar[Document]
    program: ClassVar[Program]
    name = "document"
    minutes = 60

    def __init__(self) -> None:
        super().__init__()
        self._stream = Stream(self.program, "")
        self._bar: Bar | None = None
        self._said_ts = 0
        self._coin_checked = False
        self._trades = False

    def on_funding(self, funding: Funding) -> None:
        """Take a settled funding rate."""
        self._stream.settle(funding)

    def on_reference(self, ts_event: int, price: float) -> None:
        """Take the index (else spot) price."""
        self._stream.refer(ts_event, price)

    def update(self, bar: Bar) -> Setup | None:
        """Take the next closed bar and return the entry it makes, if any."""
        if not self._coin_checked:
            self._trades = self.document.trades(parse_instrument(bar.instrument).base)
            self._coin_checked = True
        self._bar = bar
        stream, program = self._stream, self.program
        values = stream.update(bar)
        atr = values[program.atr]
        self.atr = None if isnan(atr) else atr
        if not self._trades or stream.bars < program.ready_bars or isnan(atr):
            return None
        long = program.entry_long >= 0 and values[program.entry_long]
        short = program.entry_short >= 0 and values[program.entry_short]
        if long == short:
            return None
        side = LONG if long else SHORT
        target = values[program.target] if program.target >= 0 else None
        if target is not None and not (target - bar.close) * side > 0.0:
            return None
        if self.document.once_per_settlement:
            settled = stream.funding.ts_event
            if settled in (0, self._said_ts):
                return None
            self._said_ts = settled
        return Setup(
            side=side,
            exits=self._exits(side, atr, target),
            confidence=self.document.confidence,
            atr=atr,
            entry_style=EntryStyle(self.document.entry_style),
            indicators=self._numbers(side, bar, values),
        )

    def _exits(self, side: int, atr: float, target: float | None) -> ExitSpec:
        document, program = self.document, self.program
        exit_at = program.exit_long if side > 0 else program.exit_short
        return ExitSpec(
            stop_distance=document.stop.atr * atr,
            targets_r=document.target.at if isinstance(document.target, TargetR) else (),
            target_price=target,
            trail_atr=document.trail.atr if document.trail is not None else None,
            time_stop_bars=document.time_stop.bars,
            time_stop_settlements=document.time_stop.settlements,
            on_condition=exit_at >= 0,
        )

    def _numbers(self, side: int, bar: Bar, values: list[Any]) -> tuple[tuple[str, float], ...]:
        steps, root = self.program.steps, self._root(side)
        found = {"close": bar.close}
        for at in _comparisons(self.program, root):
            for arg in steps[at].args:
                if steps[arg].op != "const" and len(found) < _SHOWN:
                    found[steps[arg].key] = values[arg]
        found["atr_14"] = values[self.program.atr]
        return tuple(found.items())

    def _root(self, side: int) -> int:
        return self.program.entry_long if side > 0 else self.program.entry_short

    def exit_due(self, side: int) -> str | None:
        """Return `condition` when the document's exit for a position of `side` is true on the last bar."""
        at = self.program.exit_long if side > 0 else self.program.exit_short
        return "condition" if at >= 0 and self._stream.values[at] else None

    def missing(self) -> str:
        """Say which input or window is not filled yet."""
        stream, program = self._stream, self.program
        if stream.bars < program.ready_bars:
            return f"{stream.bars} of {program.ready_bars} bars"
        for step, value in zip(program.steps, stream.values, strict=True):
            if step.op in ("funding", "basis", "funding_quantile") and isnan(value):
                return f"{step.op} missing"
        return ""

    def waiting(self) -> tuple[Condition, ...]:
        """Return what each comparison of the entries said on the last bar.

        An entry that is not a plain conjunction of comparisons is told as one condition.
        """
        if self._bar is None or self.missing():
            return ()
        steps, values, found = self.program.steps, self._stream.values, []
        for side in self.document.sides:
            root = self._root(side)
            if not _is_conjunction(self.program, root):
                found.append(at_least(steps[root].key, float(values[root]), 1.0, side))
                continue
            for at in _comparisons(self.program, root):
                step = steps[at]
                a, b = (values[arg] for arg in step.args)
                made = _COMPARE[step.op](step.key, a, b, side)
                found.append(made)
        return tuple(found)


def _comparisons(program: Program, root: int) -> list[int]:
    """Return the comparisons below a step, in order."""
    step = program.steps[root]
    if step.op not in ("and", "or"):
        return [root]
    return [at for arg in step.args for at in _comparisons(program, arg)]


def _is_conjunction(program: Program, root: int) -> bool:
    step = program.steps[root]
    if step.op == "and":
        return all(_is_conjunction(program, arg) for arg in step.args)
    return step.op in _COMPARE


def rule_of(document: Document) -> type[DocumentRule]:
    """Return the rule class of a document."""
    program = compile_document(document)
    return type(
        "DocumentRule_" + document.document_hash[:8],
        (DocumentRule,),
        {
            "__slots__": (),
            "__doc__": f"Rule of the document {document.name}.",
            "document": document,
            "program": program,
            "name": document.name,
            "minutes": document.minutes,
            "uses_funding": program.uses_funding,
            "uses_reference": program.uses_basis,
        },
    )


def spec_of(document: Document, *, priority: int = DOCUMENT_PRIORITY, tag: str = "") -> StrategySpec:
    """Return the strategy that runs a document in the desk.

    Parameters
    ----------
    priority : int
        Order among the strategies of one desk; must differ from that of every other.
    tag : str
        Letters of its order tags; from the document's hash unless given.
    """
    program = compile_document(document)
    return StrategySpec(
        name=document.name,
        tag=tag or "D" + document.document_hash[:5].upper(),
        rule=rule_of(document),
        minutes=document.minutes,
        mean_reverting=False,
        warmup={document.minutes: program.settle_bars},
        priority=priority,
        warmup_funding_days=program.funding_days,
    )
