"""What a check gets and what it answers.

Guarantees: a check never raises for what a run contains; it answers with violations, each with time and
trace id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from crupto_nautilus.reports.facts import InstrumentFacts
from crupto_nautilus.reports.ledger import Event, Ledger, rebuild, rows_of, size_steps, timeline
from crupto_nautilus.reports.run_folder import RunFolder
from risk.settings import RiskSettings

MONEY_TOLERANCE = 1e-6
PCT_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Check:
    """The answer of one check; `notes` are worth knowing but break no rule."""

    name: str
    ok: bool
    detail: str
    violations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def answer(name: str, detail: str, violations: Iterable[str], notes: Iterable[str] = ()) -> Check:
    """Return a check that is ok if there are no violations."""
    found = tuple(violations)
    return Check(name, not found, detail, found, tuple(notes))


def when(ts: int) -> str:
    """Return a time as `YYYY-MM-DD HH:MM:SS` UTC."""
    return pd.Timestamp(ts, unit="ns", tz="UTC").strftime("%Y-%m-%d %H:%M:%S")


def near(a: float, b: float, tolerance: float = MONEY_TOLERANCE) -> bool:
    """Return whether two amounts agree; NaN agrees with nothing."""
    return abs(a - b) <= tolerance


def on_grid(value: float, unit: float) -> bool:
    """Return whether a value is a whole multiple of a unit (a millionth of a unit is noise)."""
    return abs(value / unit - round(value / unit)) < 1e-6


@dataclass
class Context:
    """A run as the checks read it."""

    folder: RunFolder
    _rows: dict[str, list[Any]] = field(default_factory=dict)
    _timelines: dict[tuple[str, ...], list[Event]] = field(default_factory=dict)

    @cached_property
    def limits(self) -> RiskSettings:
        """The governance limits of the run record; ValueError if they are no governance limits."""
        return RiskSettings.model_validate(self.folder.facts.limits)

    @cached_property
    def instruments(self) -> Mapping[str, InstrumentFacts]:
        """Facts by instrument."""
        return {facts.instrument: facts for facts in self.folder.facts.instruments}

    @cached_property
    def steps(self) -> dict[str, float]:
        """Size step by instrument."""
        return size_steps(self.folder.facts)

    def dust(self, instrument: str) -> float:
        """Quantities below this are nothing."""
        return self.steps.get(instrument, 1e-8) / 2

    def rows(self, table: str) -> list[Any]:
        """Rows of a table as named tuples, read once."""
        rows = self._rows.get(table)
        if rows is None:
            rows = self._rows[table] = rows_of(self.folder.table(table))
        return rows

    def timeline(self, *tables: str) -> list[Event]:
        """Rows of several tables in the order in which they happened, sorted once."""
        events = self._timelines.get(tables)
        if events is None:
            events = self._timelines[tables] = timeline(self.rows, tables)
        return events

    @cached_property
    def ledger(self) -> Ledger:
        """The books after the last event; read it only."""
        return rebuild(self.folder)

    @cached_property
    def signals(self) -> dict[str, Any]:
        """Signals by trace id."""
        return {row.trace_id: row for row in self.rows("signals")}

    @cached_property
    def approvals(self) -> dict[str, Any]:
        """Approved decisions by trace id."""
        return {row.trace_id: row for row in self.rows("decisions") if row.approved}
