"""The run folder: whole or not there, every table present, clear words for what is damaged."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from crupto_nautilus.reports.errors import RunFolderError, RunWriteError
from crupto_nautilus.reports.facts import InstrumentFacts, RunFacts
from crupto_nautilus.reports.recording import Recording
from crupto_nautilus.reports.rows import to_table
from crupto_nautilus.reports.run_folder import RunFolder, RunWriter, list_runs, partial_path
from crupto_nautilus.reports.schema import TABLES, TIMELESS
from risk.vocabulary import (
    Alarm,
    DeskMode,
    DeskState,
    EntryDone,
    EquityPoint,
    ExitSpec,
    Fill,
    RefusalReason,
    Refused,
    Regime,
    RegimeLabel,
    SafeMode,
    Signal,
    ToolCall,
    ToolState,
)

BTC = "BTCUSDT-PERP.BINANCE"


def facts(run_id: str = "r1", exit_reason: str = "completed") -> RunFacts:
    instrument = InstrumentFacts(BTC, 0.1, 0.0001, 1, 4, 0.0001, 2.0, 0.0002, 0.0005, 5)
    return RunFacts(
        run_id, "backtest", "crupto backtest", 1, 2, 300.0, {}, (instrument,), exit_reason=exit_reason
    )


def signal(ts: int = 10) -> Signal:
    indicators = (("adx", 25.0), ("rank", float("nan")))
    return Signal(
        f"bo/{BTC}/{ts}", ts, "bo", BTC, 240, 1, 100.0, ExitSpec(2.0), 0.6, 1.5, indicators=indicators
    )


def fill(ts: int) -> Fill:
    return Fill(ts, ts, f"bo/{BTC}/{ts}", "bo", BTC, f"c{ts}", "entry", 1, 0.1, 100.0, 0.005, 0.001, False)


def write(runs: Path, run_id: str = "r1", recording: Recording | None = None) -> RunFolder:
    with RunWriter(runs, run_id) as writer:
        writer.write_recording(recording or Recording())
        return writer.finish(facts(run_id))


def test_run_without_events_still_has_every_table_with_its_columns(tmp_path: Path) -> None:
    folder = write(tmp_path)
    for name, schema in TABLES.items():
        assert list(folder.table(name).columns) == schema.names
        assert len(folder.table(name)) == 0
        if name not in TIMELESS:
            assert {"ts_event", "trace_id", "seq"} <= set(schema.names)


def test_messages_come_back_as_columns_in_recording_order(tmp_path: Path) -> None:
    recording = Recording()
    s = signal()
    recording.add(s)
    recording.add_decision(
        Refused(10, s, RefusalReason.COOLDOWN, "2 bars left"), regime="trend_up", desk_mode="ACTIVE"
    )
    recording.add(fill(10))
    recording.add_entry(EntryDone(10, s.trace_id, "bo", BTC, 0.1, 100.0), {"equity": 300.0, "gross_pct": 3.0})
    recording.add(Regime(11, BTC, RegimeLabel.PANIC, RegimeLabel.PANIC, (("adx", 1.0),)))
    recording.add(DeskState(12, DeskMode.HALTED, RefusalReason.KILL_SWITCH, "dd", flatten=True))
    recording.add(SafeMode(13, True, 0.9, ("a", "b"), 0.75))
    recording.add(Alarm(14, "no_stop", BTC, "late"))
    recording.add(EquityPoint(15, 300, 300, 0, 0, 0, 0, 0, 0, 0, 0, 1.5, "ACTIVE", 0, "bar"))
    for duration in (5, 7, 9):
        recording.add(ToolCall(16, "risk", "plan_stops", s.trace_id, duration, ToolState.WARNING))
    folder = write(tmp_path, recording=recording)

    row = folder.table("signals").iloc[0]
    assert (row.stop_distance, row.stop_price, row.seq) == (2.0, 98.0, 1)
    assert json.loads(row.indicators) == {"adx": 25.0, "rank": None}
    decision = folder.table("decisions").iloc[0]
    assert not decision.approved
    assert (decision.reason, decision.regime, decision.seq) == ("COOLDOWN", "trend_up", 2)
    assert np.isnan(decision.equity)
    assert folder.table("entries").iloc[0].gross_pct == 3.0
    assert folder.table("regimes").iloc[0].code == 5
    assert folder.table("states").iloc[0].reason == "KILL_SWITCH"
    assert folder.table("safe_mode").iloc[0].pair_b == "b"
    calls = folder.table("calls").iloc[0]
    assert (calls["count"], calls.warnings, calls.p50_ns, calls.max_ns) == (3, 3, 7, 9)
    assert RunFolder(folder.path).facts == facts()


def test_columns_of_arrays_are_taken_as_they_are() -> None:
    count = 1000
    columns = {name: np.zeros(count) for name in TABLES["funding"].names if name not in ("seq",)}
    columns |= {name: np.full(count, "x") for name in ("trace_id", "strategy", "instrument")}
    columns |= {"ts_event": np.arange(count), "side": np.ones(count, dtype=np.int64)}
    assert to_table("funding", columns).num_rows == count


def test_hundred_thousand_fills_become_a_table_quickly() -> None:
    rows = [fill(ts) for ts in range(100_000)]
    started = time.process_time()
    assert to_table("fills", rows).num_rows == 100_000
    assert time.process_time() - started < 1.5  # 0.2 s on a quiet machine


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([{"ts_event": 1, "trace_id": "x"}], "strategy"),
        ([{"colour": 1}], "colour"),
        ({"colour": [1]}, "colour"),
        ([{"ts_event": None}], "funding"),
    ],
)
def test_rows_that_do_not_fit_name_the_column(rows: object, word: str) -> None:
    with pytest.raises(RunFolderError, match=word):
        to_table("funding", rows)  # type: ignore[arg-type]


def test_unknown_table_and_message_without_table_are_refused() -> None:
    with pytest.raises(RunFolderError, match="unknown table"):
        to_table("nope", [])
    with pytest.raises(RunFolderError, match="no table for a int"):
        Recording().add(3)


def test_failure_inside_the_writer_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError), RunWriter(tmp_path, "r1") as writer:
        writer.write_table("trades", [fill(1)])
    assert list(tmp_path.iterdir()) == []


def test_killed_run_is_listed_as_unfinished_and_refused_by_the_reader(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, "killed")
    writer.write_table("fills", [fill(1)])
    (row,) = list_runs(tmp_path)
    assert (row.run_id, row.finished) == ("killed", False)
    with pytest.raises(RunFolderError, match="did not finish"):
        RunFolder.open("killed", tmp_path)


def test_resumed_run_keeps_the_other_files_of_its_folder(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder.path / "run.log").write_text("first half\n")
    with RunWriter(tmp_path, "r1", resume=True) as writer:
        assert not folder.path.exists()
        writer.write_table("fills", [fill(1)])
        again = writer.finish(facts())
    assert (again.path / "run.log").read_text() == "first half\n"
    assert len(again.table("fills")) == 1


def test_failure_of_a_resumed_run_keeps_what_was_there(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(RuntimeError), RunWriter(tmp_path, "r1", resume=True):
        raise RuntimeError("again")
    assert (partial_path(tmp_path, "r1") / "fills.parquet").exists()


def test_finished_run_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(RunFolderError, match="exists already"):
        RunWriter(tmp_path, "r1")


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden", "x" * 81])
def test_run_id_that_is_no_folder_name_is_refused(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(RunFolderError, match="folder name"):
        RunWriter(tmp_path, run_id)


def test_finishing_without_an_exit_reason_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="exit reason"), RunWriter(tmp_path, "r1") as writer:
        writer.finish(facts(exit_reason=""))


def test_damaged_table_missing_table_and_other_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path).path
    (path / "fills.parquet").write_bytes(b"PAR1 nonsense")
    (path / "trades.parquet").unlink()
    (path / "orders.parquet").write_bytes((path / "states.parquet").read_bytes())
    folder = RunFolder.open(path)
    with pytest.raises(RunFolderError, match=r"fills\.parquet cannot be read"):
        folder.table("fills")
    with pytest.raises(RunFolderError, match=r"lacks trades\.parquet"):
        folder.table("trades")
    with pytest.raises(RunFolderError, match="other columns"):
        folder.table("orders")


@pytest.mark.parametrize("text", ["{", "[]", '{"run_id": "r1"}'])
def test_damaged_run_json_is_named_and_listed_with_its_problem(tmp_path: Path, text: str) -> None:
    path = write(tmp_path).path
    (path / "run.json").write_text(text)
    with pytest.raises(RunFolderError, match=r"run\.json"):
        RunFolder.open("r1", tmp_path)
    assert "run.json" in list_runs(tmp_path)[0].problem


def test_unknown_run_lists_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, "good")
    with pytest.raises(RunFolderError) as caught:
        RunFolder.open("bad", tmp_path)
    assert "good" in caught.value.found
    assert list_runs(tmp_path / "nowhere") == []


def test_unwritable_place_is_an_environment_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunWriteError) as caught:
        RunWriter(tmp_path / "file", "r1")
    assert caught.value.exit_code == 3


def test_run_json_holds_rows_and_hash_of_every_table(tmp_path: Path) -> None:
    recording = Recording()
    recording.add(fill(1))
    folder = write(tmp_path, recording=recording)
    assert set(folder.run["tables"]) == set(TABLES)
    assert folder.run["tables"]["fills"] == {"rows": 1, "sha256": folder.sha256("fills")}
    assert folder.run["exit_reason"] == "completed"
