"""The ledger cannot be cheated, and loses nothing that it acknowledged."""

from __future__ import annotations

import json
import multiprocessing
import re
import sqlite3
from pathlib import Path

import pytest

from research.ledger import Kind, Ledger
from research.ledger.errors import HoldoutSpent, LedgerBroken

DAY = 86_400_000_000_000


def filled(folder: Path, trials: int = 5) -> Ledger:
    ledger = Ledger(folder)
    ledger.append(Kind.CAMPAIGN_OPENED, "c1", {"instruments": ["BTC", "ETH"]})
    hashes = [f"doc{i}" for i in range(trials)]
    ledger.append(Kind.CANDIDATES, "c1", {"document_hashes": hashes})
    ledger.append_all(
        [(Kind.TRIAL, "c1", {"document_hash": name, "sharpe": 0.1 + i / 7}) for i, name in enumerate(hashes)]
    )
    return ledger


def lines(folder: Path) -> list[str]:
    return (folder / "ledger.jsonl").read_text().splitlines()


def rewrite(folder: Path, kept: list[str]) -> None:
    (folder / "ledger.jsonl").write_text("".join(line + "\n" for line in kept))


def test_what_is_written_is_read_back_to_the_last_digit(tmp_path: Path) -> None:
    written = filled(tmp_path)
    again = Ledger(tmp_path)
    assert again.head == written.head
    assert again.verify() == 7
    assert [r.body["sharpe"] for r in again.of("c1", Kind.TRIAL)] == [0.1 + i / 7 for i in range(5)]


def test_values_that_are_no_number_survive_as_text(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(Kind.TRIAL, "c", {"sharpe": float("nan"), "profit_factor": float("inf")})
    assert Ledger(tmp_path).records[0].body == {"sharpe": "nan", "profit_factor": "inf"}


def test_an_edited_line_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path)
    found = lines(tmp_path)
    found[3] = re.sub(r'"sharpe":[0-9.]+', '"sharpe":2.4', found[3])
    rewrite(tmp_path, found)
    with pytest.raises(LedgerBroken, match="line 4 of the ledger was changed after it was written"):
        Ledger(tmp_path)


def test_a_deleted_trial_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path)
    found = lines(tmp_path)
    rewrite(tmp_path, found[:3] + found[4:])
    with pytest.raises(LedgerBroken, match="line 4 of the ledger is not the next record"):
        Ledger(tmp_path)


def test_swapped_lines_are_noticed(tmp_path: Path) -> None:
    filled(tmp_path)
    found = lines(tmp_path)
    found[3], found[4] = found[4], found[3]
    rewrite(tmp_path, found)
    with pytest.raises(LedgerBroken):
        Ledger(tmp_path)


def test_a_cut_end_is_noticed_through_the_mirror(tmp_path: Path) -> None:
    filled(tmp_path)
    rewrite(tmp_path, lines(tmp_path)[:-1])
    with pytest.raises(LedgerBroken, match="lines were deleted at its end"):
        Ledger(tmp_path)


def test_a_chain_computed_anew_from_an_edited_line_is_noticed_through_the_mirror(tmp_path: Path) -> None:
    filled(tmp_path)
    forged = Ledger(tmp_path / "forged")
    for line in lines(tmp_path):
        content = json.loads(line)
        body = content["body"] | ({"sharpe": 9.0} if content["kind"] == "trial" else {})
        forged.append(Kind(content["kind"]), content["campaign"], body)
    rewrite(tmp_path, lines(tmp_path / "forged"))
    with pytest.raises(LedgerBroken, match="differs from its mirror: it was rewritten"):
        Ledger(tmp_path)


def test_a_running_ledger_notices_a_file_that_got_shorter(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    rewrite(tmp_path, lines(tmp_path)[:-2])
    with pytest.raises(LedgerBroken, match="deleted at its end"):
        ledger.append(Kind.TRIAL, "c1", {"document_hash": "doc9"})


@pytest.mark.parametrize("statement", ["UPDATE research_ledger SET body='{}'", "DELETE FROM research_ledger"])
def test_the_mirror_refuses_changes(tmp_path: Path, statement: str) -> None:
    filled(tmp_path)
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    try:
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            connection.execute(statement)
    finally:
        connection.close()


def test_a_mirror_that_a_crash_left_behind_catches_up(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "ledger.sqlite").unlink()
    Ledger(tmp_path)
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    assert connection.execute("SELECT count(*) FROM research_ledger WHERE kind='trial'").fetchone() == (5,)
    connection.close()


def test_a_torn_last_line_is_set_aside_and_recorded(tmp_path: Path) -> None:
    filled(tmp_path)
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write('{"index":7,"previous":"ab')
    ledger = Ledger(tmp_path)
    assert [record.kind for record in ledger.records][-2:] == [Kind.TRIAL, Kind.RECOVERED]
    assert ledger.records[-1].body["torn_bytes"] == 25
    assert (tmp_path / "ledger.torn").read_text() == '{"index":7,"previous":"ab\n'


def test_trials_count_over_campaigns_that_share_an_instrument(tmp_path: Path) -> None:
    ledger = filled(tmp_path)  # 5 documents on BTC, ETH; none of them need to have finished
    ledger.append(Kind.CAMPAIGN_OPENED, "c2", {"instruments": ["ETH", "SOL"]})
    ledger.append(Kind.CANDIDATES, "c2", {"document_hashes": ["doc0", "new1", "new2"]})
    ledger.append(Kind.CAMPAIGN_OPENED, "c3", {"instruments": ["XRP"]})
    ledger.append(Kind.CANDIDATES, "c3", {"document_hashes": ["other"]})
    ledger.append(Kind.MANUAL_TRIALS, "", {"instruments": ["BTC"], "count": 40})
    assert ledger.trial_count(["BTC"]) == 45
    assert ledger.trial_count(["ETH"]) == 7
    assert ledger.trial_count(["BTC", "SOL"]) == 47
    assert ledger.trial_count(["XRP"]) == 1


def test_a_holdout_opens_once_for_a_market(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    first = ledger.open_holdout("c1", ["BTC", "ETH"], 100 * DAY, 200 * DAY, ["doc1"])
    assert ledger.open_holdout("c1", ["BTC", "ETH"], 100 * DAY, 200 * DAY, ["doc1"]) == first
    with pytest.raises(HoldoutSpent, match="opened before"):
        ledger.open_holdout("c1", ["BTC", "ETH"], 100 * DAY, 200 * DAY, ["doc1", "doc2"])
    with pytest.raises(HoldoutSpent, match="ETH"):
        Ledger(tmp_path).open_holdout("c2", ["ETH", "SOL"], 199 * DAY, 300 * DAY, ["doc7"])
    ledger.open_holdout("c2", ["SOL"], 100 * DAY, 200 * DAY, ["doc7"])
    ledger.open_holdout("c2", ["ETH"], 200 * DAY, 300 * DAY, ["doc7"])


def _write(folder: Path, name: str) -> None:
    ledger = Ledger(folder)
    for i in range(10):
        ledger.append(Kind.TRIAL, name, {"document_hash": f"{name}-{i}"})


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(tmp_path, name)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    ledger = Ledger(tmp_path)
    assert ledger.verify() == 20
    for name in ("a", "b"):
        written = [r.body["document_hash"] for r in ledger.of(name)]
        assert written == [f"{name}-{i}" for i in range(10)]


def test_a_line_may_hold_the_separators_of_unicode(tmp_path: Path) -> None:
    Ledger(tmp_path).append(Kind.DECISION, "c1", {"document_hash": "a", "note": "one\u2028two\x85three"})
    assert Ledger(tmp_path).records[0].body["note"] == "one\u2028two\x85three"
