"""The exit state machine: every event in, the wanted orders out."""

from __future__ import annotations

import json

import pytest

from risk.vocabulary import LONG, MINUTE_NS, SHORT, ExitSpec, InstrumentRules, Role
from strategies.exits import MAX_STOP_FAILURES, CloseAll, ExitMachine, PlaceTarget, SetStop

RULES = InstrumentRules("BTC-USDT.TEST", 1, 3, 0.1, 0.001, 0.001, 2.0, 0.0002, 0.0005)
FRAME = 240 * MINUTE_NS
T0 = 100 * FRAME
BREAKOUT = ExitSpec(10.0, targets_r=(1.0, 2.0), time_stop_bars=30)
TRAIL = ExitSpec(15.0, trail_atr=1.5, time_stop_bars=16)


def machine(spec: ExitSpec = BREAKOUT, side: int = LONG, minutes: int = 240) -> ExitMachine:
    return ExitMachine(side, spec, RULES, minutes, 0.0012)


def entered(spec: ExitSpec = BREAKOUT, side: int = LONG, quantity: float = 2.0) -> ExitMachine:
    m = machine(spec, side)
    m.entry_filled(quantity, 1000.0, settled=True)
    m.entry_complete(T0)
    return m


def test_an_unsettled_slice_wants_nothing_and_the_settled_one_protects_the_whole() -> None:
    m = machine()
    assert m.entry_filled(0.5, 1000.0, settled=False) == []
    assert m.entry_filled(1.5, 1000.4, settled=True) == [SetStop(2.0, 990.3)]
    assert m.average_price == pytest.approx(1000.3)


@pytest.mark.parametrize(("side", "stop"), [(LONG, 990.0), (SHORT, 1010.1)])
def test_the_stop_is_rounded_to_a_tick_away_from_the_entry(side: int, stop: float) -> None:
    m = machine(side=side)
    assert m.entry_filled(1.0, 1000.05, settled=True) == [SetStop(1.0, stop)]


def test_two_targets_halve_the_position_once_the_entry_is_complete() -> None:
    m = machine()
    m.entry_filled(2.001, 1000.0, settled=True)
    assert m.entry_complete(T0) == [
        PlaceTarget(Role.TARGET_1, 1.0, 1010.0),
        PlaceTarget(Role.TARGET_2, 1.001, 1020.0),
    ]


def test_a_half_below_the_minimum_becomes_one_target_and_break_even_at_a_close_beyond_1r() -> None:
    m = machine()
    m.entry_filled(0.001, 1000.0, settled=True)
    assert m.entry_complete(T0) == [PlaceTarget(Role.TARGET_2, 0.001, 1020.0)]
    assert m.bar_closed(T0 + FRAME, 1010.0, None, None) == []
    assert m.bar_closed(T0 + 2 * FRAME, 1010.1, None, None) == [SetStop(0.001, 1001.2)]


def test_the_first_target_moves_the_stop_to_break_even_with_costs() -> None:
    m = entered()
    assert m.exit_filled(Role.TARGET_1, 1.0, order_closed=True) == [SetStop(1.0, 1001.2)]
    short = entered(side=SHORT)
    assert short.exit_filled(Role.TARGET_1, 1.0, order_closed=True) == [SetStop(1.0, 998.8)]


def test_a_part_filled_target_waits_for_its_rest() -> None:
    m = entered()
    assert m.exit_filled(Role.TARGET_1, 0.4, order_closed=False) == []
    assert m.left == pytest.approx(1.6)


def test_the_time_stop_closes_at_bar_n_counted_from_the_bar_of_the_entry() -> None:
    m = entered(TRAIL)
    m.minutes = 240
    for n in range(1, 16):
        assert not any(isinstance(a, CloseAll) for a in m.bar_closed(T0 + n * FRAME, 1000.0, 20.0, None))
    assert m.bar_closed(T0 + 16 * FRAME, 1000.0, 20.0, None) == [CloseAll(2.0, "time_stop")]


def test_an_entry_inside_a_bar_counts_that_bar_as_zero() -> None:
    m = machine(TRAIL)
    m.entry_filled(1.0, 1000.0, settled=True)
    m.entry_complete(T0 + 1)
    assert m.bar_zero_ns == T0 + FRAME


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_trail_follows_the_best_close_and_never_moves_back(side: int) -> None:
    m = entered(TRAIL, side)
    best = 1000.0 + side * 30.0
    assert m.bar_closed(T0 + FRAME, best, 10.0, None) == [SetStop(2.0, best - side * 15.0)]
    assert m.bar_closed(T0 + 2 * FRAME, best - side * 5, 10.0, None) == []
    assert m.bar_closed(T0 + 3 * FRAME, best, 20.0, None) == []  # a wider ATR does not loosen it


def test_a_trail_that_would_lie_beyond_the_market_closes_instead() -> None:
    m = entered(TRAIL)
    m.bar_closed(T0 + FRAME, 1030.0, 10.0, None)
    assert m.bar_closed(T0 + 2 * FRAME, 1026.0, 2.0, None) == [CloseAll(2.0, "trail")]


def test_a_condition_closes_with_its_own_reason() -> None:
    assert entered().bar_closed(T0 + FRAME, 1000.0, None, "deviation gone") == [
        CloseAll(2.0, "deviation gone")
    ]


def test_settlements_after_the_fill_end_the_trade() -> None:
    m = machine(ExitSpec(10.0, time_stop_settlements=3), minutes=60)
    m.entry_filled(1.0, 1000.0, settled=True)
    m.entry_complete(T0)
    for n in range(1, 4):
        assert m.bar_closed(T0 + n * FRAME - 1, 1000.0, None, None) == []
        m.settled(T0 + n * FRAME)
    assert m.bar_closed(T0 + 3 * FRAME, 1000.0, None, None) == [CloseAll(1.0, "time_stop")]


def test_a_price_target_takes_everything() -> None:
    m = machine(ExitSpec(10.0, target_price=1007.77))
    m.entry_filled(1.0, 1000.0, settled=True)
    assert m.entry_complete(T0) == [PlaceTarget(Role.TARGET_1, 1.0, 1007.8)]


def test_a_lost_stop_is_wanted_again_and_the_third_loss_closes() -> None:
    m = entered()
    for _ in range(MAX_STOP_FAILURES - 1):
        assert m.stop_lost() == [SetStop(2.0, 990.0)]
    assert m.stop_lost() == [CloseAll(2.0, "unprotected")]


def test_a_close_that_fails_is_tried_three_times_at_once_and_then_at_each_bar() -> None:
    m = entered()
    m.close("kill_switch")
    for _ in range(3):
        assert m.close_failed() == [CloseAll(2.0, "kill_switch")]
    assert m.close_failed() == []
    assert m.bar_closed(T0 + FRAME, 1000.0, None, None) == [CloseAll(2.0, "kill_switch")]


def test_a_slice_that_fills_while_closing_is_closed_with_the_rest() -> None:
    m = machine()
    m.entry_filled(1.0, 1000.0, settled=True)
    m.close("kill_switch")
    assert m.entry_filled(0.5, 1000.0, settled=True) == []
    assert m.exit_filled(Role.EXIT, 1.0, order_closed=True) == []
    assert m.close_failed() == [CloseAll(0.5, "kill_switch")]


def test_nothing_is_wanted_once_flat() -> None:
    m = entered()
    m.exit_filled(Role.STOP, 2.0, order_closed=True)
    assert m.close("x") == []
    assert m.stop_lost() == []
    assert m.bar_closed(T0 + 99 * FRAME, 1.0, 1.0, "x") == []


def test_state_survives_a_round_trip() -> None:
    m = entered()
    m.exit_filled(Role.TARGET_1, 1.0, order_closed=True)
    again = ExitMachine.from_state(json.loads(json.dumps(m.state())))
    assert again == m
