"""Write the journal off the decision path: a thread and a queue between the desk and the database.

Guarantees
----------
- `put` never waits for the database and never drops anything.
- Entries are stored in the order they were put, each once, each whole; those that wait are stored together.
- While the database is locked, full or gone the thread tries again and again (0.05 s, doubling to 2 s) and
  says so: `failed` holds the cause, `backlog` grows, and from `max_backlog` on `is_full` asks the desk to
  pause entries.
- What can never succeed (a message without a place, a run taken over by another process) stops the thread;
  `failed` stays, nothing that was put is forgotten, and `close` raises.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from crupto_nautilus.errors import EnvironmentProblem
from crupto_nautilus.journal.journal import Entry, Journal

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0
_MOST_ROWS: Final = 5000  # of one transaction: keeps the write lock short
_HOPELESS: Final = (IntegrityError, DataError, ProgrammingError)


class JournalWriter:
    """The writer of one run; the run must have been started.

    Parameters
    ----------
    journal : Journal
        Where to write; it stays open when the writer closes.
    run_id : str
        The run; it is claimed, so that an older writer of it stops.
    max_backlog : int
        Entries (instants) that may wait before the writer calls itself full.
    """

    def __init__(self, journal: Journal, run_id: str, max_backlog: int = 10_000) -> None:
        if max_backlog < 1:
            raise ValueError(f"max_backlog was {max_backlog}, expected at least 1")
        self._journal = journal
        self._run_id = run_id
        self._max_backlog = max_backlog
        self._queue: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._stopped = False
        self._failed: str | None = None
        self._failures = 0
        self._seq = journal.claim(run_id)
        self._thread = threading.Thread(target=self._run, name=f"journal-{run_id}", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Return how many entries are not stored yet."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Tell whether the desk should pause entries until the database is back."""
        return len(self._queue) >= self._max_backlog

    @property
    def failed(self) -> str | None:
        """Return why the last attempt failed; None while all is well."""
        return self._failed

    @property
    def failures(self) -> int:
        """Return how many attempts failed since the start."""
        return self._failures

    @property
    def stored(self) -> int:
        """Return the number of the run's last stored entry."""
        return self._seq

    def put(self, ts_event: int, messages: Sequence[object], state: Mapping[str, Any] | None = None) -> bool:
        """Queue one settled instant; False says the backlog has reached its bound (it is queued even so).

        `messages` and `state` belong to the writer from here on and must not be changed.

        Raises
        ------
        RuntimeError
            The writer is closed.
        """
        with self._changed:
            if self._closing:
                raise RuntimeError("the journal writer was closed, expected no more events")
            self._queue.append(Entry(ts_event, messages, state))
            self._changed.notify_all()
            return len(self._queue) < self._max_backlog

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until everything put so far is stored; False if that took too long or cannot happen."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue or self._stopped, timeout_s)
            return not self._queue

    def close(self, timeout_s: float = 30.0) -> None:
        """Store what waits and end the thread.

        Raises
        ------
        EnvironmentProblem
            Not everything could be stored in time; says how many entries are missing and why.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            missing = len(self._queue)
        if missing:
            raise EnvironmentProblem(
                f"{missing} journal entries of run {self._run_id} were not stored",
                found=self._failed or f"no answer within {timeout_s:g} s",
                expected="a database that can be written",
                remedy="the run folder holds the events; crupto db info",
            )

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        batch: list[Entry] = []
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing or self._stopped)
                if self._stopped or not self._queue:
                    return
                # A batch of unknown outcome is repeated as it was: its last number tells if it is stored.
                batch = batch or self._batch()
            try:
                self._journal.store(self._run_id, batch, self._seq + 1)
            except DBAPIError as error:
                if isinstance(error, _HOPELESS):
                    self._stop(error)
                    return
                self._failures += 1
                self._failed = str(error.orig).strip().splitlines()[0]
                self._wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - a thread that dies unseen would be worse than any error
                self._stop(error)
                return
            else:
                pause_s = _FIRST_PAUSE_S
                with self._changed:
                    for _ in batch:
                        self._queue.popleft()
                    self._seq += len(batch)
                    batch = []
                    self._failed = None
                    self._changed.notify_all()

    def _batch(self) -> list[Entry]:
        """Return what is stored next: everything that waits, up to a bound of rows."""
        batch: list[Entry] = []
        rows = 0
        for entry in self._queue:
            if batch and rows + len(entry.messages) > _MOST_ROWS:
                break
            batch.append(entry)
            rows += len(entry.messages)
        return batch

    def _wait(self, pause_s: float) -> None:
        until = time.monotonic() + pause_s
        with self._changed:
            while not self._stopped and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)

    def _stop(self, error: Exception) -> None:
        with self._changed:
            self._failures += 1
            self._failed = str(error).strip().splitlines()[0]
            self._stopped = True
            self._changed.notify_all()
