"""Rows leave a table a batch at a time, so that a run that goes on is never kept waiting.

Guarantees: the write lock is held for one batch; a run that holds it goes first, for as long as a minute; who
asks to stop is heard between two batches; what was removed is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import ColumnElement, Table, delete, select

from crupto_nautilus.errors import EnvironmentProblem
from crupto_nautilus.journal.journal import Journal

BATCH_ROWS = 4_000  # removed in one transaction
PAUSE_S = 0.002  # between two batches: lets the writer of a run have the lock
PATIENCE = 30  # attempts at a lock that the run's writer holds, each waits as long as the database lets it


class Batches:
    """The rows of a table (one with an `id`) that a condition names.

    Parameters
    ----------
    stop : Callable
        Asked between batches; True ends the work early, `finished` then stays False.
    """

    def __init__(
        self, journal: Journal, table: Table, which: ColumnElement[bool], stop: Callable[[], bool]
    ) -> None:
        self._journal, self._stop = journal, stop
        batch = select(table.c.id).where(which).limit(BATCH_ROWS)
        self._delete = delete(table).where(table.c.id.in_(batch))
        self.finished = False

    def remove(self) -> int:
        """Remove the rows and return how many went.

        Raises
        ------
        EnvironmentProblem
            The database does not answer, or stays locked; whole batches went before.
        """
        removed = 0
        while not self._stop():
            gone = self._one()
            removed += gone
            if gone < BATCH_ROWS:
                self.finished = True
                break
            time.sleep(PAUSE_S)
        return removed

    def _one(self) -> int:
        for attempt in range(PATIENCE):
            try:
                with self._journal.writing() as connection:
                    return int(connection.execute(self._delete).rowcount)
            except EnvironmentProblem as problem:  # nothing of the batch was removed
                if "locked" not in str(problem.found) or attempt == PATIENCE - 1 or self._stop():
                    raise
                time.sleep(PAUSE_S)
        raise AssertionError("unreachable: the last attempt returns or raises")
