"""Daily PnL and 72 h drawdown are exact, inclusive at the limit, and survive a restart."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.drawdown import WINDOW_NS, DrawdownGuard, guard_drawdown
from risk.settings import RiskSettings
from risk.vocabulary import DAY_NS, HOUR_NS, MINUTE_NS

DAY = 20_000 * DAY_NS


def test_first_day_starts_from_the_first_sample_and_says_that_it_is_estimated() -> None:
    guard = DrawdownGuard()
    assert guard.daily_pnl_pct == 0.0
    assert guard.drawdown_72h_pct == 0.0
    assert guard.sample(DAY + HOUR_NS, 300.0)
    assert guard.day_start_estimated
    guard.sample(DAY + 2 * HOUR_NS, 297.0)
    assert guard.daily_pnl_pct == pytest.approx(-1.0)


def test_new_day_begins_at_midnight_and_starts_from_the_last_sample_before_it() -> None:
    guard = DrawdownGuard()
    guard.sample(DAY + 23 * HOUR_NS, 300.0)
    guard.sample(DAY + DAY_NS - MINUTE_NS, 290.0)
    assert guard.sample(DAY + DAY_NS, 287.1)
    assert guard.day_start_equity == 290.0
    assert not guard.day_start_estimated
    assert guard.daily_pnl_pct == pytest.approx(-1.0)


def test_day_turn_is_told_once_even_if_a_fill_brought_it() -> None:
    guard = DrawdownGuard()
    guard.sample(DAY, 300.0)
    assert guard.take_new_day()
    guard.sample(DAY + DAY_NS, 299.0)
    guard.sample(DAY + DAY_NS, 298.0)
    assert guard.take_new_day()
    assert not guard.take_new_day()


def test_restart_across_midnight_starts_the_day_from_the_journalled_equity() -> None:
    guard = DrawdownGuard()
    guard.sample(DAY + 20 * HOUR_NS, 310.0)
    resumed = DrawdownGuard()
    resumed.load(json.loads(json.dumps(guard.state())))
    assert resumed.sample(DAY + DAY_NS + 5 * HOUR_NS, 300.0)
    assert resumed.day_start_equity == 310.0


def test_peak_leaves_the_window_after_exactly_72_hours() -> None:
    guard = DrawdownGuard()
    guard.sample(DAY, 400.0)
    guard.sample(DAY + HOUR_NS, 300.0)
    guard.sample(DAY + WINDOW_NS - 1, 300.0)
    assert guard.peak_72h == 400.0
    guard.sample(DAY + WINDOW_NS, 300.0)
    assert guard.peak_72h == 300.0
    assert guard.drawdown_72h_pct == 0.0


def test_open_losses_count_and_an_unlock_starts_a_new_window_without_touching_the_day() -> None:
    guard = DrawdownGuard()
    guard.sample(DAY, 300.0)
    guard.sample(DAY + HOUR_NS, 285.0)
    assert guard.drawdown_72h_pct == pytest.approx(-5.0)
    guard.restart_window(DAY + 2 * HOUR_NS, 285.0)
    assert guard.drawdown_72h_pct == 0.0
    assert guard.daily_pnl_pct == pytest.approx(-5.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_sample_that_is_not_a_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        DrawdownGuard().sample(DAY, bad)


def test_ruin_reads_as_total_loss_never_as_no_loss() -> None:
    guard = DrawdownGuard()
    guard.sample(DAY, -5.0)
    guard.sample(DAY + 1, -6.0)
    assert guard.daily_pnl_pct == -100.0
    assert guard.drawdown_72h_pct == -100.0


@pytest.mark.parametrize(
    ("daily", "drawdown", "allowed"),
    [
        (-1.8, 0.0, False),
        (-1.7999, 0.0, True),
        (0.0, -3.5, False),
        (0.0, -3.4999, True),
        (math.nan, 0.0, False),
        (0.0, math.nan, False),
    ],
)
def test_limits_are_inclusive_and_unknown_figures_never_pass(
    daily: float, drawdown: float, allowed: bool
) -> None:
    assert guard_drawdown(daily, drawdown, RiskSettings()) is allowed


Samples = st.lists(
    st.tuples(st.integers(0, 30 * HOUR_NS), st.floats(1.0, 1e6, allow_nan=False)), min_size=1, max_size=60
)


@given(Samples, st.integers(0, 60))
@settings(deadline=None)
def test_peak_is_the_maximum_of_the_window_and_a_restart_changes_nothing(
    samples: list[tuple[int, float]], cut: int
) -> None:
    guard, resumed = DrawdownGuard(), DrawdownGuard()
    ts, seen = DAY, []
    for number, (gap, equity) in enumerate(samples):
        if number == cut:
            resumed.load(json.loads(json.dumps(guard.state())))
        ts += gap
        seen.append((ts, equity))
        guard.sample(ts, equity)
        if number >= cut:
            resumed.sample(ts, equity)
        peak = max(e for t, e in seen if ts - WINDOW_NS < t <= ts)
        assert guard.peak_72h == peak
        assert guard.drawdown_72h_pct == 100.0 * (equity / peak - 1.0) <= 0.0
        before = [e for t, e in seen[:-1] if t // DAY_NS < ts // DAY_NS]
        assert guard.day_start_equity == (before[-1] if before else seen[0][1])
    if len(samples) > cut:
        assert resumed.state() == guard.state()
