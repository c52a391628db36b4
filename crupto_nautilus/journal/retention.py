"""Keep a journal small: raw rows of ended runs, older than the policy, go to Parquet by day and then away.

Guarantees: a row leaves the database only after its day's file was written, flushed, read back and entered in
the manifest; what is removed is counted against what was written, and a difference stops the work with
nothing lost.  A process that is killed in between goes on where it was: a day that is in the manifest is not
written twice.  Memory is bounded by a chunk of rows; the write lock is held for a small batch at a time, so a
run that goes on is never kept waiting.

Layout: `<folder>/<run_id>/<table>/<YYYY-MM-DD>.parquet` and `<folder>/<run_id>/manifest.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Table, func, select

from crupto_nautilus.errors import CheckFailed, EnvironmentProblem
from crupto_nautilus.journal.journal import Journal, RunRecord
from crupto_nautilus.journal.maintenance import wall_end_ns
from crupto_nautilus.journal.parquet import Written, write_rows
from crupto_nautilus.journal.removal import Batches
from crupto_nautilus.journal.schema import HISTORY
from risk.vocabulary import DAY_NS

MANIFEST = "manifest.json"

WRITTEN, REMOVED = "written", "removed"


@dataclass(frozen=True, slots=True)
class Archived:
    """What an archiving did; `rows` were written, checked and removed."""

    rows: int
    files: int
    runs: tuple[str, ...]
    kept_open: tuple[str, ...]
    by_table: dict[str, int]


def archive_rows(
    journal: Journal,
    folder: Path,
    now_ns: int,
    keep_days: float = 30.0,
    *,
    include_open: bool = False,
    dry_run: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Archived:
    """Move raw rows that are older than the policy from the database to Parquet.

    Parameters
    ----------
    now_ns : int
        Wall time, ns UTC.  A run that ended within `keep_days` is left alone.
    include_open : bool
        Also take rows of runs that have not ended, those older than `keep_days` before the run's newest row;
        such a run can no longer be resumed with its whole record.
    dry_run : bool
        Only count.
    stop : Callable
        Asked between batches; True ends the work early (it can go on later).

    Raises
    ------
    CheckFailed
        The rows removed are not the rows written: stopped, nothing is lost.
    EnvironmentProblem
        The folder cannot be written.
    """
    counts: dict[str, int] = {}
    files, touched, kept = 0, [], []
    for run in journal.runs():
        bound = _bound_ns(journal, run, now_ns, keep_days, include_open)
        if bound is None:
            if run.end_ns is None:
                kept.append(run.run_id)
            continue
        for table in HISTORY:
            if stop():
                break
            work = _Work(journal, run.run_id, table, folder, bound, stop)
            rows = work.count() if dry_run else work.move()
            files += work.files
            if rows:
                counts[table.name] = counts.get(table.name, 0) + rows
                if run.run_id not in touched:
                    touched.append(run.run_id)
    return Archived(sum(counts.values()), files, tuple(touched), tuple(kept), counts)


def read_archive(folder: Path, run_id: str, table: str) -> Iterator[pa.Table]:
    """Yield the archived rows of a run's table, day by day in order.

    Raises
    ------
    EnvironmentProblem
        A file is missing or not the one that was written.
    """
    manifest = _read_manifest(folder / run_id)
    for name, entry in sorted(manifest.items()):
        if entry["table"] != table:
            continue
        path = folder / run_id / name
        if not path.is_file() or _sha256(path) != entry["sha256"]:
            raise EnvironmentProblem(
                f"the archive file {path} is missing or damaged",
                found="no such file" if not path.is_file() else "another content",
                expected=f"{entry['rows']} rows, sha256 {entry['sha256'][:12]}",
                remedy="restore it from a backup",
            )
        yield pq.read_table(path)


def archived_rows(folder: Path, run_id: str) -> dict[str, int]:
    """Return how many rows of each table an archive holds."""
    found: dict[str, int] = {}
    for entry in _read_manifest(folder / run_id).values():
        found[entry["table"]] = found.get(entry["table"], 0) + int(entry["rows"])
    return found


def _bound_ns(
    journal: Journal, run: RunRecord, now_ns: int, keep_days: float, include_open: bool
) -> int | None:
    """Return before which desk time the rows of a run may go; None: none of them."""
    ended = wall_end_ns(run)
    if ended is not None:
        return (1 << 62) if ended < now_ns - int(keep_days * DAY_NS) else None
    if not include_open:
        return None
    newest = 0
    with journal.reading() as connection:
        for table in HISTORY:
            query = select(func.max(table.c.ts_event)).where(table.c.run_id == run.run_id)
            newest = max(newest, int(connection.execute(query).scalar() or 0))
    return newest - int(keep_days * DAY_NS) if newest else None


class _Work:
    """One table of one run."""

    def __init__(
        self,
        journal: Journal,
        run_id: str,
        table: Table,
        folder: Path,
        bound_ns: int,
        stop: Callable[[], bool],
    ) -> None:
        self._journal, self._run_id, self._table, self._bound = journal, run_id, table, bound_ns
        self._folder, self._stop = folder / run_id, stop
        self.files = 0

    def count(self, low: int = 0, high: int | None = None) -> int:
        """Return the rows in [low, high) of desk time."""
        table = self._table
        ours = (
            (table.c.run_id == self._run_id)
            & (table.c.ts_event >= low)
            & (table.c.ts_event < (self._bound if high is None else high))
        )
        with self._journal.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(table).where(ours)).scalar_one())

    def move(self) -> int:
        """Move all days that are old enough; return the rows moved."""
        moved = self._finish_what_was_written()
        while not self._stop():
            day = self._oldest_day()
            if day is None:
                break
            moved += self._move_day(day)
        return moved

    def _oldest_day(self) -> int | None:
        table = self._table
        query = select(func.min(table.c.ts_event)).where(
            table.c.run_id == self._run_id, table.c.ts_event < self._bound
        )
        with self._journal.reading() as connection:
            oldest = connection.execute(query).scalar()
        return None if oldest is None else int(oldest) // DAY_NS

    def _move_day(self, day: int) -> int:
        low, high = day * DAY_NS, min((day + 1) * DAY_NS, self._bound)
        name = f"{self._table.name}/{datetime.fromtimestamp(day * DAY_NS // 10**9, UTC):%Y-%m-%d}"
        manifest, number = _read_manifest(self._folder), 1
        while f"{name}{_suffix(number)}" in manifest:  # rows that came later than their day was archived
            number += 1
        name = f"{name}{_suffix(number)}"
        path = self._folder / name
        with _DiskErrors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            rows, newest_id = self._write(path, low, high)
            entry = {
                "table": self._table.name, "rows": rows, "low_ns": low, "high_ns": high, "max_id": newest_id,
                "bytes": path.stat().st_size, "sha256": _sha256(path), "state": WRITTEN,
            }  # fmt: skip
            _write_manifest(self._folder, manifest | {name: entry})
        self.files += 1
        return self._remove(name, entry, whole=True)

    def _write(self, path: Path, low: int, high: int) -> Written:
        """Write a day's rows and read their number back; return (rows, largest id)."""
        table = self._table
        query = (
            select(table)
            .where(table.c.run_id == self._run_id, table.c.ts_event >= low, table.c.ts_event < high)
            .order_by(table.c.ts_event, table.c.id)
        )
        beside = path.with_name(f".{path.name}.tmp")
        with self._journal.reading() as connection:
            written = write_rows(connection, query, table, beside)
        beside.replace(path)
        return written

    def _finish_what_was_written(self) -> int:
        """Remove the rows of files that were written before the process was killed."""
        moved = 0
        for name, entry in sorted(_read_manifest(self._folder).items()):
            if entry["table"] == self._table.name and entry["state"] == WRITTEN:
                moved += self._remove(name, entry)
        return moved

    def _remove(self, name: str, entry: dict[str, Any], *, whole: bool = False) -> int:
        """Remove the rows of a written file, a batch at a time, and count them.

        `whole`: none of them was removed before, so their number must be the file's exactly.
        """
        table = self._table
        ours = (
            (table.c.run_id == self._run_id)
            & (table.c.ts_event >= entry["low_ns"])
            & (table.c.ts_event < entry["high_ns"])
            & (table.c.id <= entry["max_id"])
        )
        batches = Batches(self._journal, table, ours, self._stop)
        removed = batches.remove()
        if not batches.finished:
            return 0  # stopped early: the manifest still says written, the next time goes on
        before = _read_manifest(self._folder)
        if removed > entry["rows"] or (whole and removed != entry["rows"]):
            raise CheckFailed(
                f"other rows than were archived left the journal: {name}",
                found=f"{removed} rows removed",
                expected=f"{entry['rows']} rows, as in the file",
                remedy=f"{self._folder / name} holds what was archived; restore the rest from a backup",
            )
        _write_manifest(self._folder, before | {name: entry | {"state": REMOVED}})
        return int(entry["rows"])


def _suffix(number: int) -> str:
    return ".parquet" if number == 1 else f".{number}.parquet"


def _read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EnvironmentProblem(
            f"the manifest {path} is damaged",
            found=str(error),
            expected="JSON",
            remedy="restore it from a backup",
        ) from error
    return dict(found)


def _write_manifest(folder: Path, manifest: dict[str, dict[str, Any]]) -> None:
    path = folder / MANIFEST
    beside = path.with_name(f".{MANIFEST}.tmp")
    with _DiskErrors(path):
        with beside.open("w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _DiskErrors:
    """Tell which file of the archive the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | pa.ArrowException):
            raise EnvironmentProblem(
                f"the archive file {self._path} cannot be written",
                found=str(error),
                expected="a folder that can be written, with free space",
                remedy=f"df -h {self._path.parent}; nothing was removed",
            ) from error
