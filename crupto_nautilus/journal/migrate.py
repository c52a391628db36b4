"""Bring a database to the newest schema: numbered SQL files, each applied once, all in one transaction.

Two programs that start together do not collide: the second waits for the first.  A database that is newer
than the program is refused, never touched.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from sqlalchemy import Connection, Engine, inspect, text

from crupto_nautilus.errors import EnvironmentProblem

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_IDENTITY = {
    "sqlite": "INTEGER PRIMARY KEY",
    "postgresql": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}
_LOCK = 0x63727570746F  # "crupto": the advisory lock of the migration


class Migration(NamedTuple):
    """One step of the schema: `sql` may use `{identity}` for the dialect's growing key."""

    version: int
    name: str
    sql: str


def shipped() -> tuple[Migration, ...]:
    """Return the migrations of this program, oldest first."""
    found = []
    for entry in files("crupto_nautilus.journal").joinpath("migrations").iterdir():
        match = _NAME.fullmatch(entry.name)
        if match:
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return tuple(sorted(found))


def current_version(connection: Connection) -> int:
    """Return the version of the database; 0 when it is empty."""
    if not inspect(connection).has_table("schema_version"):
        return 0
    return int(connection.execute(text("SELECT max(version) FROM schema_version")).scalar() or 0)


def migrate(engine: Engine, migrations: Sequence[Migration] | None = None) -> int:
    """Apply what is missing and return the version.

    Raises
    ------
    EnvironmentProblem
        The database was made by a newer program.
    """
    steps = shipped() if migrations is None else tuple(migrations)
    newest = max((step.version for step in steps), default=0)
    with engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        version = current_version(connection)
        if version > newest:
            raise EnvironmentProblem(
                "the journal's database was made by a newer program",
                found=f"schema version {version}",
                expected=f"at most {newest}",
                remedy="update crupto, or name another database in CRUPTO_DB_URL",
            )
        if version == 0:
            connection.execute(
                text(
                    "CREATE TABLE IF NOT EXISTS schema_version "
                    "(version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)"
                )
            )
        for step in steps:
            if step.version > version:
                _apply(connection, step)
    return newest


def _apply(connection: Connection, step: Migration) -> None:
    sql = step.sql.replace("{identity}", _IDENTITY[connection.dialect.name])
    without_comments = re.sub(r"--[^\n]*", "", sql)
    for statement in without_comments.split(";"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    connection.execute(
        text("INSERT INTO schema_version (version, name, applied_at) VALUES (:version, :name, :at)"),
        {
            "version": step.version,
            "name": step.name,
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        },
    )
