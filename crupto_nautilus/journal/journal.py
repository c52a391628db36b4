"""The journal: what a run said and where it stood, in SQLite or PostgreSQL.

Guarantees
----------
- One transaction a write: the messages of an instant, the positions they change and the checkpoint are there
  together or not at all.  When `write` returned, they survive a killed process and a loss of power.
- A write that is repeated because its outcome was unknown (a connection lost during the commit) is stored
  once: writes of a run are numbered.
- A run has one writer.  Who claims a run takes it over; the one before gets `RunTaken` at its next write.
- Readers never block the writer, and the writer never blocks readers.

Refuses messages it does not know, databases made by a newer program, and two runs of one name.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from crupto_nautilus.errors import EnvironmentProblem, UsageError
from crupto_nautilus.journal.database import open_engine
from crupto_nautilus.journal.migrate import current_version, migrate
from crupto_nautilus.journal.positions import keep_positions
from crupto_nautilus.journal.rows import columns_of, json_text, rows_of, scalar
from crupto_nautilus.journal.schema import HISTORY, METADATA, RUNS, STATE

PRUNED = "pruned"
"""The `exit_reason` of a run whose removal has begun: its rows are no longer complete."""

_TEXTS = ("mode", "command", "config_hash", "governance_hash", "data_fingerprint", "git_revision")


@cache
def _insert(table: Table, dialect: str) -> str:
    # By position and past SQLAlchemy's parameter handling, which costs as much again as the insert itself.
    columns = columns_of(table)
    mark = "%s" if dialect == "postgresql" else "?"
    marks = ", ".join([mark] * len(columns))
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - our own names


class RunTaken(EnvironmentProblem):
    """Another process writes this run now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one write holds: messages of one instant and, where it changed, the state after it."""

    ts_event: int
    messages: Sequence[object]
    state: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as the journal knows it; `record` and `summary` are what the run folder's files hold."""

    run_id: str
    mode: str
    command: str
    start_ns: int
    end_ns: int | None
    exit_reason: str | None  # None: running, or killed
    config_hash: str
    governance_hash: str
    record: dict[str, Any]
    summary: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The newest state of a run and the desk time it belongs to."""

    ts_event: int
    seq: int
    state: dict[str, Any]


class Journal:
    """A journal in one database; safe to use from several threads.

    Parameters
    ----------
    url : str
        `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`.
    busy_timeout_s : float
        How long one attempt waits for a SQLite file that another process has locked.
    """

    def __init__(self, url: str, busy_timeout_s: float = 2.0) -> None:
        self._engine: Engine = open_engine(url, busy_timeout_s)
        self._writing = self._engine.execution_options(writes=True)
        self._token = uuid.uuid4().hex

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Return the URL without its password."""
        return self._engine.url.render_as_string()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection whose reads see one state of the database."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that may write; it commits unless the block raises."""
        with self._explained(), self._writing.begin() as connection:
            yield connection

    def migrate(self) -> int:
        """Bring the database to the newest schema and return its version."""
        with self._explained():
            return migrate(self._engine)

    def version(self) -> int:
        """Return the schema version of the database; 0 when it is empty."""
        with self.reading() as connection:
            return current_version(connection)

    def compact(self) -> None:
        """Give space of removed rows back to the disk (PostgreSQL does so by itself)."""
        if self._engine.dialect.name == "sqlite":
            with self._explained(), self._engine.connect() as connection:
                raw = connection.connection.cursor()  # VACUUM refuses to run inside a transaction
                raw.execute("VACUUM")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                raw.close()

    def start_run(self, run: Mapping[str, Any], resume: bool = False) -> None:
        """Record the start of a run; with `resume` an existing run goes on instead.

        Parameters
        ----------
        run : Mapping
            What `run.json` holds: `run_id`, `start_ns` and, where known, `mode`, `command`, `config_hash`,
            `governance_hash`, `data_fingerprint`, `git_revision`.  Kept whole as JSON.

        Raises
        ------
        UsageError
            A run of that name exists (without `resume`) or does not exist (with it).
        """
        run_id = str(run["run_id"])
        with self.writing() as connection:
            exists = connection.execute(select(RUNS.c.run_id).where(RUNS.c.run_id == run_id)).first()
            if resume != (exists is not None):
                raise UsageError(
                    f"run {run_id} {'is not in' if resume else 'is already in'} the journal",
                    found=self.url,
                    expected="the name of a run to resume" if resume else "a name of its own for each run",
                    remedy="crupto runs" if resume else "choose another RUN_ID, or use --resume",
                )
            if resume:
                connection.execute(
                    update(RUNS).where(RUNS.c.run_id == run_id).values(end_ns=None, exit_reason=None)
                )
                return
            values: dict[str, Any] = {name: str(run.get(name, "")) for name in _TEXTS}
            values |= {"run_id": run_id, "start_ns": int(run["start_ns"]), "record": json_text(run)}
            connection.execute(insert(RUNS), values | {"last_seq": 0, "writer": ""})

    def finish_run(
        self, run_id: str, exit_reason: str, end_ns: int, summary: Mapping[str, Any] | None = None
    ) -> None:
        """Record how and when a run ended."""
        values = {"exit_reason": exit_reason, "end_ns": int(end_ns)}
        text = None if summary is None else json_text(summary)
        with self.writing() as connection:
            done = connection.execute(
                update(RUNS).where(RUNS.c.run_id == run_id).values(**values, summary=text)
            )
            if done.rowcount == 0:
                raise self._unknown(run_id)

    def claim(self, run_id: str) -> int:
        """Become the writer of a run and return the number of its last write."""
        with self.writing() as connection:
            mine = update(RUNS).where(RUNS.c.run_id == run_id).values(writer=self._token)
            last = connection.execute(mine.returning(RUNS.c.last_seq)).scalar()
            if last is None:
                raise self._unknown(run_id)
            return int(last)

    def write(
        self,
        run_id: str,
        ts_event: int,
        messages: Sequence[object],
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Store the messages and the state of one settled instant in one transaction.

        Raises
        ------
        EnvironmentProblem
            The database is locked, full, read-only or gone; all of it was stored or nothing.
        TypeError
            A message has no place in the journal; nothing was stored.
        """
        with self._explained():
            seq = self.claim(run_id) + 1
            self.store(run_id, [Entry(ts_event, messages, state)], seq)

    def store(self, run_id: str, entries: Sequence[Entry], seq: int) -> None:
        """Store entries `seq`, `seq + 1`, ... in one transaction; stored ones are not stored again.

        For the writer that numbers its entries; database errors come through as they are, to be retried.
        """
        last = seq + len(entries) - 1
        messages = [message for entry in entries for message in entry.messages]
        rows = rows_of(run_id, messages)
        newest = next((entry for entry in reversed(entries) if entry.state is not None), None)
        text = None if newest is None else json.dumps(newest.state, separators=(",", ":"), default=scalar)
        with self._writing.begin() as connection:
            if not self._advance(connection, run_id, seq, last):
                return
            for table, table_rows in rows.items():
                connection.exec_driver_sql(_insert(table, connection.dialect.name), table_rows)
            keep_positions(connection, run_id, messages)
            if newest is not None:
                values = {"run_id": run_id, "seq": last, "ts_event": int(newest.ts_event), "state": text}
                self._put_state(connection, values)

    def _advance(self, connection: Connection, run_id: str, seq: int, last: int) -> bool:
        """Move the run's counter from `seq - 1` to `last`; False if this writer had done so already."""
        ours = (RUNS.c.run_id == run_id) & (RUNS.c.writer == self._token)
        moved = connection.execute(update(RUNS).where(ours, RUNS.c.last_seq == seq - 1).values(last_seq=last))
        if moved.rowcount == 1:
            return True
        found = connection.execute(
            select(RUNS.c.last_seq, RUNS.c.writer).where(RUNS.c.run_id == run_id)
        ).first()
        if found is None:
            raise self._unknown(run_id)
        if found.writer == self._token and found.last_seq == last:
            return False
        raise RunTaken(
            f"run {run_id} is written by another process",
            found=f"write {found.last_seq}",
            expected=f"write {seq - 1}",
            remedy="stop the other process, then resume this run",
        )

    @staticmethod
    def _put_state(connection: Connection, values: Mapping[str, Any]) -> None:
        upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        changed = {name: value for name, value in values.items() if name != "run_id"}
        connection.execute(
            upsert(STATE).values(**values).on_conflict_do_update(index_elements=["run_id"], set_=changed)
        )

    def load_state(self, run_id: str) -> Checkpoint | None:
        """Return the newest state of a run, or None if it never had one."""
        with self.reading() as connection:
            row = connection.execute(select(STATE).where(STATE.c.run_id == run_id)).first()
        return None if row is None else Checkpoint(row.ts_event, row.seq, json.loads(row.state))

    def runs(self) -> tuple[RunRecord, ...]:
        """Return all runs, newest first."""
        with self.reading() as connection:
            rows = connection.execute(select(RUNS).order_by(RUNS.c.start_ns.desc(), RUNS.c.run_id)).all()
        return tuple(
            RunRecord(
                run_id=row.run_id,
                mode=row.mode,
                command=row.command,
                start_ns=row.start_ns,
                end_ns=row.end_ns,
                exit_reason=row.exit_reason,
                config_hash=row.config_hash,
                governance_hash=row.governance_hash,
                record=json.loads(row.record),
                summary=None if row.summary is None else json.loads(row.summary),
            )
            for row in rows
        )

    def read(
        self,
        table: str,
        run_id: str,
        start_ns: int | None = None,
        end_ns: int | None = None,
        **equal: object,
    ) -> list[dict[str, Any]]:
        """Return rows of a table in the order they were written, in [start, end] and with the given values.

        Example: `journal.read("decisions", run_id, reason="COOLDOWN")`.

        Raises
        ------
        KeyError
            An unknown table or column.
        """
        source = METADATA.tables[table]
        query = select(source).where(source.c.run_id == run_id)
        if start_ns is not None:
            query = query.where(source.c.ts_event >= start_ns)
        if end_ns is not None:
            query = query.where(source.c.ts_event <= end_ns)
        for name, value in equal.items():
            query = query.where(source.c[name] == value)
        order = source.c.id if "id" in source.c else source.c.run_id
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(query.order_by(order)).mappings()]

    def last_number(self, run_id: str) -> int:
        """Return the largest `seq` of a run's rows; 0 if there are none."""
        numbered = [table for table in HISTORY if "seq" in table.c]
        with self.reading() as connection:
            found = [
                connection.execute(select(func.max(table.c.seq)).where(table.c.run_id == run_id)).scalar()
                for table in numbered
            ]
        return max((int(number) for number in found if number is not None), default=0)

    def read_events(self, run_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a kind that have no table of their own, as dicts with their `seq`."""
        return [
            json.loads(row["payload"]) | {"seq": row["seq"]} for row in self.read("events", run_id, kind=kind)
        ]

    def _unknown(self, run_id: str) -> UsageError:
        return UsageError(
            f"run {run_id} is not in the journal",
            found=self.url,
            expected="a run that was started",
            remedy="crupto runs",
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise EnvironmentProblem(
                "the journal's database does not answer",
                found=f"{str(error.orig).strip().splitlines()[0]} ({self.url})",
                expected="a database that can be written",
                remedy="crupto db info; check the disk and CRUPTO_DB_URL",
            ) from error
