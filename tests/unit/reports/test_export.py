"""The track record: a chain that breaks where it is changed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from crupto_nautilus.reports.errors import RunFolderError
from crupto_nautilus.reports.export import export_track_record, track_record, verify_track_record
from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.runs import make_run
from tests.fakes.tiny_desk import TinyDesk


@pytest.fixture
def written(made_run: RunFolder, tmp_path: Path) -> Path:
    return export_track_record(made_run, tmp_path).json_path


def test_export_holds_every_closed_trade_and_its_chain_holds(made_run: RunFolder, tmp_path: Path) -> None:
    export = export_track_record(made_run, tmp_path)
    answer = verify_track_record(export.json_path, export.head)
    assert answer.ok
    assert export.rows == answer.rows == len(made_run.table("trades"))
    with export.csv_path.open() as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["hash"] == export.head
    assert float(rows[0]["net_usd"]) == pytest.approx(made_run.table("trades")["net_usd"].iloc[0])


def test_same_run_gives_the_same_head(made_run: RunFolder) -> None:
    assert track_record(made_run)["head"] == track_record(made_run)["head"]


def _change(record: dict) -> None:
    record["rows"][4]["net_usd"] += 1


def _remove(record: dict) -> None:
    del record["rows"][4]


def _insert(record: dict) -> None:
    record["rows"].insert(4, dict(record["rows"][3]))


def _swap(record: dict) -> None:
    record["rows"][4], record["rows"][5] = record["rows"][5], record["rows"][4]


@pytest.mark.parametrize("forgery", [_change, _remove, _insert, _swap])
def test_changed_removed_or_inserted_row_breaks_the_chain_there(
    forgery: Callable[[dict], None], written: Path
) -> None:
    record = json.loads(written.read_text())
    forgery(record)
    written.write_text(json.dumps(record))
    answer = verify_track_record(written)
    assert not answer.ok
    assert answer.broken_at == 5


def test_trades_cut_off_at_the_end_show_against_the_published_head(written: Path) -> None:
    record = json.loads(written.read_text())
    head = record["head"]
    record["rows"] = record["rows"][:-3]
    written.write_text(json.dumps(record))
    assert not verify_track_record(written).ok
    record["head"] = record["rows"][-1]["hash"]
    written.write_text(json.dumps(record))
    assert verify_track_record(written).ok
    assert not verify_track_record(written, head).ok


def test_another_header_breaks_the_first_row(written: Path) -> None:
    record = json.loads(written.read_text())
    record["header"]["costs"] = "off"
    written.write_text(json.dumps(record))
    assert verify_track_record(written).broken_at == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"header": {"format": "x"}, "rows": [], "head": ""}'])
def test_what_is_no_track_record_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(RunFolderError, match="no track record"):
        verify_track_record(path)


def test_run_without_trades_exports_an_empty_chain(tmp_path: Path) -> None:
    folder = make_run(tmp_path, desk=TinyDesk(days=1, signal_rate=0.0))
    export = export_track_record(folder)
    assert export.rows == 0
    assert verify_track_record(export.json_path, export.head).ok
    assert export.csv_path.read_text() == "number,hash\n"
