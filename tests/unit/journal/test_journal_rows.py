"""How messages become rows: every message has a place, every value is plain."""

from __future__ import annotations

import json
import typing

import numpy as np
import pytest

from crupto_nautilus.journal.rows import columns_of, json_text, rows_of
from crupto_nautilus.journal.schema import DECISIONS, EVENTS, FILLS, HISTORY, SIGNALS, STATES
from risk import vocabulary
from risk.vocabulary import DeskMode, DeskState, RefusalReason, Role
from tests.fakes.messages import approved, equity, fill, one_of_each, refused, signal

PLAIN = (int, float, str, bool, type(None))


def named(message: object) -> dict[str, object]:
    ((table, rows),) = rows_of("run", [message]).items()
    return dict(zip(columns_of(table), rows[0], strict=True))


def test_every_message_of_the_vocabulary_that_has_a_time_has_a_place() -> None:
    inputs = {"Bar", "Quote", "Funding", "Instant"}  # what the market says, not what the desk says
    spoken = {
        kind
        for name, kind in vars(vocabulary).items()
        if isinstance(kind, type) and "ts_event" in typing.get_type_hints(kind) and name not in inputs
    }
    assert spoken == {type(message) for message in one_of_each(1)}
    assert sum(len(rows) for rows in rows_of("run", one_of_each(1)).values()) == len(spoken)


def test_every_history_table_receives_something() -> None:
    assert set(rows_of("run", one_of_each(1))) == set(HISTORY)


def test_values_are_plain_so_that_both_databases_store_the_same() -> None:
    for rows in rows_of("run", one_of_each(1)).values():
        for row in rows:
            assert all(type(value) in PLAIN for value in row)


def test_numpy_values_become_plain_ones() -> None:
    odd = equity(1)._replace(ts_event=np.int64(7), equity=np.float64(1.5))  # type: ignore[arg-type]
    row = named(odd)
    assert (type(row["ts_event"]), row["ts_event"]) == (int, 7)
    assert (type(row["equity"]), row["equity"]) == (float, 1.5)


def test_nan_becomes_null_in_columns_and_in_json() -> None:
    assert named(signal(1, confidence=float("nan")))["confidence"] is None
    assert json.loads(json_text({"a": float("nan"), "b": [float("inf"), 1.0]})) == {
        "a": None,
        "b": [None, 1.0],
    }


def test_signal_row_holds_stop_and_indicators() -> None:
    row = named(signal(5))
    assert set(row) == {c.name for c in SIGNALS.columns} - {"id"}
    assert (row["stop_distance"], row["stop_price"]) == (100.0, 19_900.0)
    assert json.loads(str(row["indicators"])) == {"adx": 22.5, "high": 19_990.0}


def test_approved_row_holds_the_ticket() -> None:
    row = named(approved(5))
    assert set(row) == {c.name for c in DECISIONS.columns} - {"id"}
    assert (row["approved"], row["reason"], row["quantity"], row["cost_r"]) == (True, "", 0.02, 0.245)
    assert (row["children"], row["clamps"]) == ("[0.01,0.01]", '["leverage"]')


def test_refused_row_holds_the_reason_and_no_quantity() -> None:
    row = named(refused(5, RefusalReason.NO_RISK_LEFT))
    assert (row["approved"], row["reason"], row["detail"]) == (False, "NO_RISK_LEFT", "2 bars left")
    assert (row["quantity"], row["cost_r"], row["stop_price"]) == (None, None, 19_900.0)


def test_fill_row_has_the_role_as_text() -> None:
    row = named(fill(9, 5, Role.STOP))
    assert set(row) == {c.name for c in FILLS.columns} - {"id"}
    assert (row["role"], row["ts_venue"], row["virtual_asset"]) == ("stop", 14, "VST")


def test_desk_state_without_a_reason_has_an_empty_one() -> None:
    row = named(DeskState(1, DeskMode.ACTIVE))
    assert set(row) == {c.name for c in STATES.columns} - {"id"}
    assert row["reason"] == ""


def test_events_without_a_table_keep_their_fields_as_json() -> None:
    rows = rows_of("run", one_of_each(3))[EVENTS]
    kinds = {str(row[2]): json.loads(str(row[-2])) for row in rows}
    assert set(kinds) == {"regime", "mandate", "safe_mode", "protection", "entry_done", "alarm"}
    assert kinds["safe_mode"]["pair"] == ["A", "B"]
    assert kinds["mandate"]["rows"][0]["reason"] == "REGIME_OFF"


def test_message_without_a_place_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="message was a dict, expected one of Signal"):
        rows_of("run", [{"ts_event": 1}])
    with pytest.raises(TypeError, match="does not belong into the journal"):
        json_text({"a": object()})
