"""Totals of a run so far, as a session that goes on shows them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crupto_nautilus.journal import Journal
from crupto_nautilus.journal.sessions import CURVE_POINTS, Sessions, earlier_sessions
from risk.vocabulary import HOUR_NS, Alarm, RefusalReason, Refused
from tests.fakes.messages import equity, one_of_each, signal


@pytest.fixture
def held(url: str) -> Iterator[Journal]:
    """Yield a journal with three instants of each message, and another run."""
    with Journal(url) as journal:
        journal.migrate()
        for run_id in ("run", "other"):
            journal.start_run({"run_id": run_id, "start_ns": 1})
            for hour in (1, 2, 3):
                journal.write(run_id, hour * HOUR_NS, one_of_each(hour * HOUR_NS))
        yield journal


def test_sums_are_those_of_the_rows_of_this_run_alone(held: Journal) -> None:
    found, rows = earlier_sessions(held, "run"), held.read("trades", "run")
    assert found.signals == len(held.read("signals", "run")) > 0
    decisions = held.read("decisions", "run")
    totals = list(found.strategies.values())
    assert sum(one.approved for one in totals) == sum(bool(row["approved"]) for row in decisions)
    assert sum(sum(one.refused.values()) for one in totals) == sum(not row["approved"] for row in decisions)
    assert sum(one.trades for one in totals) == len(rows) == 3
    assert sum(one.net_usd for one in totals) == pytest.approx(sum(row["net_usd"] for row in rows))
    assert found.wins == sum(row["net_usd"] > 0 for row in rows)
    assert found.fees_usd == pytest.approx(sum(row["fee"] for row in held.read("fills", "run")))
    assert [trade.ts_event for trade in found.trades] == [3 * HOUR_NS, 2 * HOUR_NS, HOUR_NS]
    assert isinstance(found.alarms[0], Alarm)
    assert sum(found.alarms_of_kind.values()) == len(found.alarms) == 3
    assert len(found.decisions) == len(decisions)


def test_refusals_are_counted_by_hour_of_the_last_day_only(held: Journal) -> None:
    late = 40 * HOUR_NS
    reasons = (RefusalReason.COOLDOWN, RefusalReason.COOLDOWN, RefusalReason.COST_TOO_HIGH)
    refused = [Refused(late, signal(late + k), reason, "why") for k, reason in enumerate(reasons)]
    held.write("run", late, refused)
    found = earlier_sessions(held, "run").refused_in_hour
    assert found == {40: {"COOLDOWN": 2, "COST_TOO_HIGH": 1}}


def test_a_long_curve_is_thinned_and_ends_near_its_end(held: Journal) -> None:
    held.write("other", 4 * HOUR_NS, [equity(4 * HOUR_NS + k) for k in range(3 * CURVE_POINTS)])
    curve = earlier_sessions(held, "other").curve
    assert CURVE_POINTS // 2 < len(curve) <= CURVE_POINTS
    assert [point[0] for point in curve] == sorted(point[0] for point in curve)
    assert curve[-1][0] >= 4 * HOUR_NS + 3 * CURVE_POINTS - 5


def test_a_run_without_rows_has_nothing(held: Journal) -> None:
    held.start_run({"run_id": "new", "start_ns": 1})
    assert earlier_sessions(held, "new") == Sessions()
