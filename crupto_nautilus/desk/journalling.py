"""A backtest into the journal: what the desk said, stored when the run has succeeded.

Guarantees: nothing is written while the desk decides; a run that failed leaves no half in the journal; the
messages are stored settled instant by settled instant, in their order.
"""

from __future__ import annotations

from typing import Any

from crupto_nautilus.errors import EnvironmentProblem
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.journal.writer import JournalWriter
from crupto_nautilus.reports.facts import RunFacts

CLOSE_TIMEOUT_S = 600.0


class CollectedJournal:
    """Keeps the batches of a run until they may be stored."""

    def __init__(self) -> None:
        self._batches: list[tuple[int, list[object]]] = []

    def put(self, ts: int, messages: list[object], _state: dict[str, Any] | None) -> bool:
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
