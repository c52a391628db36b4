"""The state of a run from outside of it: its running desk if there is one, else its checkpoint.

Guarantees: a stopped run is changed under its lock, so no desk starts meanwhile; the change, its reason and
the state after it are one transaction; a backup is a whole run, and one of another checkpoint schema is
refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from actors.sinks import Kept
from crupto_nautilus.desk.checkpoint import check_schema
from crupto_nautilus.desk.control import ask
from crupto_nautilus.desk.lock import holder, run_lock, run_lock_path
from crupto_nautilus.desk.operator import StoredOperator
from crupto_nautilus.desk.resume import find_run
from crupto_nautilus.errors import UsageError
from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.journal import Journal, RunRecord
from crupto_nautilus.journal.schema import HISTORY, POSITIONS, RUNS, STATE
from crupto_nautilus.reports.run_folder import partial_path

_OF_A_RUN = (RUNS, *HISTORY, POSITIONS, STATE)


class StateAccess:
    """Shows and changes one run."""

    def __init__(self, runs: Path, run: str, url: str | None) -> None:
        folder = Path(run)
        named_by_path = folder.parent != Path()
        self._runs = folder.parent if named_by_path else runs
        self.run_id = folder.name
        self._url = url or default_url(self._runs)

    @property
    def runs_now(self) -> bool:
        """Whether a desk holds the run."""
        return holder(run_lock_path(self._runs, self.run_id)) is not None

    def show(self) -> dict[str, Any]:
        """Return where the run stands."""
        if self.runs_now:
            return ask(partial_path(self._runs, self.run_id), "show") | {"where": "running"}
        return self._stored(self._record()).show() | {"where": "stopped, at its last checkpoint"}

    def carry_out(self, command: str, subject: str, reason: str) -> dict[str, Any]:
        """Do what the operator asks and return where the run stands then."""
        if self.runs_now:
            answer = ask(partial_path(self._runs, self.run_id), command, subject, reason)
            return answer | {"where": "running"}
        with run_lock(self._runs, self.run_id):
            operator = self._stored(self._record())
            messages = operator.carry_out(command, subject, reason)
            with Journal(self._url) as journal:
                number = journal.last_number(self.run_id)
                kept = [Kept(message, number + k) for k, message in enumerate(messages, 1)]
                journal.write(self.run_id, operator.ts, kept, operator.state)
            return operator.show() | {
                "where": "stopped; it counts when the run is resumed",
                "journalled": True,
            }

    def backup(self, file: Path) -> int:
        """Write the run to a SQLite file that does not exist yet; return how many rows it has."""
        if file.exists():
            raise UsageError(f"{file} is there already", found="a file", expected="a new name")
        self._record()
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.tmp")
        beside.unlink(missing_ok=True)
        try:
            rows = _copy(self._url, f"sqlite:///{beside.resolve()}", self.run_id)
            beside.replace(file)
        finally:
            for name in (beside, Path(f"{beside}-wal"), Path(f"{beside}-shm")):
                name.unlink(missing_ok=True)
        return rows

    def restore(self, file: Path) -> int:
        """Read a backup into the journal; return how many rows it had."""
        if not file.is_file():
            raise UsageError(
                f"there is no backup {file}", found="no such file", expected="a file of crupto state backup"
            )
        source = f"sqlite:///{file.resolve()}"
        with run_lock(self._runs, self.run_id):
            if find_run(source, self.run_id) is None:
                raise UsageError(
                    f"{file} holds no run {self.run_id}", remedy="crupto db info --url sqlite:///FILE"
                )
            if find_run(self._url, self.run_id) is not None:
                raise UsageError(
                    f"run {self.run_id} is in the journal already",
                    found=self._url,
                    expected="a journal without it",
                    remedy="restore into another folder of runs with --runs",
                )
            with Journal(source) as journal:
                checkpoint = journal.load_state(self.run_id)
            if checkpoint is not None:
                check_schema(checkpoint.state)
            return _copy(source, self._url, self.run_id)

    def _record(self) -> RunRecord:
        record = find_run(self._url, self.run_id)
        if record is None:
            raise UsageError(
                f"there is no run {self.run_id}",
                found=f"no such run in the journal of {self._runs}",
                expected="a paper run",
                remedy="crupto runs; --runs names the folder",
            )
        return record

    def _stored(self, record: RunRecord) -> StoredOperator:
        with Journal(self._url) as journal:
            checkpoint = journal.load_state(self.run_id)
        if checkpoint is None:
            raise UsageError(
                f"run {self.run_id} has no checkpoint",
                found=f"a {record.mode} run",
                expected="a paper run that came to its first settled instant",
                remedy="crupto runs",
            )
        check_schema(checkpoint.state)
        return StoredOperator(
            self.run_id, checkpoint.ts_event, checkpoint.state, record.record.get("limits", {})
        )


def _copy(source: str, target: str, run_id: str) -> int:
    """Copy a run between two journals in one transaction; return its rows."""
    total = 0
    with Journal(source) as old, Journal(target) as new:
        new.migrate()
        with old.reading() as reading, new.writing() as writing:
            for table in _OF_A_RUN:
                rows = [
                    {name: value for name, value in row.items() if name != "id"}
                    for row in reading.execute(select(table).where(table.c.run_id == run_id)).mappings()
                ]
                if rows:
                    writing.execute(insert(table), rows)
                total += len(rows)
    return total
