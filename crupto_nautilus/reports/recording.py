"""What a run says, collected in memory on the decision path and turned into tables at its end.

Guarantees: `add` costs two list appends a message and never touches the disk; `seq` numbers the messages of
all tables in the order of the calls, so the checker can put the events of one instant back into their order.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from crupto_nautilus.reports.errors import RunFolderError
from crupto_nautilus.reports.rows import TABLE_OF, decision_row, entry_row
from crupto_nautilus.reports.schema import TABLES
from risk.vocabulary import Approved, EntryDone, Refused, ToolCall, ToolState


class Recording:
    """Rows of every table of one run, in the order in which they were added."""

    def __init__(self, first: int = 1) -> None:
        """Number rows from `first` on; a resumed run goes on where its journal ends."""
        self._rows: dict[str, list[object]] = {name: [] for name in TABLES}
        self._seq: dict[str, list[int]] = {name: [] for name in TABLES}
        self._of = {kind: (self._rows[table], self._seq[table]) for kind, table in TABLE_OF.items()}
        self._first = self._next = first
        self._calls: dict[tuple[str, str], _Calls] = {}

    def __len__(self) -> int:
        """Messages added so far, tool calls not counted."""
        return self._next - self._first

    def add(self, message: object) -> int:
        """Append a vocabulary message to its table; return its number (0: it is counted, not numbered).

        Raises
        ------
        RunFolderError
            The message has no table of its own (a decision needs `add_decision`).
        """
        into = self._of.get(type(message))
        if into is not None:
            number = self._next
            self._next = number + 1
            into[0].append(message)
            into[1].append(number)
            return number
        if isinstance(message, ToolCall):
            self._call(message)
            return 0
        raise RunFolderError(
            f"no table for a {type(message).__name__}",
            found=type(message).__name__,
            expected=", ".join(kind.__name__ for kind in TABLE_OF),
            remedy="give decisions to add_decision and other rows to add_row",
        )

    def add_row(self, table: str, row: object) -> int:
        """Append a row (message or dict) to a table by name; return its number."""
        number = self._next
        self._rows[table].append(row)
        self._seq[table].append(number)
        self._next = number + 1
        return number

    def add_decision(
        self,
        decision: Approved | Refused,
        *,
        regime: str,
        desk_mode: str,
        snapshot: Mapping[str, float] | None = None,
    ) -> int:
        """Append an answer; `snapshot` is the book WITH the candidate in it (`schema.SNAPSHOT_COLUMNS`)."""
        return self.add_row("decisions", _Decided(decision, regime, desk_mode, snapshot))

    def add_entry(self, entry: EntryDone, snapshot: Mapping[str, float] | None = None) -> int:
        """Append an entry that is over, with the book after it."""
        return self.add_row("entries", entry_row(entry, snapshot))

    def _call(self, call: ToolCall) -> None:
        key = (call.agent, call.capability)
        calls = self._calls.get(key)
        if calls is None:
            calls = self._calls[key] = _Calls()
        calls.durations_ns.append(call.duration_ns)
        calls.errors += call.state is ToolState.ERROR
        calls.warnings += call.state is ToolState.WARNING

    def rows(self, table: str) -> tuple[object, ...]:
        """Return the rows of a table as they were added."""
        return tuple(self._built(table))

    def _built(self, table: str) -> list[object]:
        """Return the rows of a table; those of answers are built now, off the decision path."""
        rows = self._rows[table]
        if table == "decisions":
            rows[:] = map(_built, rows)
        return rows

    def count(self, table: str) -> int:
        """Return how many rows a table has so far."""
        return len(self._rows[table])

    def tail(self, table: str, count: int) -> list[Any]:
        """Return the last rows of a table, newest last; cheap while the run goes on."""
        return list(map(_built, self._rows[table][-count:]))

    def rows_from(self, table: str, first: int) -> list[Any]:
        """Return the rows of a table from a position on."""
        return list(map(_built, self._rows[table][first:]))

    def tables(self) -> Iterator[tuple[str, list[object], list[int] | None]]:
        """Yield (table, rows, seq) for every table, empty ones included."""
        for name in self._rows:
            rows = self._built(name)
            if name == "calls":
                totals = [calls.row(*key) for key, calls in sorted(self._calls.items())]
                yield name, [*rows, *totals], None
            else:
                yield name, rows, self._seq[name]


class _Decided(NamedTuple):
    """An answer as it was heard, not yet a row."""

    decision: Approved | Refused
    regime: str
    desk_mode: str
    snapshot: Mapping[str, float] | None


def _built(row: object) -> object:
    """Make a row of an answer; other rows are ready."""
    if not isinstance(row, _Decided):
        return row
    return decision_row(row.decision, regime=row.regime, desk_mode=row.desk_mode, snapshot=row.snapshot)


class _Calls:
    """Durations of one tool; eight bytes a call."""

    def __init__(self) -> None:
        self.durations_ns = array("q")
        self.errors = 0
        self.warnings = 0

    def row(self, agent: str, capability: str) -> dict[str, object]:
        durations = np.frombuffer(self.durations_ns, dtype=np.int64)
        p50, p99 = np.percentile(durations, [50, 99])
        return {
            "agent": agent,
            "capability": capability,
            "count": len(durations),
            "errors": self.errors,
            "warnings": self.warnings,
            "total_ns": int(durations.sum()),
            "p50_ns": int(p50),
            "p99_ns": int(p99),
            "max_ns": int(durations.max()),
        }
