"""The desk's journal: a backtest's when it has succeeded, a paper run's while it runs.

Guarantees: nothing here waits on the decision path; messages are stored settled instant by settled instant,
in their order, a paper run's together with the state after them; a backtest that failed leaves no half in the
journal.  When the database does not take a paper run's instants, `trouble` says why, and beyond `BACKLOG`
waiting ones `pause` asks the desk to refuse entries until it does again; nothing that waits is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from actors.sinks import Kept
from crupto_nautilus.desk.earlier_rows import folder_rows
from crupto_nautilus.desk.facts import run_facts
from crupto_nautilus.desk.resume import OPENING_BALANCE, options_record
from crupto_nautilus.errors import EnvironmentProblem
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.journal.sessions import Sessions, earlier_sessions
from crupto_nautilus.journal.writer import JournalWriter
from crupto_nautilus.reports.facts import RunFacts

if TYPE_CHECKING:
    from crupto_nautilus.desk.services import PaperContext

CLOSE_TIMEOUT_S = 600.0
BACKLOG: Final = 2_000
"""Instants of a paper run that may wait for the database before entries pause."""
_STOP_TIMEOUT_S: Final = 8.0  # a run ends within 10 s


class CollectedJournal:
    """Keeps the batches of a backtest until they may be stored."""

    wants_state = False
    trouble = ""
    pause = ""

    def __init__(self) -> None:
        self._batches: list[tuple[int, Sequence[Kept]]] = []

    def put(self, ts: int, messages: Sequence[Kept], _state: dict[str, Any] | None) -> bool:
        """Keep a batch; a backtest has no state to restore."""
        self._batches.append((ts, messages))
        return True

    def store(self, url: str, facts: RunFacts, summary: dict[str, Any]) -> None:
        """Write the run and all its batches.

        Raises
        ------
        EnvironmentProblem
            The database cannot be reached or refuses; the run folder stands nevertheless.
        """
        with Journal(url) as journal:
            journal.migrate()
            journal.start_run(facts.to_json())
            writer = JournalWriter(journal, facts.run_id)
            for ts, messages in self._batches:
                if not writer.put(ts, messages) and not writer.flush(CLOSE_TIMEOUT_S):
                    raise EnvironmentProblem(
                        "the journal does not take the run",
                        found=writer.failed or "no progress",
                        expected="a database that can be written",
                        remedy="mend the database, or run with --no-journal",
                    )
            writer.close(CLOSE_TIMEOUT_S)
            journal.finish_run(facts.run_id, facts.exit_reason, facts.end_ns, summary)


class LiveJournal:
    """The journal of a paper run; a service, so that it is closed with the run."""

    name = "journal"
    wants_state = True

    def __init__(self, url: str, run_id: str, *, resume: bool = False) -> None:
        self._run_id, self._resume = run_id, resume
        self._journal = Journal(url)
        self._writer: JournalWriter | None = None

    def __enter__(self) -> LiveJournal:
        return self

    def __exit__(self, *exc: object) -> None:
        self._journal.close()

    def start(self, context: PaperContext) -> None:
        """Open the journal and claim the run; its record can start a later session.

        Raises
        ------
        UsageError
            A run of that name is in the journal already.
        EnvironmentProblem
            The database cannot be reached.
        """
        facts = run_facts(
            context.prepared,
            context.options,
            context.desk,
            wall_start_ns=time.time_ns(),
            mode="paper",
            exit_reason="",
        )
        self._journal.migrate()
        record = facts.to_json() | {
            "options": options_record(context.options), OPENING_BALANCE: context.opening_balance,
        }  # fmt: skip
        self._journal.start_run(record, resume=self._resume)
        self._writer = JournalWriter(self._journal, self._run_id, BACKLOG)

    @property
    def trouble(self) -> str:
        """Why the last attempt to store failed; empty while all is well."""
        return (self._writer.failed or "") if self._writer is not None else ""

    @property
    def backlog(self) -> int:
        """Instants that are not stored yet."""
        return self._writer.backlog if self._writer is not None else 0

    @property
    def pause(self) -> str:
        """Why entries must wait; empty while fewer than `BACKLOG` instants wait."""
        writer = self._writer
        if writer is None or not writer.is_full:
            return ""
        why = writer.failed or "it is slow"
        return f"journal: {writer.backlog} instants wait for the database ({why})"

    @property
    def is_behind(self) -> bool:
        """Whether a replay should wait: much is not stored, and the database takes it."""
        writer = self._writer
        return writer is not None and writer.backlog > BACKLOG // 2 and writer.failed is None

    def put(self, ts: int, messages: Sequence[Kept], state: dict[str, Any] | None) -> bool:
        """Queue a settled instant with the state after it."""
        return self._writer is None or self._writer.put(ts, messages, state)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything that was put is stored; False if it is not."""
        return self._writer is None or self._writer.flush(timeout_s)

    def stop(self, reason: str) -> None:
        """Store what waits.

        Raises
        ------
        EnvironmentProblem
            Not everything could be stored in time.
        """
        if self._writer is not None:
            self._writer.close(_STOP_TIMEOUT_S)

    def rows_before(self, number: int) -> dict[str, list[dict[str, Any]]]:
        """Return what earlier sessions recorded: the rows of the run folder up to `number`, by table."""
        rows = folder_rows(self._journal, self._run_id)
        return {name: [row for row in found if row["seq"] <= number] for name, found in rows.items()}

    def sessions_before(self) -> Sessions:
        """Return the totals of earlier sessions, for those who show the run."""
        return earlier_sessions(self._journal, self._run_id)

    def finish(self, facts: RunFacts, summary: dict[str, Any]) -> None:
        """Record how the run ended."""
        self._journal.finish_run(self._run_id, facts.exit_reason, facts.end_ns, summary)
