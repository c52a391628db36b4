"""What is written is read back, the same from SQLite and PostgreSQL."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import inspect

from crupto_nautilus.errors import UsageError
from crupto_nautilus.journal import Entry, Journal, RunTaken
from crupto_nautilus.journal.schema import HISTORY
from risk.vocabulary import Protection, RefusalReason, Role
from tests.fakes.messages import (
    INSTRUMENT,
    STRATEGY,
    approved,
    equity,
    fill,
    one_of_each,
    refused,
    signal,
    trace,
    trade,
)

BIG = 1_700_000_000_000_000_000


def test_one_of_each_message_comes_back_with_its_values(journal: Journal) -> None:
    journal.write("run-1", BIG, one_of_each(BIG))
    sizes = {
        table: len(journal.read(table, "run-1"))
        for table in ("signals", "decisions", "orders", "fills", "trades", "funding", "equity_snapshots")
    }
    assert sizes == {
        "signals": 1,
        "decisions": 2,
        "orders": 1,
        "fills": 1,
        "trades": 1,
        "funding": 1,
        "equity_snapshots": 1,
    }
    assert len(journal.read("agent_calls", "run-1")) == 1
    assert len(journal.read("desk_states", "run-1")) == 1
    assert len(journal.read("events", "run-1")) == 6
    stored = journal.read("trades", "run-1")[0]
    for name, value in trade(BIG, BIG)._asdict().items():
        assert stored[name] == value
    assert journal.read("orders", "run-1")[0]["reduce_only"] is False
    assert journal.read("equity_snapshots", "run-1")[0]["ts_event"] == BIG


def test_floats_survive_to_the_last_bit(journal: Journal) -> None:
    value = 0.1 + 0.2
    journal.write("run-1", 1, [equity(1, value), equity(2, 1e-300), equity(3, float("nan"))])
    assert [row["equity"] for row in journal.read("equity_snapshots", "run-1")] == [value, 1e-300, None]


def test_rows_are_found_by_time_strategy_instrument_reason_and_trace(journal: Journal) -> None:
    journal.write("run-1", 3, [refused(1), refused(2, RefusalReason.RESTED), approved(3)])
    assert len(journal.read("decisions", "run-1", start_ns=2, end_ns=2)) == 1
    assert len(journal.read("decisions", "run-1", reason="RESTED")) == 1
    assert len(journal.read("decisions", "run-1", approved=True)) == 1
    assert len(journal.read("decisions", "run-1", strategy=STRATEGY, instrument=INSTRUMENT)) == 3
    assert len(journal.read("decisions", "run-1", trace_id=trace(2))) == 1
    assert journal.read("decisions", "run-1", strategy="other") == []
    with pytest.raises(KeyError):
        journal.read("decisions", "run-1", no_such_column=1)


def test_each_question_has_an_index(journal: Journal) -> None:
    asked = ("ts_event", "strategy", "instrument", "reason", "trace_id")
    not_asked = {
        ("orders", "reason"),
        ("agent_calls", "trace_id"),
        ("funding", "trace_id"),
        ("events", "ts_event"),
    }
    with journal.reading() as connection:
        found = inspect(connection)
        for table in HISTORY:
            leading = {tuple(index["column_names"][:2]) for index in found.get_indexes(table.name)}
            for name in asked:
                if name in table.columns and (table.name, name) not in not_asked:
                    assert ("run_id", name) in leading, f"{table.name}.{name}"


def test_messages_of_one_write_are_all_there_or_none(journal: Journal) -> None:
    with pytest.raises(TypeError):
        journal.write("run-1", 1, [signal(1), object()], {"a": 1})
    assert journal.read("signals", "run-1") == []
    assert journal.load_state("run-1") is None


def test_newest_state_wins_and_keeps_its_time(journal: Journal) -> None:
    journal.write("run-1", 5, [], {"equity": 300.5, "peaks": [1, 2], "nested": {"a": None}})
    journal.write("run-1", 6, [equity(6)])
    checkpoint = journal.load_state("run-1")
    assert checkpoint is not None
    assert (checkpoint.ts_event, checkpoint.seq) == (5, 1)
    assert checkpoint.state == {"equity": 300.5, "peaks": [1, 2], "nested": {"a": None}}
    journal.write("run-1", 7, [], {"equity": 301.0})
    newest = journal.load_state("run-1")
    assert newest is not None
    assert (newest.ts_event, newest.state) == (7, {"equity": 301.0})
    assert journal.load_state("run-2") is None


def test_infinity_in_a_state_survives(journal: Journal) -> None:
    journal.write("run-1", 1, [], {"peak": float("-inf")})
    checkpoint = journal.load_state("run-1")
    assert checkpoint is not None
    assert checkpoint.state["peak"] == float("-inf")


def test_write_repeated_with_its_number_is_stored_once(journal: Journal) -> None:
    """The connection died during the commit: the writer cannot know, so it sends the batch again."""
    first = journal.claim("run-1") + 1
    batch = [Entry(1, [signal(1)]), Entry(2, [signal(2)], {"a": 2})]
    journal.store("run-1", batch, first)
    journal.store("run-1", batch, first)
    assert [row["ts_event"] for row in journal.read("signals", "run-1")] == [1, 2]
    journal.store("run-1", [Entry(3, [signal(3)])], first + 2)
    assert len(journal.read("signals", "run-1")) == 3


def test_write_out_of_order_is_refused(journal: Journal) -> None:
    first = journal.claim("run-1") + 1
    with pytest.raises(RunTaken):
        journal.store("run-1", [Entry(1, [signal(1)])], first + 1)
    assert journal.read("signals", "run-1") == []


def test_run_taken_over_refuses_its_old_writer(journal: Journal, url: str) -> None:
    first = journal.claim("run-1") + 1
    journal.store("run-1", [Entry(1, [signal(1)])], first)
    with Journal(url) as other:
        other.write("run-1", 2, [signal(2)])
        with pytest.raises(RunTaken, match="written by another process"):
            journal.store("run-1", [Entry(3, [signal(3)])], first + 1)
    assert [row["ts_event"] for row in journal.read("signals", "run-1")] == [1, 2]


def test_position_follows_its_fills_stop_and_close(journal: Journal) -> None:
    stop = Protection(11, trace(10), STRATEGY, INSTRUMENT, 19_900.0, 0.02)
    journal.write("run-1", 11, [fill(10, 10), fill(11, 10, price=20_100.0), stop])
    (held,) = journal.read("positions", "run-1")
    assert (held["side"], held["ts_open"], held["ts_event"], held["ts_close"]) == (1, 10, 11, None)
    assert held["entered"] == pytest.approx(0.02)
    assert held["entry_value"] / held["entered"] == pytest.approx(20_050.0)
    assert (held["stop_price"], held["virtual_asset"]) == (19_900.0, "VST")
    journal.write("run-1", 20, [fill(20, 10, Role.TARGET_1, 0.01, 20_200.0)])
    assert journal.read("positions", "run-1")[0]["exited"] == pytest.approx(0.01)
    journal.write("run-1", 30, [fill(30, 10, Role.STOP, 0.01, 20_050.0), trade(30, 10)])
    (closed,) = journal.read("positions", "run-1")
    assert closed["entered"] - closed["exited"] == pytest.approx(0.0)
    assert (closed["ts_close"], closed["stop_price"]) == (30, None)


def test_position_without_a_working_stop_has_none(journal: Journal) -> None:
    gone = Protection(12, trace(10), STRATEGY, INSTRUMENT, 0.0, 0.0)
    journal.write("run-1", 12, [fill(10, 10), gone])
    assert journal.read("positions", "run-1")[0]["stop_price"] is None


def test_run_is_recorded_from_start_to_end(journal: Journal) -> None:
    journal.start_run(
        {
            "run_id": "run-2",
            "start_ns": 2,
            "mode": "backtest",
            "command": "crupto backtest",
            "config_hash": "c",
            "governance_hash": "g",
            "git_revision": "abc",
            "extra": [1],
        }
    )
    journal.finish_run("run-2", "done", 9, {"trades": 3, "sharpe": float("nan")})
    newest, oldest = journal.runs()
    assert (newest.run_id, oldest.run_id) == ("run-2", "run-1")
    assert (newest.mode, newest.command, newest.config_hash, newest.governance_hash) == (
        "backtest",
        "crupto backtest",
        "c",
        "g",
    )
    assert (newest.exit_reason, newest.end_ns) == ("done", 9)
    assert newest.summary == {"trades": 3, "sharpe": None}
    assert newest.record["extra"] == [1]
    assert (oldest.exit_reason, oldest.end_ns, oldest.summary) == (None, None, None)


def test_second_run_of_one_name_is_refused(journal: Journal) -> None:
    with pytest.raises(UsageError, match="already in the journal"):
        journal.start_run({"run_id": "run-1", "start_ns": 5})


def test_resumed_run_is_open_again_and_goes_on_where_it_stood(journal: Journal) -> None:
    journal.write("run-1", 1, [signal(1)], {"a": 1})
    journal.finish_run("run-1", "stopped", 2)
    journal.start_run({"run_id": "run-1", "start_ns": 5}, resume=True)
    (run,) = journal.runs()
    assert (run.start_ns, run.end_ns, run.exit_reason) == (1, None, None)
    assert journal.claim("run-1") == 1
    with pytest.raises(UsageError, match="is not in the journal"):
        journal.start_run({"run_id": "run-9", "start_ns": 5}, resume=True)


def test_unknown_run_is_refused_by_name(journal: Journal) -> None:
    for act in (
        lambda: journal.write("run-9", 1, [signal(1)]),
        lambda: journal.finish_run("run-9", "done", 1),
        lambda: journal.claim("run-9"),
        lambda: journal.store("run-9", [Entry(1, [])], 1),
    ):
        with pytest.raises(UsageError, match="run run-9 is not in the journal"):
            act()


def test_payload_of_an_event_is_json(journal: Journal) -> None:
    journal.write("run-1", 1, one_of_each(1))
    (row,) = journal.read("events", "run-1", kind="regime")
    assert json.loads(row["payload"])["label"] == "trend_up"
