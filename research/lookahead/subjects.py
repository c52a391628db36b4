"""What is checked for look-ahead: anything that says something on every bar of a history.

A subject shows every value it works with, not its signals alone: signals hide most leaks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.dsl.document import Document
from research.dsl.vector import Memo, evaluate
from research.errors import ResearchError
from research.market import Frame
from risk.vocabulary import Funding
from strategies.rule import Rule


class Column(NamedTuple):
    """One value a bar, with the moment at which each was known; `decides` marks entries and exits."""

    ts_event: NDArray[np.int64]
    values: Any  # an array, or a list of plain values
    decides: bool = False


class Subject(Protocol):
    """Says named columns over a history.

    `warmup_bars` is after how many bars its decisions no longer depend on where the history began.
    """

    @property
    def name(self) -> str:
        """Return what it is called in reports."""

    @property
    def warmup_bars(self) -> int:
        """Return its warm-up."""

    def said(self, frame: Frame) -> dict[str, Column]:
        """Return everything the subject says on a history."""


@dataclass(frozen=True, slots=True)
class DocumentSubject:
    """A document: the value of every node, its entries and its exits."""

    document: Document
    warmup_bars: int

    @property
    def name(self) -> str:
        """Return the document's name."""
        return self.document.name

    def said(self, frame: Frame) -> dict[str, Column]:
        """Evaluate the document over columns."""
        found = evaluate(self.document, frame, Memo())
        columns = {}
        for step, values in zip(found.program.steps, found.values, strict=True):
            if step.op == "const":
                continue
            own = frame.higher(step.frame)[0] if step.frame else frame
            columns[step.key] = Column(own.ts_event, values)
        ts = frame.ts_event
        columns["entry"] = Column(ts, found.entry, True)
        columns["exit long"] = Column(ts, found.exit_long, True)
        columns["exit short"] = Column(ts, found.exit_short, True)
        return columns


@dataclass(frozen=True, slots=True)
class RuleSubject:
    """A streaming rule of the desk: its setups, conditions, ATR, what it lacks and its exits."""

    rule: Callable[[], Rule]
    name: str
    warmup_bars: int

    def said(self, frame: Frame) -> dict[str, Column]:
        """Feed a fresh rule bar by bar, in the desk's order: funding, reference, bar."""
        rule = self.rule()
        rows: list[tuple[Any, ...]] = []
        settled = list(zip(frame.settled.ts_event.tolist(), frame.settled.rate.tolist(), strict=True))
        following = 0
        references = frame.reference.tolist()
        for row, bar in enumerate(frame.bars.bars(frame.instrument, frame.minutes)):
            while following < len(settled) and settled[following][0] <= bar.ts_event:
                rule.on_funding(Funding(frame.instrument, *settled[following]))
                following += 1
            if not math.isnan(references[row]):
                rule.on_reference(bar.ts_event, references[row])
            setup = rule.update(bar)
            said = (setup, rule.waiting(), rule.atr, rule.missing(), rule.exit_due(1), rule.exit_due(-1))
            rows.append((0 if setup is None else setup.side, *said))
        names = ("entry", "setup", "conditions", "atr", "missing", "exit long", "exit short")
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return {
            name: Column(frame.ts_event, list(values), name in ("entry", "exit long", "exit short"))
            for name, values in zip(names, columns, strict=True)
        }


@dataclass(frozen=True, slots=True)
class TableSubject:
    """A class whose `compute(table)` takes a table of bars and returns one of the same length.

    The table has the columns open, high, low, close, volume and funding, basis where they are known, over
    an index of close times; every column that comes back is compared.  Those named `entry...`, `exit...`
    or `enter...` are its decisions.
    """

    compute: Callable[[pd.DataFrame], pd.DataFrame]
    name: str
    warmup_bars: int

    def said(self, frame: Frame) -> dict[str, Column]:
        """Hand over a table of the history."""
        names = ("open", "high", "low", "close", "volume", "funding", "basis")
        index = pd.DatetimeIndex(frame.ts_event, tz="UTC")
        table = pd.DataFrame({name: getattr(frame, name).copy() for name in names}, index=index)
        made = self.compute(table)
        if not isinstance(made, pd.DataFrame) or len(made) != len(frame):
            size = len(made) if hasattr(made, "__len__") else "nothing"
            raise ResearchError(
                f"{self.name}.compute must return a table with one row a bar",
                found=f"{type(made).__name__} of {size}",
                expected=f"a DataFrame of {len(frame)} rows",
            )
        return {
            str(name): Column(
                frame.ts_event, made[name].to_numpy(), str(name).startswith(("entry", "exit", "enter"))
            )
            for name in made.columns
        }
