"""A run folder on disk: `<runs>/<run_id>/` with one Parquet file a table, `run.json` and the reports.

Guarantees: a folder under its own name is complete; a run in progress (or killed) lies under
`.<run_id>.partial` and is never mistaken for a finished one.  Files appear whole (written beside and
renamed).  Every table exists, empty ones included, and `run.json` carries rows and sha256 of each.
Refuses: overwriting a finished run; reading a run that did not finish, unless told to; a table whose columns
are not those of the schema.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crupto_nautilus.reports.errors import RunFolderError, RunWriteError
from crupto_nautilus.reports.facts import RunFacts
from crupto_nautilus.reports.recording import Recording
from crupto_nautilus.reports.rows import to_table
from crupto_nautilus.reports.schema import TABLES, completed

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def partial_path(runs: Path, run_id: str) -> Path:
    """Where a run lies until it has finished."""
    return runs / f".{run_id}.partial"


class RunWriter:
    """Writes one run; use as a context manager so that a failure leaves nothing that looks like a run.

    Parameters
    ----------
    runs
        Folder of all runs; created if missing.
    run_id
        Letters, digits, dot, dash and underscore, at most 80.
    resume
        Continue in the folder of an earlier run of this id, killed or finished; its other files stay, and a
        failure leaves them.  Without it a finished run of this id is refused and a killed one cleared away.
    """

    def __init__(self, runs: Path, run_id: str, *, resume: bool = False) -> None:
        if not _RUN_ID.fullmatch(run_id):
            raise RunFolderError(
                f"run id {run_id!r} cannot be a folder name",
                found=run_id,
                expected="letters, digits, dot, dash, underscore; at most 80",
                remedy="choose another RUN_ID",
            )
        self.run_id = run_id
        self.path = partial_path(runs, run_id)
        self.final = runs / run_id
        self._resume = resume
        self._files: dict[str, dict[str, object]] = {}
        if self.final.exists() and not resume:
            raise RunFolderError(
                f"run {run_id} exists already",
                found=str(self.final),
                expected="a new run id",
                remedy="choose another RUN_ID or move the old folder away",
            )
        with _disk_errors(self.path):
            if not resume and self.path.exists():
                shutil.rmtree(self.path)
            if self.final.exists():
                self.final.rename(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "run.json").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self._resume:
            self.abandon()

    def write_table(
        self, name: str, rows: Sequence[object] | Mapping[str, Any], seq: Sequence[int] | None = None
    ) -> None:
        """Write a table of `schema.TABLES` from messages, dicts or columns (see `rows.to_table`)."""
        self._write(name, to_table(name, rows, seq))

    def _write(self, name: str, table: pa.Table) -> None:
        path = self.path / f"{name}.parquet"
        with _disk_errors(path):
            pq.write_table(table, path, compression="zstd")
            self._files[name] = {"rows": table.num_rows, "sha256": _sha256(path)}

    def write_recording(
        self, recording: Recording, earlier: Mapping[str, Sequence[Mapping[str, Any]]] | None = None
    ) -> None:
        """Write all tables of a recording, behind the rows of earlier sessions of the run.

        A table written before by `write_table` is kept if the recording has no rows for it.
        """
        for name, rows, seq in recording.tables():
            before = (earlier or {}).get(name)
            if before:
                table = pa.concat_tables([to_table(name, before), to_table(name, rows, seq)])
                self._write(name, table)
            elif rows or name not in self._files:
                self.write_table(name, rows, seq)

    def write_json(self, name: str, value: Mapping[str, object]) -> None:
        """Write `<name>` (with its suffix) as JSON into the unfinished run."""
        write_text(self.path / name, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def finish(self, facts: RunFacts) -> RunFolder:
        """Write missing tables empty, then `run.json`, then give the folder its own name.

        Raises
        ------
        RunFolderError
            `facts.exit_reason` is empty.
        RunWriteError
            The disk refuses.
        """
        if not facts.exit_reason:
            raise RunFolderError(
                "a finished run needs an exit reason",
                found="an empty exit_reason",
                expected="completed, interrupted, ...",
                remedy="set RunFacts.exit_reason",
            )
        for name in TABLES:
            if name not in self._files:
                self.write_table(name, [])
        self.write_json("run.json", facts.to_json() | {"tables": self._files})
        with _disk_errors(self.final):
            self.path.rename(self.final)
        return RunFolder(self.final)

    def abandon(self) -> None:
        """Remove what was written so far."""
        shutil.rmtree(self.path, ignore_errors=True)


class RunFolder:
    """Reads a finished run.

    Parameters
    ----------
    path
        The run's folder.
    allow_unfinished
        Read a partial folder too (its `run.json` may lack an exit reason).
    """

    def __init__(self, path: Path, *, allow_unfinished: bool = False) -> None:
        self.path = path
        run_json = path / "run.json"
        if not run_json.is_file():
            unfinished = path.name.endswith(".partial")
            raise RunFolderError(
                f"run {path.name} did not finish" if unfinished else f"{path} is no run folder",
                found="no run.json",
                expected="a folder written by crupto backtest or crupto paper",
                remedy="run it again" if unfinished else "crupto runs lists the runs there are",
            )
        self.run: dict[str, Any] = _read_json(run_json)
        self.facts = RunFacts.from_json(self.run)
        if not allow_unfinished and not self.facts.exit_reason:
            raise RunFolderError(
                f"run {self.facts.run_id} did not finish",
                found="run.json without exit_reason",
                expected="a finished run",
                remedy="resume it (crupto paper --resume) or run it again",
            )
        self._tables: dict[str, pd.DataFrame] = {}

    @classmethod
    def open(cls, run: str | Path, runs: Path = Path("runs")) -> RunFolder:
        """Open a run by folder or by id below `runs`; an unfinished one is refused by name.

        Raises
        ------
        RunFolderError
            There is no such run, it did not finish, or its files are damaged.
        """
        for path in (Path(run), runs / str(run)):
            if (path / "run.json").is_file():
                return cls(path)
        partial = partial_path(runs, Path(run).name)
        if partial.is_dir():
            return cls(partial)
        known = [row.run_id for row in list_runs(runs)]
        raise RunFolderError(
            f"there is no run {run}",
            found=f"{len(known)} runs in {runs}" + (f": {', '.join(known[-5:])}" if known else ""),
            expected="a run id or the path of a run folder",
            remedy="crupto runs lists the runs there are",
        )

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.facts.run_id

    def arrow(self, name: str) -> pa.Table:
        """Return a table as arrow, its columns checked against the schema (`ADDED` ones may be missing).

        Raises
        ------
        RunFolderError
            The file is missing, damaged, or has other columns.
        """
        path = self.path / f"{name}.parquet"
        remedy = "run it again, or restore the folder from a backup"
        try:
            table = completed(name, pq.read_table(path))
        except FileNotFoundError as error:
            raise RunFolderError(
                f"run {self.run_id} lacks {path.name}",
                found="no such file",
                expected="every table of a run",
                remedy=remedy,
            ) from error
        except (pa.ArrowException, OSError) as error:
            raise RunFolderError(
                f"{path} cannot be read: {error}", found="a damaged file", expected="Parquet", remedy=remedy
            ) from error
        schema = TABLES[name]
        if not table.schema.equals(schema):
            different = sorted(set(table.schema.names) ^ set(schema.names)) or ["a column's type or order"]
            raise RunFolderError(
                f"{path} has other columns than this version writes: {', '.join(different)}",
                found=", ".join(table.schema.names),
                expected=", ".join(schema.names),
                remedy="read it with the version that wrote it (run.json names it), or run it again",
            )
        return table

    def table(self, name: str) -> pd.DataFrame:
        """Return a table as a data frame (read once and kept; treat it as read-only)."""
        frame = self._tables.get(name)
        if frame is None:
            frame = self._tables[name] = self.arrow(name).to_pandas()
        return frame

    def sha256(self, name: str) -> str:
        """Hash of a table's file as it is now."""
        return _sha256(self.path / f"{name}.parquet")

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON file of the folder, for example `summary.json`."""
        return _read_json(self.path / name)

    def write_json(self, name: str, value: Mapping[str, object]) -> Path:
        """Write a rebuilt JSON file, whole."""
        return write_text(self.path / name, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> Path:
        """Write a rebuilt text file, whole."""
        return write_text(self.path / name, text)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of `crupto runs`; `problem` says why a folder cannot be read."""

    run_id: str
    path: Path
    finished: bool
    mode: str = ""
    start_ns: int = 0
    end_ns: int = 0
    wall_start_ns: int = 0
    exit_reason: str = ""
    trades: int | None = None
    pnl_usd: float | None = None
    pnl_pct: float | None = None
    problem: str = ""


def list_runs(runs: Path) -> list[RunRow]:
    """List the runs below `runs`, oldest first; unfinished and damaged ones are listed with what is wrong."""
    if not runs.is_dir():
        return []
    rows = [row for path in sorted(runs.iterdir()) if path.is_dir() and (row := _run_row(path))]
    return sorted(rows, key=lambda row: (row.wall_start_ns, row.run_id))


def _run_row(path: Path) -> RunRow | None:
    if path.name.endswith(".partial"):
        run_id = path.name.removeprefix(".").removesuffix(".partial")
        return RunRow(run_id, path, finished=False, problem="in progress, or killed")
    if path.name.startswith(".") or not (path / "run.json").is_file():
        return None
    try:
        facts = RunFolder(path, allow_unfinished=True).facts
        summary = _read_json(path / "summary.json") if (path / "summary.json").is_file() else {}
    except RunFolderError as error:
        return RunRow(path.name, path, finished=False, problem=error.message)
    return RunRow(
        facts.run_id,
        path,
        finished=bool(facts.exit_reason),
        mode=facts.mode,
        start_ns=facts.start_ns,
        end_ns=facts.end_ns,
        wall_start_ns=facts.wall_start_ns,
        exit_reason=facts.exit_reason,
        trades=summary.get("trades"),
        pnl_usd=summary.get("pnl_usd"),
        pnl_pct=summary.get("pnl_pct"),
        problem="" if facts.exit_reason else "did not finish",
    )


def write_text(path: Path, text: str) -> Path:
    """Write a text file whole: beside it first, flushed, then renamed.

    Raises
    ------
    RunWriteError
        The disk refuses; the old file, if any, is untouched.
    """
    beside = path.with_name(f".{path.name}.tmp")
    with _disk_errors(path):
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    return path


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{path} cannot be read: {error}",
            found="a missing or damaged file",
            expected="a JSON object",
            remedy="crupto report rebuilds the summary; run.json must come from a backup or a new run",
        ) from error
    if not isinstance(value, dict):
        raise RunFolderError(
            f"{path} holds no JSON object", found=type(value).__name__, expected="a JSON object"
        )
    return value


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise RunWriteError(
            f"{path} cannot be written: {error}",
            found=str(error),
            expected="a writable folder with free space",
            remedy="free space or choose another folder with --out",
        ) from error
