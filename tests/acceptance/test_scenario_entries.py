"""How an entry gets into the market: slices, resting orders, what is left of them, and the exits they get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from risk.vocabulary import LONG, SHORT, EntryStyle
from tests.fakes.scenario import BO, Scenario, ScenarioRun, scripted, wish
from tests.fakes.scenario_market import Tape

REST, THEN_MARKET = EntryStyle.POST_ONLY, EntryStyle.POST_ONLY_THEN_MARKET
HALVES = (1.0, 2.0)


def play(folder: Path, tape: Tape, *bars: int, minutes: int = 15, **setup: Any) -> ScenarioRun:
    """Signal at some bars, with a stop 1 away."""
    quotes = {"SOL": setup.pop("quotes", {})}
    side = setup.pop("side", LONG)
    wanted = wish(side, **{"distance": 1.0, "targets_r": HALVES, **setup})
    rules = scripted(BO, {("SOL", k): wanted for k in bars}, minutes=minutes)
    return Scenario({"SOL": tape}, [rules], quotes=quotes).play(folder)


def ended(run: ScenarioRun) -> list[tuple[int, float, str]]:
    """Return the ends of entries: bar, filled, reason."""
    return [(run.bar(e["ts_event"]), e["filled"], e["reason"]) for e in run.rows("entries")]


def stop_sizes(run: ScenarioRun) -> list[tuple[int, float]]:
    """Return the sizes that the desk wanted of its stop after it was placed: bar, quantity."""
    return [(bar, quantity) for bar, action, quantity, _ in run.steps("SOL", "stop") if action == "modify"]


# --- slices -----------------------------------------------------------------------------------------------


def test_a_large_entry_goes_out_in_equal_slices_and_gets_whole_exits(tmp_path: Path) -> None:
    tape = Tape(volume=1_000.0).hold(2).to(100.1, 100.2, 100.3, 101.3, 102.5).hold(2)
    run = play(tmp_path, tape, 2)
    child = 16.78
    assert run.decision("SOL", 2)["n_children"] == 4
    fills = [(2, child, 100.0), (3, child, 100.1), (4, child, 100.2), (5, child, 100.3)]
    assert run.fills("SOL", "entry") == fills
    whole, average = round(4 * child, 2), 100.15
    assert ended(run) == [(5, whole, "")]
    assert run.rows("entries")[0]["average_price"] == pytest.approx(average)
    # A stop from the first slice on, 1 below the average entry; targets once, for all of it, at the end.
    stop = run.steps("SOL", "stop")
    assert stop[0] == (2, "submit", child, 99.0)
    assert [(bar, size, price) for bar, action, size, price in stop if action == "modify"][:3] == [
        (3, round(2 * child, 2), 99.05),
        (4, round(3 * child, 2), 99.1),
        (5, whole, 99.15),
    ]
    targets = [run.steps("SOL", role)[0] for role in ("target_1", "target_2")]
    assert targets == [(5, "submit", whole / 2, 101.15), (5, "submit", whole / 2, 102.15)]
    trade = run.trade("SOL")
    assert (trade.quantity, trade.exit_reason) == (whole, "target_2")
    assert trade.entry_price == pytest.approx(average)


def test_what_five_slices_cannot_hold_is_dropped_and_its_risk_is_free_again(tmp_path: Path) -> None:
    run = play(tmp_path, Tape(volume=400.0).hold(9), 2)
    row = run.decision("SOL", 2)
    assert (row["n_children"], row["quantity"]) == (5, 40.0)
    assert [quantity for _, quantity, _ in run.fills("SOL", "entry")] == [8.0] * 5
    assert row["reserved_risk_pct"] == pytest.approx(0.8, abs=1e-3)  # the plan's, until the entry is over
    after = run.rows("entries")[0]
    assert after["reserved_risk_pct"] == 0.0
    assert after["open_risk_pct"] == pytest.approx(0.8 * 40 / 66, abs=0.05)


def test_slices_stop_when_the_stop_is_hit_between_them(tmp_path: Path) -> None:
    tape = Tape(volume=1_000.0).hold(2).to(99.5, 98.0).hold(4)
    run = play(tmp_path, tape, 2)
    entered = sum(quantity for _, quantity, _ in run.fills("SOL", "entry"))
    assert [bar for bar, *_ in run.fills("SOL", "entry")] == [2, 3]
    assert ended(run) == [(4, entered, "position closed")]
    trade = run.trade("SOL")
    assert (trade.quantity, trade.exit_reason) == (entered, "stop")
    assert not run.desk.risk_desk.books.reservations


# --- resting entries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "limit", "through"), [(LONG, 99.99, 99.9), (SHORT, 100.01, 100.1)])
def test_a_resting_entry_lies_one_tick_inside_the_close_and_pays_the_maker_fee(
    side: int, limit: float, through: float, tmp_path: Path
) -> None:
    run = play(tmp_path, Tape().hold(2).to(through).hold(3), 2, side=side, style=REST)
    (fill,) = run.rows("fills", role="entry")
    assert (run.bar(fill.ts_event), fill.price, fill.maker, fill.slippage_usd) == (3, limit, True, 0.0)
    assert fill.fee == pytest.approx(fill.quantity * limit * 0.0002, abs=1e-8)
    assert run.steps("SOL", "stop")[0][3] == round(limit - side, 2)
    assert ended(run) == [(3, fill.quantity, "")]
    assert not run.rows("alarms")


def test_a_resting_entry_lies_at_the_touch_while_quotes_are_fresh(tmp_path: Path) -> None:
    quotes = {2: (99.97, 100.01)}
    run = play(tmp_path, Tape().hold(6), 2, quotes=quotes, style=REST)
    assert run.steps("SOL", "entry")[0][3] == 99.97


def test_a_price_that_is_touched_but_not_passed_fills_nothing(tmp_path: Path) -> None:
    run = play(tmp_path, Tape().hold(2).to(99.99, 100.0).hold(2), 2, style=REST)
    assert ended(run) == [(3, 0.0, "expired")]
    assert not run.rows("fills")
    assert not run.desk.risk_desk.books.reservations


def test_an_unfilled_entry_ends_with_its_bar_and_the_next_signal_is_free(tmp_path: Path) -> None:
    run = play(tmp_path, Tape().hold(6), 2, 4, style=REST)
    assert ended(run) == [(3, 0.0, "expired"), (5, 0.0, "expired")]
    assert run.reasons("SOL", 2, 4) == ["", ""]


def test_a_resting_entry_of_an_hourly_strategy_rests_for_an_hour(tmp_path: Path) -> None:
    run = play(tmp_path, Tape().hold(12), 4, minutes=60, style=REST)
    assert ended(run) == [(8, 0.0, "expired")]


def test_a_rejected_resting_entry_counts_as_unfilled(tmp_path: Path) -> None:
    # The quote says 100.04 to 100.06, the market trades at 100.00: the order would take.
    run = play(tmp_path, Tape().hold(6), 2, distance=4.0, quotes={2: (100.04, 100.06)}, style=REST)
    assert ended(run) == [(2, 0.0, "rejected")]
    assert not run.rows("fills")


def test_a_part_of_a_resting_entry_has_a_stop_at_once_and_exits_for_what_filled(tmp_path: Path) -> None:
    thin = (100.0, 100.1, 99.9, 100.0)  # 10 of 40 coins trade below the limit
    tape = Tape().hold(4).volume(40.0).bar(*thin).bar(*thin).hold(6).to(100.5, 101.2, 102.3).hold(2)
    run = play(tmp_path, tape, 4, minutes=60, style=REST)
    assert run.fills("SOL", "entry") == [(5, 10.0, 99.99), (6, 10.0, 99.99)]
    assert [p.stop_price for p in run.rows("protections")][:2] == [98.99, 98.99]
    assert stop_sizes(run)[:2] == [(5, 10.0), (6, 20.0)]
    assert ended(run) == [(8, 20.0, "expired")]
    targets = [run.steps("SOL", role)[0] for role in ("target_1", "target_2")]
    assert targets == [(8, "submit", 10.0, 100.99), (8, "submit", 10.0, 101.99)]
    trade = run.trade("SOL")
    assert (trade.quantity, trade.exit_reason) == (20.0, "target_2")
    assert trade.risk_usd == pytest.approx(20.0 / run.decision("SOL", 4)["quantity"] * 80.0, abs=0.02)


def test_one_bar_may_fill_a_resting_entry_and_its_stop(tmp_path: Path) -> None:
    run = play(tmp_path, Tape().hold(2).bar(100.0, 100.0, 98.0, 98.5).hold(3), 2, style=REST)
    quantity = run.decision("SOL", 2)["quantity"]
    assert run.fills("SOL") == [(3, quantity, 99.99), (3, quantity, 98.99)]
    trade = run.trade("SOL")
    assert trade.exit_reason == "stop"
    assert -1.0 <= trade.r < -0.99
    assert not run.desk.risk_desk.books.positions


def test_a_gap_through_a_resting_entry_and_its_stop_is_left_where_the_market_opens(tmp_path: Path) -> None:
    run = play(tmp_path, Tape().hold(2).gap(98.0).hold(3), 2, style=REST)
    quantity = run.decision("SOL", 2)["quantity"]
    assert run.fills("SOL") == [(3, quantity, 99.99), (3, quantity, 98.0)]
    assert not run.desk.risk_desk.books.positions


# --- resting, then market ---------------------------------------------------------------------------------


def test_what_did_not_fill_at_rest_goes_to_market_when_the_bar_closes(tmp_path: Path) -> None:
    run = play(tmp_path, Tape().hold(14), 4, minutes=60, style=THEN_MARKET)
    quantity = run.decision("SOL", 4)["quantity"]
    assert run.steps("SOL", "entry") == [
        (4, "submit", quantity, 99.99),
        (4, "accepted", quantity, 99.99),
        (8, "cancel", quantity, 99.99),
        (8, "canceled", quantity, 99.99),
        (8, "submit", quantity, 0.0),
    ]
    assert run.fills("SOL", "entry") == [(8, quantity, 100.0)]
    assert ended(run) == [(8, quantity, "")]
    assert run.steps("SOL", "stop")[-1] == (8, "accepted", quantity, 99.0)
    assert [run.steps("SOL", role)[0][2] for role in ("target_1", "target_2")] == [quantity / 2] * 2


def test_only_the_rest_of_a_part_filled_entry_goes_to_market(tmp_path: Path) -> None:
    tape = Tape().hold(4).volume(40.0).bar(100.0, 100.1, 99.9, 100.0).volume(5_000.0)
    tape.to(100.02, 100.0, 100.02).hold(4)
    run = play(tmp_path, tape, 4, minutes=60, style=THEN_MARKET)
    quantity = run.decision("SOL", 4)["quantity"]
    rest = round(quantity - 10.0, 2)
    assert run.fills("SOL", "entry") == [(5, 10.0, 99.99), (8, rest, 100.02)]
    assert ended(run) == [(8, quantity, "")]
    # 1 below the average of 100.0156, away from it to a tick
    assert run.steps("SOL", "stop")[-1] == (8, "updated", quantity, 99.01)


def test_a_rejected_resting_entry_goes_to_market_all_the_same(tmp_path: Path) -> None:
    run = play(
        tmp_path, Tape().hold(6), 2, distance=4.0, quotes={2: (100.04, 100.06)}, style=THEN_MARKET
    )  # fmt: skip
    quantity = run.decision("SOL", 2)["quantity"]
    assert run.fills("SOL", "entry") == [(3, quantity, 100.0)]
    assert ended(run) == [(3, quantity, "")]
