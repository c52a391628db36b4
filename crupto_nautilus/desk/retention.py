"""The daily job of a paper run: raw rows of runs that ended long ago leave the journal for Parquet.

Guarantees: it works on a thread of its own with connections of its own, in small transactions, and ends when
the run ends (it goes on the next day where it was); a failure is noted and ends nothing.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from crupto_nautilus.desk.services import PaperContext
from crupto_nautilus.errors import CruptoError
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.journal.retention import archive_rows
from crupto_nautilus.journal.run_archive import FOLDER

FIRST_S = 60.0  # after the start: the desk has warmed up by then
HOUR_OF_DAY, MINUTE_OF_HOUR = 0, 20  # UTC, after the turn of the day
STOP_TIMEOUT_S = 30.0


class DailyRetention:
    """Archives once after the start and then once a day.

    Parameters
    ----------
    keep_days : float
        Rows of runs that ended within these days stay.
    first_s : float
        Seconds from the start of the run to the first time.
    """

    name = "retention"

    def __init__(self, keep_days: float, first_s: float = FIRST_S) -> None:
        self._keep_days, self._first_s = keep_days, first_s
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.rows = 0
        self.times = 0

    def start(self, context: PaperContext) -> None:
        """Begin, where there is a journal."""
        if context.options.journal_url is None:
            return
        self._thread = threading.Thread(target=self._run, args=(context,), name="retention", daemon=True)
        self._thread.start()

    def stop(self, reason: str) -> None:
        """Stop after the batch at hand."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(STOP_TIMEOUT_S)

    def _run(self, context: PaperContext) -> None:
        wait_s = self._first_s
        while not self._over.wait(wait_s):
            try:
                self._archive(context)
            except CruptoError as error:
                context.notes.append(f"the daily archive failed: {error}".splitlines()[0])
            except Exception as error:  # noqa: BLE001 - housekeeping must not end a desk that trades
                context.notes.append(f"the daily archive failed: {type(error).__name__}: {error}")
            self.times += 1
            wait_s = seconds_until_next(datetime.now(UTC))

    def _archive(self, context: PaperContext) -> None:
        options = context.options
        with Journal(str(options.journal_url)) as journal:
            if not journal.version():
                return
            moved = archive_rows(
                journal, options.out / FOLDER, time.time_ns(), self._keep_days, stop=self._over.is_set
            )
        self.rows += moved.rows
        if moved.rows:
            runs = ", ".join(moved.runs)
            context.notes.append(f"archived {moved.rows} rows of ended runs to {FOLDER}/ ({runs})")


def seconds_until_next(now: datetime) -> float:
    """Return the seconds until the job's time of day comes next."""
    due = now.replace(hour=HOUR_OF_DAY, minute=MINUTE_OF_HOUR, second=0, microsecond=0)
    if due <= now:
        due += timedelta(days=1)
    return (due - now).total_seconds()
