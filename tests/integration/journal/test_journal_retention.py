"""Old rows go to Parquet by day: counted, checked, resumable, beside a run that goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from crupto_nautilus.desk.retention import seconds_until_next
from crupto_nautilus.errors import CheckFailed, EnvironmentProblem
from crupto_nautilus.journal import Journal, JournalWriter
from crupto_nautilus.journal.queries import newest_decisions
from crupto_nautilus.journal.retention import MANIFEST, archive_rows, archived_rows, read_archive
from crupto_nautilus.journal.run_archive import FOLDER, compress_runs, restore_run
from crupto_nautilus.journal.schema import HISTORY
from crupto_nautilus.reports.verify import run_hash
from dashboards.source import DecisionQuery
from risk.vocabulary import DAY_NS, HOUR_NS
from tests.fakes.messages import one_of_each, refused
from tests.fakes.runs import make_run

NOW = 2_000_000_000_000_000_000
OLD_TIMES = [k * 6 * HOUR_NS + 1 for k in range(1, 13)]  # three days of desk time, years back


@pytest.fixture
def held(url: str) -> Iterator[Journal]:
    """Yield a journal with a run that ended long ago (a replay of older days) and one that goes on."""
    with Journal(url) as journal:
        journal.migrate()
        for run_id in ("old", "live"):
            journal.start_run({"run_id": run_id, "start_ns": 1, "wall_end_ns": NOW - 60 * DAY_NS})
            for ts in OLD_TIMES:
                journal.write(run_id, ts, one_of_each(ts))
        journal.finish_run("old", "completed", OLD_TIMES[-1])
        yield journal


def counts(journal: Journal, run_id: str) -> dict[str, int]:
    with journal.reading() as connection:
        return {
            table.name: int(
                connection.execute(
                    select(func.count()).select_from(table).where(table.c.run_id == run_id)
                ).scalar_one()
            )
            for table in HISTORY
        }


def test_before_is_after_plus_archived(held: Journal, tmp_path: Path) -> None:
    before, live = counts(held, "old"), counts(held, "live")
    rows = {t.name: held.read(t.name, "old") for t in HISTORY}
    moved = archive_rows(held, tmp_path, NOW)
    after, archived = counts(held, "old"), archived_rows(tmp_path, "old")
    assert {name: after[name] + archived[name] for name in before} == before
    assert set(after.values()) == {0}
    assert moved.rows == sum(before.values()) > 100
    assert (moved.runs, moved.kept_open) == (("old",), ("live",))
    assert counts(held, "live") == live
    for table in HISTORY:
        back = [row for day in read_archive(tmp_path, "old", table.name) for row in day.to_pylist()]
        assert sorted(back, key=lambda row: row["id"]) == rows[table.name]


def test_there_is_one_file_a_day(held: Journal, tmp_path: Path) -> None:
    archive_rows(held, tmp_path, NOW)
    days = sorted(path.name for path in (tmp_path / "old" / "decisions").iterdir())
    assert days == ["1970-01-01.parquet", "1970-01-02.parquet", "1970-01-03.parquet", "1970-01-04.parquet"]


def test_a_dry_run_counts_and_leaves_everything(held: Journal, tmp_path: Path) -> None:
    before = counts(held, "old")
    assert archive_rows(held, tmp_path, NOW, dry_run=True).rows == sum(before.values())
    assert counts(held, "old") == before
    assert list(tmp_path.glob("old/**/*.parquet")) == []


def test_a_run_that_ended_yesterday_stays(held: Journal, tmp_path: Path) -> None:
    assert archive_rows(held, tmp_path, NOW - 59 * DAY_NS).rows == 0


def test_a_run_that_goes_on_gives_old_rows_only_when_asked(held: Journal, tmp_path: Path) -> None:
    bound = OLD_TIMES[-1] - DAY_NS
    moved = archive_rows(held, tmp_path, NOW, keep_days=1.0, include_open=True)
    assert "live" in moved.runs
    assert min(row["ts_event"] for row in held.read("decisions", "live")) >= bound
    assert archived_rows(tmp_path, "live")["decisions"] == 2 * sum(ts < bound for ts in OLD_TIMES)


def test_work_that_was_interrupted_goes_on_and_writes_no_day_twice(held: Journal, tmp_path: Path) -> None:
    before = counts(held, "old")
    asked = iter(range(10_000))
    archive_rows(held, tmp_path, NOW, stop=lambda: next(asked) >= 6)  # in the middle of the second table
    assert 0 < sum(counts(held, "old").values()) < sum(before.values())
    archive_rows(held, tmp_path, NOW)
    assert archived_rows(tmp_path, "old") == before
    assert set(counts(held, "old").values()) == {0}


def test_rows_that_come_after_their_day_was_archived_get_a_file_of_their_own(
    held: Journal, tmp_path: Path
) -> None:
    archive_rows(held, tmp_path, NOW)
    held.write("old", OLD_TIMES[0], [refused(OLD_TIMES[0])])
    archive_rows(held, tmp_path, NOW)
    assert (tmp_path / "old/decisions/1970-01-01.2.parquet").is_file()
    assert pq.read_metadata(tmp_path / "old/decisions/1970-01-01.2.parquet").num_rows == 1


def test_a_damaged_file_is_found_when_it_is_read(held: Journal, tmp_path: Path) -> None:
    archive_rows(held, tmp_path, NOW)
    (tmp_path / "old/decisions/1970-01-02.parquet").write_bytes(b"damaged")
    with pytest.raises(EnvironmentProblem, match="missing or damaged"):
        list(read_archive(tmp_path, "old", "decisions"))


def test_a_damaged_manifest_stops_before_anything_is_removed(held: Journal, tmp_path: Path) -> None:
    before = counts(held, "old")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / MANIFEST).write_text("{")
    with pytest.raises(EnvironmentProblem, match="manifest"):
        archive_rows(held, tmp_path, NOW)
    assert counts(held, "old") == before


def test_a_folder_that_cannot_be_written_loses_nothing(held: Journal, tmp_path: Path) -> None:
    before = counts(held, "old")
    (tmp_path / "old").write_text("a file where a folder should be")
    with pytest.raises((EnvironmentProblem, CheckFailed)):
        archive_rows(held, tmp_path, NOW)
    assert counts(held, "old") == before


def test_a_run_that_writes_meanwhile_is_not_kept_waiting_and_loses_nothing(
    held: Journal, tmp_path: Path
) -> None:
    writer = JournalWriter(held, "live")
    put, longest, over = 0, 0.0, threading.Event()

    def trade() -> None:
        nonlocal put, longest
        while not over.is_set():
            began = time.perf_counter()
            assert writer.put(OLD_TIMES[-1] + put, [refused(OLD_TIMES[-1] + put)])
            longest = max(longest, time.perf_counter() - began)
            put += 1
            time.sleep(0.01)

    before = len(held.read("decisions", "live"))
    thread = threading.Thread(target=trade)
    thread.start()
    archive_rows(held, tmp_path, NOW)
    over.set()
    thread.join()
    writer.close()
    assert len(held.read("decisions", "live")) == before + put
    assert put > 0
    assert longest < 0.2
    assert set(counts(held, "old").values()) == {0}


def test_the_page_reads_the_newest_decisions_of_a_journal(held: Journal) -> None:
    found = newest_decisions(held, "live", DecisionQuery(limit=3))
    assert [row["ts_event"] for row in found] == [OLD_TIMES[-1], OLD_TIMES[-1], OLD_TIMES[-2]]
    older = newest_decisions(held, "live", DecisionQuery(limit=50, before_ns=OLD_TIMES[3], reason="COOLDOWN"))
    assert {row["reason"] for row in older} == {"COOLDOWN"}
    assert max(row["ts_event"] for row in older) < OLD_TIMES[3]


def test_an_old_run_folder_becomes_one_file_and_comes_back_equal(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    before, ended = run_hash(folder), folder.facts.wall_end_ns
    assert compress_runs(tmp_path, ended + 89 * DAY_NS).run_ids == ()
    done = compress_runs(tmp_path, ended + 91 * DAY_NS)
    assert done.run_ids == (folder.run_id,)
    assert 0 < done.bytes_after < done.bytes_before
    assert not folder.path.exists()
    back = restore_run(tmp_path / FOLDER / f"{folder.run_id}.tar.gz", tmp_path)
    assert run_hash(type(folder)(back)) == before


def test_the_daily_job_comes_at_its_time_of_day() -> None:
    assert seconds_until_next(datetime(2026, 1, 1, 0, 19, 0, tzinfo=UTC)) == 60.0
    assert seconds_until_next(datetime(2026, 1, 1, 0, 20, 0, tzinfo=UTC)) == 86_400.0
