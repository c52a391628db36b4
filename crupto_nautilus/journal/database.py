"""Open the journal's database: SQLite in WAL mode, or PostgreSQL through psycopg 3.

SQLite: WAL, `synchronous=FULL` (a commit that returned is on the disk), writers begin with the write
lock, a locked file is waited for.  PostgreSQL: `postgresql://` and `postgres://` mean psycopg 3, a
dead server is noticed within seconds, a statement never hangs for ever.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from crupto_nautilus.errors import EnvironmentProblem, UsageError

_EXPECTED = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"
_POSTGRES_OPTIONS = "-c statement_timeout=30000 -c lock_timeout=10000 -c timezone=UTC"


def default_url(folder: Path) -> str:
    """Return the URL of the journal inside a folder of runs."""
    return f"sqlite:///{folder / 'journal.db'}"


def journal_url(url: str) -> URL:
    """Return the parsed URL, with the driver this project uses.

    Raises
    ------
    UsageError
        The URL is none, or names another database, or SQLite in memory (its rows would be lost).
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # The text is not repeated: it may hold a password.
        raise UsageError("the journal's database URL does not parse", expected=_EXPECTED) from error
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise UsageError(
            "the journal's database is not supported", found=parsed.drivername, expected=_EXPECTED
        )
    if not parsed.database or parsed.database == ":memory:":
        raise UsageError(
            "the journal needs a file: rows in memory would be lost",
            found=parsed.render_as_string(),
            expected=_EXPECTED,
        )
    return parsed


def open_engine(url: str, busy_timeout_s: float) -> Engine:
    """Return an engine for the journal; nothing is connected yet.

    Raises
    ------
    UsageError
        See `journal_url`.
    EnvironmentProblem
        The folder of a SQLite file cannot be made, or psycopg is not installed.
    """
    parsed = journal_url(url)
    if parsed.drivername == "postgresql+psycopg":
        arguments: dict[str, Any] = {"connect_timeout": 5, "options": _POSTGRES_OPTIONS}
        try:
            return create_engine(parsed, connect_args=arguments, pool_pre_ping=True, pool_size=2)
        except ModuleNotFoundError as error:
            raise EnvironmentProblem(
                "the PostgreSQL driver is not installed",
                found="no module psycopg",
                expected="psycopg 3",
                remedy="uv sync --extra postgres",
            ) from error
    folder = Path(str(parsed.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(
            f"the journal's folder {folder} cannot be made",
            found=str(error.strerror),
            expected="a folder that can be written",
            remedy=f"mkdir -p {folder}",
        ) from error
    engine = create_engine(parsed, connect_args={"timeout": busy_timeout_s})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    # Python's own transaction handling begins too late for a consistent read and never with the write lock.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-32000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins as a reader cannot wait for the write lock later: it fails at once.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
