"""Numbered migrations: from nothing, from an older database, at the same time, and never backwards."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from crupto_nautilus.errors import EnvironmentProblem
from crupto_nautilus.journal import Journal
from crupto_nautilus.journal.database import open_engine
from crupto_nautilus.journal.migrate import Migration, migrate, shipped
from crupto_nautilus.journal.schema import METADATA
from tests.fakes.messages import signal


def test_shipped_migrations_are_numbered_without_a_hole() -> None:
    assert [step.version for step in shipped()] == list(range(1, len(shipped()) + 1))


def test_migrated_database_is_the_schema_the_program_knows(url: str) -> None:
    with Journal(url) as journal:
        assert journal.version() == 0
        assert journal.migrate() == len(shipped())
        with journal.reading() as connection:
            found = inspect(connection)
            assert set(found.get_table_names()) == {*METADATA.tables, "schema_version"}
            for name, table in METADATA.tables.items():
                columns = {c["name"]: c for c in found.get_columns(name)}
                assert list(columns) == [c.name for c in table.columns]
                for column in table.columns:
                    assert columns[column.name]["nullable"] == column.nullable or column.primary_key
                    assert columns[column.name]["type"].python_type is column.type.python_type
                keys = found.get_pk_constraint(name)["constrained_columns"]
                assert keys == [c.name for c in table.primary_key.columns]


def test_migrating_again_changes_nothing(url: str) -> None:
    with Journal(url) as journal:
        journal.migrate()
        journal.start_run({"run_id": "r", "start_ns": 1})
        journal.write("r", 1, [signal(1)])
        assert journal.migrate() == len(shipped())
        assert len(journal.read("signals", "r")) == 1


def test_older_database_is_brought_up_and_keeps_its_rows(url: str) -> None:
    engine = open_engine(url, 2.0)
    assert migrate(engine, shipped()[:1]) == 1
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO signals (run_id, ts_event, trace_id, strategy, instrument, minutes, side, "
                "entry_style, indicators) VALUES ('r', 1, 't', 's', 'i', 15, 1, 'market', '{}')"
            )
        )
    engine.dispose()
    with Journal(url) as journal:
        journal.start_run({"run_id": "r", "start_ns": 1})
        assert journal.version() == 1
        journal.migrate()
        assert journal.version() == len(shipped())
        assert len(journal.read("signals", "r")) == 1
        with journal.reading() as connection:
            rows = connection.execute(text("SELECT version, name FROM schema_version ORDER BY version")).all()
        assert [tuple(row) for row in rows] == [(step.version, step.name) for step in shipped()]


def test_migration_that_fails_leaves_the_database_as_it_was(url: str) -> None:
    engine = open_engine(url, 2.0)
    broken = Migration(len(shipped()) + 1, "broken", "CREATE TABLE half (a TEXT); CREATE NONSENSE;")
    migrate(engine)
    with pytest.raises(DBAPIError):
        migrate(engine, [*shipped(), broken])
    with engine.connect() as connection:
        assert not inspect(connection).has_table("half")
    assert migrate(engine) == len(shipped())
    engine.dispose()


def test_database_of_a_newer_program_is_refused_and_not_touched(url: str) -> None:
    engine = open_engine(url, 2.0)
    later = Migration(len(shipped()) + 1, "later", "CREATE TABLE later (a TEXT)")
    migrate(engine, [*shipped(), later])
    engine.dispose()
    with Journal(url) as journal, pytest.raises(EnvironmentProblem, match="newer program") as caught:
        journal.migrate()
    assert caught.value.found == f"schema version {later.version}"


def test_two_programs_that_start_together_migrate_once(url: str) -> None:
    journals = [Journal(url, busy_timeout_s=10) for _ in range(4)]
    together = threading.Barrier(len(journals))
    problems: list[Exception] = []

    def start(journal: Journal) -> None:
        together.wait()
        try:
            journal.migrate()
        except Exception as error:  # noqa: BLE001 - asserted below
            problems.append(error)

    threads = [threading.Thread(target=start, args=(journal,)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert journals[0].version() == len(shipped())
    for journal in journals:
        journal.close()
