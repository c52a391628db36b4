"""A resting entry and its stop passed by the same bar: the position ends there, at the price of the stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from risk.vocabulary import EntryStyle
from tests.fakes.scenario import RR, Scenario, ScenarioRun, Tape, scripted, wish
from tests.fakes.scenario_market import BASE

STOP = 98.99  # of an entry at 99.99


def play(folder: Path, side: int, *rows: tuple[float, float, float, float]) -> ScenarioRun:
    """Signal at bar 3 at a price of 100 with a stop distance of 1; `rows` are the bars that follow."""
    tape = Tape().hold(3)
    for row in rows:
        tape.bar(*row)
    rule = scripted(RR, {("SOL", 3): wish(side, 1.0, style=EntryStyle.POST_ONLY, time_stop_bars=30)})
    return Scenario({"SOL": tape.hold(3)}, [rule], minutes=BASE).play(folder)


@pytest.mark.parametrize(
    ("side", "row", "exit_price"),
    [
        (1, (100.0, 100.2, 98.0, 99.6), 99.6),
        (1, (100.0, 100.2, STOP, 99.6), 99.6),  # a trade at the stop's own price triggers it
        (-1, (100.0, 102.0, 99.8, 100.4), 100.4),
    ],
)
def test_a_bar_that_jumps_over_entry_and_stop_closes_at_the_price_of_the_stop(
    tmp_path: Path, side: int, row: tuple[float, float, float, float], exit_price: float
) -> None:
    run = play(tmp_path, side, row)
    trade = run.trade("SOL")
    assert trade.exit_reason == "stop_passed"
    assert (run.bar(trade.ts_open), run.bar(trade.ts_event)) == (4, 4)
    assert trade.entry_price == 100.0 - side * 0.01
    assert trade.exit_price == exit_price
    # Filled at the close, charged as if at the stop: the whole way back is slippage, and never less.
    stop = trade.entry_price - side * 1.0
    way_back = (exit_price - stop) * side * trade.quantity
    usual = trade.slippage_usd - way_back
    assert 0.0 < usual < 0.0015 * exit_price * trade.quantity
    assert -1.05 < trade.r < -0.95
    assert not run.desk.risk_desk.books.positions


def test_a_bar_that_ends_where_it_jumped_to_closes_there_without_a_touch_of_the_stop(tmp_path: Path) -> None:
    # The venue sees no price after the one that filled the entry: live node and backtest must both wait for
    # the close, with no order of the desk in between.
    run = play(tmp_path, -1, (99.9, 102.0, 99.9, 102.0))
    trade = run.trade("SOL")
    assert (trade.exit_reason, trade.exit_price) == ("stop_passed", 102.0)
    assert (run.bar(trade.ts_open), run.bar(trade.ts_event)) == (4, 4)
    assert trade.slippage_usd < 0.0015 * 102.0 * trade.quantity  # there is no way back to charge
    assert run.steps("SOL", "target_1") == []


def test_a_stop_that_the_bar_passes_on_its_way_back_fills_by_itself(tmp_path: Path) -> None:
    run = play(tmp_path, 1, (100.0, 101.5, 99.5, 100.0), (100.0, 100.0, 98.0, 98.2))
    trade = run.trade("SOL")
    assert (trade.exit_reason, trade.exit_price) == ("stop", STOP)
    assert run.bar(trade.ts_event) == 5


def test_a_bar_that_does_not_reach_the_stop_leaves_the_position_alone(tmp_path: Path) -> None:
    run = play(tmp_path, 1, (100.0, 100.2, 99.0, 99.6))
    assert run.rows("trades") == []
    assert len(run.desk.risk_desk.books.positions) == 1


def test_a_gap_below_the_stop_later_on_is_not_taken_for_the_entry_bar(tmp_path: Path) -> None:
    run = play(tmp_path, 1, (100.0, 100.2, 99.5, 99.6), (98.0, 98.5, 97.5, 98.4))
    trade = run.trade("SOL")
    assert trade.exit_reason == "stop"
    assert trade.exit_price == 98.0
