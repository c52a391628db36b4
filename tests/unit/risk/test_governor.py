"""Desk states: what sets them, what ends them, and what survives."""

from __future__ import annotations

import json
import math

import pytest

from risk.governor import DeskGovernor
from risk.settings import RiskSettings
from risk.vocabulary import DAY_NS, HOUR_NS, MINUTE_NS, DeskMode, RefusalReason

T = 20_000 * DAY_NS + 10 * HOUR_NS
COOLING = 60 * MINUTE_NS


@pytest.fixture
def governor() -> DeskGovernor:
    return DeskGovernor(RiskSettings())


def test_daily_loss_at_limit_locks_until_the_next_day(governor: DeskGovernor) -> None:
    assert governor.evaluate(T, -1.79, 0.0) is None
    state = governor.evaluate(T + 1, -1.8, -1.8)
    assert state is not None
    assert (state.mode, state.reason) == (DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK)
    assert "-1.8000 % <= -max_daily_loss_pct 1.8" in state.detail
    assert state.cooling_until_ns == T + 1 + COOLING
    assert not state.flatten
    assert governor.evaluate(T + 2, 0.3, 0.0) is None  # PnL that recovers does not unlock
    released = governor.evaluate(T + DAY_NS, 0.0, -1.8, new_day=True)
    assert released is not None
    assert (released.mode, released.reason) == (DeskMode.ACTIVE, None)
    assert released.cooling_until_ns == T + 1 + COOLING


def test_lock_late_in_the_evening_still_cools_after_midnight(governor: DeskGovernor) -> None:
    late = 20_001 * DAY_NS - 10 * MINUTE_NS
    governor.evaluate(late, -2.0, -2.0)
    released = governor.evaluate(20_001 * DAY_NS, -0.1, -2.0, new_day=True)
    assert released is not None
    assert released.mode is DeskMode.ACTIVE
    assert released.cooling_until_ns == late + COOLING > 20_001 * DAY_NS


def test_loss_on_the_first_sample_of_the_new_day_locks_it_again(governor: DeskGovernor) -> None:
    governor.evaluate(T, -1.9, -1.9)
    again = governor.evaluate(T + DAY_NS, -2.5, -2.5, new_day=True)
    assert again is not None
    assert again.reason is RefusalReason.DAILY_LOCK
    assert again.ts_event == T + DAY_NS


def test_drawdown_at_limit_kills_flattens_and_stays_over_days(governor: DeskGovernor) -> None:
    state = governor.evaluate(T, -1.0, -3.5)
    assert state is not None
    assert (state.mode, state.reason, state.flatten) == (DeskMode.HALTED, RefusalReason.KILL_SWITCH, True)
    assert "-kill_switch_drawdown_72h 3.5" in state.detail
    assert governor.evaluate(T + DAY_NS, 0.0, 0.0, new_day=True) is None
    assert governor.current.reason is RefusalReason.KILL_SWITCH


def test_kill_switch_goes_before_the_daily_lock_and_deepens_one(governor: DeskGovernor) -> None:
    governor.evaluate(T, -1.9, -2.0)
    state = governor.evaluate(T + 1, -3.6, -3.6)
    assert state is not None
    assert state.reason is RefusalReason.KILL_SWITCH


def test_unlock_needs_a_halt_and_a_reason_and_cools(governor: DeskGovernor) -> None:
    with pytest.raises(ValueError, match="expected HALTED"):
        governor.unlock(T, "because")
    governor.evaluate(T, 0.0, -4.0)
    with pytest.raises(ValueError, match="without a reason"):
        governor.unlock(T, "  ")
    state = governor.unlock(T + HOUR_NS, "reviewed, AB")
    assert (state.mode, state.reason) == (DeskMode.ACTIVE, None)
    assert state.cooling_until_ns == T + HOUR_NS + COOLING
    assert "reviewed, AB" in state.detail


def test_unlock_on_a_day_that_is_locked_leaves_the_daily_lock(governor: DeskGovernor) -> None:
    governor.evaluate(T, -1.9, -1.9)
    governor.evaluate(T + 1, -3.6, -3.6)
    state = governor.unlock(T + HOUR_NS, "reviewed")
    assert (state.mode, state.reason) == (DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK)
    assert governor.evaluate(T + HOUR_NS + 1, -3.6, 0.0) is None
    released = governor.evaluate(T + DAY_NS, 0.0, 0.0, new_day=True)
    assert released is not None
    assert released.mode is DeskMode.ACTIVE


def test_daily_limit_reached_while_halted_locks_after_the_unlock(governor: DeskGovernor) -> None:
    governor.halt(T, "maintenance")
    assert governor.evaluate(T + 1, -1.9, -2.0) is None
    assert governor.unlock(T + 2, "done").mode is DeskMode.REDUCE_ONLY


def test_operator_halt_keeps_positions_unless_asked_and_a_kill_switch_overrides_it(
    governor: DeskGovernor,
) -> None:
    state = governor.halt(T, "maintenance")
    assert (state.mode, state.reason, state.flatten) == (DeskMode.HALTED, RefusalReason.OPERATOR_HALT, False)
    assert governor.halt(T + 1, "close it", flatten=True).flatten
    killed = governor.evaluate(T + 2, 0.0, -3.5)
    assert killed is not None
    assert killed.reason is RefusalReason.KILL_SWITCH
    kept = governor.halt(T + 3, "me too")
    assert kept.reason is RefusalReason.KILL_SWITCH
    assert "me too" in kept.detail


@pytest.mark.parametrize("bad", [(math.nan, 0.0), (0.0, math.nan), (math.inf, 0.0)])
def test_unknown_figures_raise_instead_of_passing(governor: DeskGovernor, bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        governor.evaluate(T, *bad)


def test_state_survives_a_restart(governor: DeskGovernor) -> None:
    governor.evaluate(T, -1.9, -1.9)
    governor.evaluate(T + 1, -3.6, -3.6)
    resumed = DeskGovernor(RiskSettings())
    resumed.load(json.loads(json.dumps(governor.state())))
    assert resumed.current == governor.current
    assert resumed.unlock(T + 2, "x") == governor.unlock(T + 2, "x")
    fresh = DeskGovernor(RiskSettings())
    fresh.load(json.loads(json.dumps(DeskGovernor(RiskSettings()).state())))
    assert fresh.current.mode is DeskMode.ACTIVE
