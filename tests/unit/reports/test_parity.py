"""Two records side by side: what counts as the same, and what each difference is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from crupto_nautilus.reports.parity import TABLES, Circumstances, Frames, Parity, compare
from crupto_nautilus.reports.parity_page import parity_json, parity_lines, render_parity, verdict
from crupto_nautilus.reports.schema import TABLES as SCHEMAS
from risk.vocabulary import HOUR_NS

START = 1_700_000_000 * 10**9
LATER = START + 100 * HOUR_NS


def row(table: str, ts: int = LATER, **values: Any) -> dict[str, Any]:
    """Return a row with every column of a table; what is not given is empty."""
    empty = {"int64": 0, "double": 0.0, "string": "", "bool": False}
    found = {field.name: empty[str(field.type)] for field in SCHEMAS[table]}
    return found | {"ts_event": ts, "trace_id": f"s/BTC/{LATER}"} | values


def record(**rows: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return the tables of a run: one good trade, and what is given instead of a table of it."""
    whole = {
        "regimes": [row("regimes", instrument="BTC", label="panic", features="{}")],
        "signals": [row("signals", reference_price=100.0, indicators="{}", side=1)],
        "decisions": [row("decisions", approved=True, quantity=1.5, reason="")],
        "orders": [
            row("orders", client_order_id="a", action="submit"),
            row("orders", client_order_id="a", action="accepted"),
        ],
        "fills": [row("fills", role="entry", price=100.0, quantity=1.5, ts_venue=17)],
    } | rows
    return {
        name: pd.DataFrame(whole.get(name, []), columns=[f.name for f in SCHEMAS[name]]) for name in TABLES
    }


def found(run: Frames, backtest: Frames, **circumstances: Any) -> Parity:
    return compare(run, backtest, Circumstances("r", START, **circumstances))


def changed(table: str, **values: Any) -> dict[str, pd.DataFrame]:
    whole = record()
    frame = whole[table]
    return whole | {table: frame.assign(**values)}


def test_the_same_rows_are_identical_whatever_the_venue_s_clock_and_the_numbers_say() -> None:
    parity = found(changed("fills", ts_venue=99, seq=7), record())
    assert parity.same
    assert parity.cause == ""
    assert verdict(parity).startswith("identical: 6 rows")


def test_an_empty_value_equals_an_empty_value() -> None:
    nothing = {"decisions": [row("decisions", equity=float("nan"))]}
    assert found(record(**nothing), record(**nothing)).same


def test_a_nanosecond_and_a_last_bit_are_differences() -> None:
    assert not found(changed("fills", ts_event=LATER + 1), record()).same
    assert not found(changed("fills", price=100.00000000000001), record()).same


def test_one_row_too_many_does_not_make_the_later_ones_differ() -> None:
    extra = [row("signals", ts=LATER - 5, trace_id="s/ETH/1"), row("signals", reference_price=100.0,
             indicators="{}", side=1)]  # fmt: skip
    parity = found(record(signals=extra), record())
    signals = next(table for table in parity.tables if table.table == "signals")
    assert (signals.rows, signals.rows_backtest, signals.equal) == (2, 1, 1)
    (finding,) = parity.findings
    assert (finding.kind, finding.count) == ("signal", 1)


CASES: list[tuple[str, Callable[[], Frames], dict[str, Any]]] = [
    ("data", lambda: changed("signals", reference_price=101.0), {}),
    ("data", lambda: changed("regimes", label="trend_up"), {"data_same": False}),
    ("warm-up", lambda: changed("signals", indicators='{"adx": 1}'), {}),
    ("warm-up", lambda: record(regimes=[row("regimes", ts=START + HOUR_NS, label="x")]), {}),
    ("signal", lambda: record(signals=[]), {}),
    ("risk-state", lambda: changed("decisions", quantity=1.4), {}),
    ("risk-state", lambda: record(states=[row("states", mode="HALTED", reason="KILL_SWITCH")]), {}),
    ("venue", lambda: changed("fills", price=100.5), {}),
    ("venue", lambda: record(orders=[row("orders", client_order_id="a", action="rejected")]), {}),
    ("restart", lambda: changed("fills", price=100.5), {"resumed_ns": (LATER - 1,)}),
]


@pytest.mark.parametrize(("kind", "run", "circumstances"), CASES)
def test_a_difference_has_its_class_with_words_and_a_first_row(
    kind: str, run: Callable[[], Frames], circumstances: dict[str, Any]
) -> None:
    parity = found(run(), record(), **circumstances)
    assert parity.cause == kind
    assert parity.unexplained == 0
    first = parity.findings[0]
    assert first.meaning
    assert first.look_at
    lines = "\n".join(parity_lines(parity))
    assert f"{kind}: " in lines
    assert kind in verdict(parity)
    assert kind in render_parity(parity)
    assert parity_json(parity)["findings"][0]["first"]["ts_event"] == first.first.ts_event


def test_orders_that_follow_from_another_decision_are_not_blamed_on_the_venue() -> None:
    run = changed("decisions", approved=False, reason="COOLDOWN")
    run = run | {"orders": run["orders"].iloc[:0], "fills": run["fills"].iloc[:0]}
    parity = found(run, record())
    assert [finding.kind for finding in parity.findings] == ["risk-state"]
    assert parity.findings[0].count == 4


def test_what_an_interrupted_run_had_no_time_for_is_no_difference() -> None:
    run = record(fills=[])
    assert not found(run, record()).same
    parity = found(run, record(), interrupted_ns=LATER)
    assert parity.same
    assert sum(table.cut for table in parity.tables) == 1
    assert not found(record(fills=[row("fills", ts=LATER - 1)]), record(), interrupted_ns=LATER).same
