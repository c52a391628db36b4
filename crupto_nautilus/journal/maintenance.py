"""Keep a journal small: what it holds, which runs may go, and a copy of a run in Parquet before it does.

A run that has not ended is never removed.  A run that goes is marked first (it can no longer be resumed),
its rows follow in batches beside whatever run goes on, its entry in `runs` is the last: a removal that was
cut off is finished by the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Table, delete, func, select, text, update

from crupto_nautilus.errors import CheckFailed, EnvironmentProblem, UsageError
from crupto_nautilus.journal.journal import PRUNED, Journal, RunRecord
from crupto_nautilus.journal.parquet import write_rows
from crupto_nautilus.journal.removal import Batches
from crupto_nautilus.journal.schema import HISTORY, POSITIONS, RUNS, STATE
from risk.vocabulary import DAY_NS

_OF_A_RUN: tuple[Table, ...] = (*HISTORY, POSITIONS, STATE)


@dataclass(frozen=True, slots=True)
class JournalInfo:
    """What a database holds."""

    url: str
    version: int
    size_bytes: int
    runs: int
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Pruned:
    """The runs that went (or would go) and how many rows with them; `kept_open` did not end and stay."""

    run_ids: tuple[str, ...]
    rows: int
    kept_open: tuple[str, ...]


def wall_end_ns(run: RunRecord) -> int | None:
    """Return when a run ended by wall time; desk time of a replay lies years back and says nothing."""
    if run.end_ns is None:
        return None
    return int(run.record.get("wall_end_ns") or run.end_ns)


def info(journal: Journal) -> JournalInfo:
    """Return schema version, size and row counts of a journal."""
    version = journal.version()
    with journal.reading() as connection:
        size = (
            "SELECT pg_database_size(current_database())"
            if connection.dialect.name == "postgresql"
            else "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        )
        tables = (RUNS, *_OF_A_RUN) if version else ()
        rows = {table.name: _count(connection, table) for table in tables}
        return JournalInfo(
            url=journal.url,
            version=version,
            size_bytes=int(connection.execute(text(size)).scalar_one()),
            runs=rows.get("runs", 0),
            rows=rows,
        )


def prune(
    journal: Journal,
    now_ns: int,
    keep_runs: int = 5,
    keep_days: float = 7.0,
    dry_run: bool = False,
    compact: bool = True,
) -> Pruned:
    """Remove ended runs that are older than `keep_days` and not among the newest `keep_runs`.

    Parameters
    ----------
    now_ns : int
        Wall time in ns UTC, against which a run's end is old.
    keep_runs : int
        That many of the newest runs stay, however old.
    keep_days : float
        Runs that ended within that many days stay, however many.
    dry_run : bool
        Only tell what would go.
    compact : bool
        Give the space back to the disk; it locks the database while it works.
    """
    if keep_runs < 0 or keep_days < 0:
        raise UsageError(
            "what to keep cannot be negative",
            found=f"{keep_runs} runs, {keep_days:g} days",
            expected="0 or more",
        )
    oldest_ns = now_ns - int(keep_days * DAY_NS)
    older = journal.runs()[keep_runs:]
    gone = tuple(run.run_id for run in older if (ended := wall_end_ns(run)) is not None and ended < oldest_ns)
    kept_open = tuple(run.run_id for run in older if run.end_ns is None)
    rows = sum((_rows_of if dry_run else _remove)(journal, run_id) for run_id in gone)
    if gone and not dry_run and compact:
        journal.compact()
    return Pruned(gone, rows, kept_open)


def archive(journal: Journal, run_id: str, folder: Path) -> Path:
    """Write every table of a run to `folder/<run_id>/<table>.parquet`, with `run.json`, and return that path.

    The folder appears complete or not at all.

    Raises
    ------
    UsageError
        The run is not in the journal, or its archive exists.
    EnvironmentProblem
        The folder cannot be written.
    """
    run = next((run for run in journal.runs() if run.run_id == run_id), None)
    if run is None:
        raise UsageError(f"run {run_id} is not in the journal", found=journal.url, remedy="crupto runs")
    target = folder / run_id
    if target.exists():
        raise UsageError(
            f"{target} is there already", found="an archive", expected="none", remedy=f"rm -r {target}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{run_id}.", dir=folder))
        try:
            for table in _OF_A_RUN:
                _export(journal, table, run_id, unfinished / f"{table.name}.parquet")
            (unfinished / "run.json").write_text(
                json.dumps({"record": run.record, "summary": run.summary, "exit_reason": run.exit_reason}),
                encoding="utf-8",
            )
            os.replace(unfinished, target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise EnvironmentProblem(
            f"the archive of {run_id} cannot be written",
            found=str(error.strerror or error),
            expected="a folder that can be written",
            remedy=f"ls -ld {folder}; df -h {folder}",
        ) from error
    return target


def _count(connection: Connection, table: Table, run_id: str | None = None) -> int:
    query = select(func.count()).select_from(table)
    if run_id is not None:
        query = query.where(table.c.run_id == run_id)
    return int(connection.execute(query).scalar_one())


def _rows_of(journal: Journal, run_id: str) -> int:
    with journal.reading() as connection:
        return sum(_count(connection, table, run_id) for table in _OF_A_RUN)


def _remove(journal: Journal, run_id: str) -> int:
    """Remove a run: the mark, its rows in batches, its entry."""
    with journal.writing() as connection:
        connection.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(exit_reason=PRUNED))
    rows = sum(Batches(journal, table, table.c.run_id == run_id, lambda: False).remove() for table in HISTORY)
    with journal.writing() as connection:
        for table in (POSITIONS, STATE):
            rows += connection.execute(delete(table).where(table.c.run_id == run_id)).rowcount
        connection.execute(delete(RUNS).where(RUNS.c.run_id == run_id))
    return rows


def _export(journal: Journal, table: Table, run_id: str, path: Path) -> None:
    order = table.c.id if "id" in table.c else table.c.run_id
    query = select(table).where(table.c.run_id == run_id).order_by(order)
    with journal.reading() as connection:
        held = _count(connection, table, run_id)
        written = write_rows(connection, query, table, path)
    if written.rows != held:
        raise CheckFailed(
            f"the copy of {table.name} of run {run_id} is not complete",
            found=f"{written.rows} rows in {path.name}",
            expected=f"{held}, as in the journal",
        )
