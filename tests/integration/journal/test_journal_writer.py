"""The writer thread: order, degradation that shows, and nothing lost."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event

from crupto_nautilus.errors import EnvironmentProblem, UsageError
from crupto_nautilus.journal import Journal, JournalWriter
from risk.vocabulary import Signal
from tests.fakes.messages import equity, one_of_each, signal


def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def times(journal: Journal, table: str = "signals") -> list[int]:
    return [row["ts_event"] for row in journal.read(table, "run-1")]


@pytest.fixture
def locked(sqlite_url: str) -> tuple[Journal, sqlite3.Connection]:
    """Return a SQLite journal that waits only briefly, and a connection that can hold its lock."""
    journal = Journal(sqlite_url, busy_timeout_s=0.02)
    journal.migrate()
    journal.start_run({"run_id": "run-1", "start_ns": 1})
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    return journal, other


def test_everything_put_is_stored_in_order(journal: Journal) -> None:
    writer = JournalWriter(journal, "run-1")
    for ts in range(1, 501):
        assert writer.put(ts, [signal(ts), equity(ts)], {"ts": ts})
    writer.close()
    assert times(journal) == list(range(1, 501))
    assert times(journal, "equity_snapshots") == list(range(1, 501))
    checkpoint = journal.load_state("run-1")
    assert checkpoint is not None
    assert (checkpoint.state, checkpoint.seq) == ({"ts": 500}, 500)
    assert (writer.backlog, writer.failed, writer.failures, writer.stored) == (0, None, 0, 500)


def test_flush_returns_once_all_is_stored(journal: Journal) -> None:
    writer = JournalWriter(journal, "run-1")
    writer.put(1, one_of_each(1))
    assert writer.flush(10)
    assert times(journal) == [1]
    writer.close()


def test_closing_twice_is_harmless_and_putting_afterwards_is_an_error(journal: Journal) -> None:
    writer = JournalWriter(journal, "run-1")
    writer.close()
    writer.close()
    with pytest.raises(RuntimeError, match="closed"):
        writer.put(1, [signal(1)])


def test_writer_goes_on_where_the_run_stood(journal: Journal) -> None:
    first = JournalWriter(journal, "run-1")
    first.put(1, [signal(1)])
    first.close()
    second = JournalWriter(journal, "run-1")
    second.put(2, [signal(2)])
    second.close()
    assert times(journal) == [1, 2]
    assert second.stored == 2


def test_run_that_was_not_started_is_refused(journal: Journal) -> None:
    with pytest.raises(UsageError, match="run-9"):
        JournalWriter(journal, "run-9")


def test_bound_below_one_is_refused(journal: Journal) -> None:
    with pytest.raises(ValueError, match="max_backlog was 0"):
        JournalWriter(journal, "run-1", max_backlog=0)


def test_locked_database_shows_as_failed_and_full_and_loses_nothing(
    locked: tuple[Journal, sqlite3.Connection],
) -> None:
    journal, other = locked
    writer = JournalWriter(journal, "run-1", max_backlog=3)
    other.execute("BEGIN IMMEDIATE")
    started = time.perf_counter()
    answers = [writer.put(ts, [signal(ts)]) for ts in range(1, 6)]
    assert time.perf_counter() - started < 1.0  # put never waits for the database
    assert answers == [True, True, False, False, False]
    assert writer.is_full
    until(lambda: writer.failed is not None)
    assert "locked" in str(writer.failed)
    assert writer.backlog == 5
    other.execute("ROLLBACK")
    assert writer.flush(10)
    assert (writer.failed, writer.is_full, writer.backlog) == (None, False, 0)
    assert writer.failures > 0
    assert times(journal) == [1, 2, 3, 4, 5]
    writer.close()
    other.close()
    journal.close()


def test_retries_back_off(locked: tuple[Journal, sqlite3.Connection]) -> None:
    journal, other = locked
    writer = JournalWriter(journal, "run-1")
    other.execute("BEGIN IMMEDIATE")
    writer.put(1, [signal(1)])
    time.sleep(1.0)
    assert 2 <= writer.failures <= 6  # after 0.05, 0.1, 0.2, 0.4 s, each plus the wait for the lock
    other.execute("ROLLBACK")
    writer.close()
    assert times(journal) == [1]
    other.close()
    journal.close()


def test_closing_while_locked_gives_up_after_its_time_and_says_what_is_missing(
    locked: tuple[Journal, sqlite3.Connection],
) -> None:
    journal, other = locked
    writer = JournalWriter(journal, "run-1")
    other.execute("BEGIN IMMEDIATE")
    writer.put(1, [signal(1)])
    writer.put(2, [signal(2)])
    with pytest.raises(EnvironmentProblem, match="2 journal entries of run run-1 were not stored") as caught:
        writer.close(timeout_s=0.3)
    assert "locked" in caught.value.found
    assert caught.value.exit_code == 3
    other.close()
    journal.close()


def test_full_disk_shows_and_recovers(sqlite_url: str) -> None:
    journal = Journal(sqlite_url)
    journal.migrate()
    journal.start_run({"run_id": "run-1", "start_ns": 1})
    with journal.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        engine = connection.engine
    # At this bound SQLite says "database or disk is full", as it does on a full disk.
    bound = [pages]
    event.listen(engine, "begin", lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={bound[0]}"))
    writer = JournalWriter(journal, "run-1")
    writer.put(1, [signal(ts) for ts in range(2000)])
    until(lambda: writer.failed is not None)
    assert "full" in str(writer.failed)
    bound[0] = 1_000_000
    assert writer.flush(10)
    assert len(times(journal)) == 2000
    writer.close()
    journal.close()


def test_message_without_a_place_stops_the_writer_visibly(journal: Journal) -> None:
    writer = JournalWriter(journal, "run-1")
    writer.put(1, [signal(1)])
    writer.flush(10)
    writer.put(2, [object()])
    until(lambda: writer.failed is not None)
    writer.put(3, [signal(3)])
    assert "message was a object" in str(writer.failed)
    assert not writer.flush(0.1)
    with pytest.raises(EnvironmentProblem, match="2 journal entries"):
        writer.close()
    assert times(journal) == [1]


@pytest.mark.parametrize(("message", "state"), [(signal(2**70), {}), (signal(2), {"unknown": object()})])
def test_value_no_database_can_hold_stops_the_writer_visibly(
    journal: Journal, message: Signal, state: dict[str, object]
) -> None:
    writer = JournalWriter(journal, "run-1")
    writer.put(2, [message], state)
    until(lambda: writer.failed is not None)
    with pytest.raises(EnvironmentProblem, match="1 journal entries"):
        writer.close()
    assert times(journal) == []
    assert journal.claim("run-1") == 0


def test_run_taken_over_by_another_process_stops_the_writer(journal: Journal, url: str) -> None:
    writer = JournalWriter(journal, "run-1")
    with Journal(url) as other:
        other.claim("run-1")
    writer.put(1, [signal(1)])
    until(lambda: writer.failed is not None)
    assert "another process" in str(writer.failed)
    with pytest.raises(EnvironmentProblem, match="1 journal entries"):
        writer.close()


def test_lost_server_connection_is_made_again(fresh_postgres_url: str) -> None:
    journal = Journal(fresh_postgres_url)
    journal.migrate()
    journal.start_run({"run_id": "run-1", "start_ns": 1})
    writer = JournalWriter(journal, "run-1")
    with psycopg.connect(fresh_postgres_url, autocommit=True) as operator:
        for ts in range(1, 21):
            writer.put(ts, [signal(ts)])
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            time.sleep(0.01)
    writer.close()
    assert times(journal) == list(range(1, 21))
    journal.close()


def test_readers_and_writer_do_not_wait_for_each_other(journal: Journal) -> None:
    writer = JournalWriter(journal, "run-1")
    with journal.reading() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM signals").scalar_one()
        writer.put(1, [signal(1)])
        assert writer.flush(10)
        assert before == 0
    assert times(journal) == [1]
    writer.close()


def test_two_writers_of_two_runs_share_one_database(url: str) -> None:
    journals = [Journal(url, busy_timeout_s=5) for _ in range(2)]
    journals[0].migrate()
    for number, journal in enumerate(journals, start=1):
        journal.start_run({"run_id": f"run-{number}", "start_ns": number})
    writers = [JournalWriter(journal, f"run-{number}") for number, journal in enumerate(journals, start=1)]

    def put_all(writer: JournalWriter) -> None:
        for ts in range(1, 301):
            writer.put(ts, [signal(ts), equity(ts)], {"ts": ts})
            if ts % 50 == 0:
                writer.flush()

    threads = [threading.Thread(target=put_all, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for writer in writers:
        writer.close()
    for number, journal in enumerate(journals, start=1):
        rows = journal.read("signals", f"run-{number}")
        assert [row["ts_event"] for row in rows] == list(range(1, 301))
        journal.close()


def test_read_only_file_shows_as_failed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(f"sqlite:///{path}")
    journal.migrate()
    journal.start_run({"run_id": "run-1", "start_ns": 1})
    journal.close()
    other = Journal(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(EnvironmentProblem, match="does not answer") as caught:
        other.claim("run-1")
    assert "readonly" in caught.value.found
    other.close()
