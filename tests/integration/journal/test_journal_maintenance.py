"""Information, pruning and archives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crupto_nautilus.desk.resume import may_go_on
from crupto_nautilus.errors import EnvironmentProblem, UsageError
from crupto_nautilus.journal import Journal, maintenance, removal
from crupto_nautilus.journal.journal import PRUNED
from crupto_nautilus.journal.maintenance import archive, info, prune
from risk.vocabulary import DAY_NS
from tests.fakes.messages import equity, one_of_each

NOW = 100 * DAY_NS


@pytest.fixture
def years(url: str) -> Iterator[Journal]:
    """Yield a journal with runs that ended 30, 20, 10 and 1 days ago and one that never did."""
    journal = Journal(url)
    journal.migrate()
    for days in (30, 20, 10, 1):
        run_id = f"ended-{days}"
        journal.start_run({"run_id": run_id, "start_ns": NOW - days * DAY_NS - 10})
        journal.write(run_id, 1, one_of_each(1), {"a": days})
        journal.finish_run(run_id, "done", NOW - days * DAY_NS)
    journal.start_run({"run_id": "open", "start_ns": NOW - 40 * DAY_NS})
    journal.write("open", 1, [equity(1)])
    yield journal
    journal.close()


def names(journal: Journal) -> set[str]:
    return {run.run_id for run in journal.runs()}


def test_info_counts_rows_and_size(years: Journal) -> None:
    found = info(years)
    assert (found.runs, found.rows["equity_snapshots"], found.rows["decisions"]) == (5, 5, 8)
    assert found.version > 0
    assert found.size_bytes > 10_000


def test_info_of_an_empty_database(url: str) -> None:
    with Journal(url) as journal:
        assert (info(journal).version, info(journal).runs) == (0, 0)


def test_prune_removes_old_runs_with_all_their_rows(years: Journal) -> None:
    pruned = prune(years, NOW, keep_runs=2, keep_days=5)
    assert set(pruned.run_ids) == {"ended-20", "ended-30"}
    assert pruned.kept_open == ("open",)
    assert names(years) == {"ended-1", "ended-10", "open"}
    for table in ("signals", "events", "positions", "equity_snapshots"):
        assert years.read(table, "ended-30") == []
    assert years.load_state("ended-30") is None
    assert len(years.read("events", "ended-10")) == 6
    assert info(years).rows["state"] == 2


def test_dry_run_tells_the_same_and_removes_nothing(years: Journal) -> None:
    told = prune(years, NOW, keep_runs=1, keep_days=5, dry_run=True)
    assert names(years) == {"ended-1", "ended-10", "ended-20", "ended-30", "open"}
    assert prune(years, NOW, keep_runs=1, keep_days=5) == told


def test_recent_runs_stay_however_many(years: Journal) -> None:
    assert prune(years, NOW, keep_runs=0, keep_days=35).run_ids == ()


def test_negative_bounds_are_refused(years: Journal) -> None:
    with pytest.raises(UsageError, match="cannot be negative"):
        prune(years, NOW, keep_runs=-1)


def test_archive_holds_every_table_of_the_run(years: Journal, tmp_path: Path) -> None:
    path = archive(years, "ended-10", tmp_path / "archive")
    assert path == tmp_path / "archive" / "ended-10"
    signals = pq.read_table(path / "signals.parquet").to_pylist()
    assert signals == years.read("signals", "ended-10")
    assert pq.read_table(path / "decisions.parquet").num_rows == 2
    assert pq.read_table(path / "state.parquet").to_pylist()[0]["state"] == '{"a":10}'
    assert json.loads((path / "run.json").read_text(encoding="utf-8"))["exit_reason"] == "done"
    with pytest.raises(UsageError, match="is there already"):
        archive(years, "ended-10", tmp_path / "archive")


def test_archive_of_an_unknown_run_is_refused(years: Journal, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run x is not in the journal"):
        archive(years, "x", tmp_path)


def test_archive_into_a_file_leaves_nothing(years: Journal, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("", encoding="utf-8")
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        archive(years, "ended-10", tmp_path / "archive")
    assert [path.name for path in tmp_path.iterdir() if "journal" not in path.name] == ["archive"]


def test_failed_archive_leaves_no_half_folder(
    years: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(EnvironmentProblem, match="cannot be written") as caught:
        archive(years, "ended-10", tmp_path / "archive")
    assert caught.value.found == "No space left on device"
    assert list((tmp_path / "archive").iterdir()) == []


def test_a_run_of_many_batches_goes_whole_and_no_other_loses_a_row(
    years: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "BATCH_ROWS", 2)
    before = info(years).rows
    pruned = prune(years, NOW, keep_runs=2, keep_days=5)
    after = info(years).rows
    kept = sum(after[name] for name in after if name != "runs")
    assert pruned.rows == sum(before[name] for name in before if name != "runs") - kept
    assert len(years.read("events", "ended-10")) == 6


def test_a_removal_that_was_cut_off_is_finished_by_the_next_and_the_run_cannot_go_on(
    years: Journal, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert may_go_on(url, "ended-30")
    left = iter([True, True, False])

    class CutOff(removal.Batches):
        def remove(self) -> int:
            if not next(left):
                raise KeyboardInterrupt
            return super().remove()

    monkeypatch.setattr(maintenance, "Batches", CutOff)
    with pytest.raises(KeyboardInterrupt):
        prune(years, NOW, keep_runs=3, keep_days=25, compact=False)
    half = next(run for run in years.runs() if run.run_id == "ended-30")
    assert (half.exit_reason, may_go_on(url, "ended-30")) == (PRUNED, False)
    assert years.read("signals", "ended-30") == []
    assert years.read("events", "ended-30") != []
    monkeypatch.undo()
    assert prune(years, NOW, keep_runs=3, keep_days=25).run_ids == ("ended-30",)
    assert "ended-30" not in names(years)
    assert years.read("events", "ended-30") == []
