"""A journal on each real database: a SQLite file, and a PostgreSQL database of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from crupto_nautilus.journal import Journal


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture(scope="session")
def own_database(postgres_url: str) -> Iterator[str]:
    """Yield the URL of a PostgreSQL database made for these tests, as an operator would write it."""
    server = make_url(postgres_url).set(drivername="postgresql")
    name = f"journal_{uuid.uuid4().hex}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield server.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fresh_postgres_url(own_database: str) -> str:
    """Return the URL of an empty PostgreSQL database."""
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("SET client_min_messages = error")
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return own_database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database, SQLite and PostgreSQL in turn."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "fresh_postgres_url"))


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    """Yield a migrated journal with the started run `run-1`."""
    with Journal(url) as opened:
        opened.migrate()
        opened.start_run({"run_id": "run-1", "start_ns": 1})
        yield opened
