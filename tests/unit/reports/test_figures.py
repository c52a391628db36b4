"""Figures against numbers worked out by hand; what is not defined is None."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crupto_nautilus.reports import figures
from crupto_nautilus.reports.verdict import judge
from risk.vocabulary import DAY_NS, HOUR_NS


def test_daily_equity_takes_the_last_sample_of_each_day_and_fills_empty_days() -> None:
    ts = np.array([1, 20, 24, 49]) * HOUR_NS  # the bar of 24:00 ends the first day; nothing on day 3
    values = figures.daily_equity(ts, np.array([101.0, 102.0, 103.0, 104.0]), 0, 4 * DAY_NS, 100.0)
    assert values.tolist() == [100.0, 103.0, 103.0, 104.0, 104.0]


def test_daily_equity_without_samples_stays_at_the_start() -> None:
    none = np.array([], dtype=np.int64)
    assert figures.daily_equity(none, np.array([]), 0, 2 * DAY_NS, 50.0).tolist() == [50.0, 50.0, 50.0]


def test_sharpe_and_sortino_are_annualised_by_365() -> None:
    returns = np.array([0.01, -0.02, 0.03])
    mean, deviation = 0.02 / 3, math.sqrt(((1 / 300) ** 2 + (8 / 300) ** 2 + (7 / 300) ** 2) / 2)
    assert figures.sharpe(returns) == pytest.approx(mean / deviation * math.sqrt(365))
    assert figures.sortino(returns) == pytest.approx(mean / math.sqrt(0.0004 / 3) * math.sqrt(365))


@pytest.mark.parametrize("returns", [[], [0.01], [0.0, 0.0, 0.0], [0.01, 0.01]])
def test_sharpe_without_variation_is_not_defined(returns: list[float]) -> None:
    assert figures.sharpe(np.array(returns)) is None


def test_sortino_without_a_losing_day_is_not_defined() -> None:
    assert figures.sortino(np.array([0.01, 0.02])) is None


def test_drawdown_is_measured_from_the_highest_value_so_far() -> None:
    assert figures.drawdown_pct(np.array([100.0, 110.0, 99.0, 120.0])).tolist() == [
        0.0,
        0.0,
        pytest.approx(-10.0),
        0.0,
    ]


def test_longest_drawdown_ends_at_a_new_high() -> None:
    ts = np.arange(5) * DAY_NS
    assert figures.longest_drawdown_days(ts, np.array([1.0, 2.0, 1.5, 1.9, 2.1])) == 2.0


def test_trade_figures_of_two_wins_and_one_loss() -> None:
    found = figures.trade_figures(np.array([2.0, 4.0, -3.0]), np.array([1.0, 2.0, -1.5]))
    assert found["profit_factor"] == 2.0
    assert found["win_rate_pct"] == pytest.approx(200 / 3)
    assert (found["avg_win_r"], found["avg_loss_r"], found["pnl_r"]) == (1.5, -1.5, 1.5)


def test_figures_of_no_trades_and_of_no_losses_are_none_not_zero() -> None:
    empty = figures.trade_figures(np.array([]), np.array([]))
    undefined = ("win_rate_pct", "profit_factor", "avg_win_r", "avg_loss_r", "mean_r", "mean_r_low", "best_r")
    assert [empty[name] for name in undefined] == [None] * len(undefined)
    assert figures.trade_figures(np.array([1.0]), np.array([1.0]))["profit_factor"] is None


def test_longest_losing_streak_counts_neighbours_only() -> None:
    net = np.array([-1.0, 1.0, -1.0, -1.0, -1.0, 1.0, -1.0])
    assert figures.trade_figures(net, net)["longest_losing_streak"] == 3


def test_bootstrap_interval_is_repeatable_and_near_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(0.2, 1.0, 400)
    first, again = figures.bootstrap_mean(values), figures.bootstrap_mean(values)
    assert first == again
    half = 1.96 * values.std() / 20
    assert first.low == pytest.approx(values.mean() - half, abs=0.02)
    assert first.high == pytest.approx(values.mean() + half, abs=0.02)


def test_bootstrap_in_blocks_serves_many_trades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_DRAWS_AT_ONCE", 1000)
    found = figures.bootstrap_mean(np.linspace(-1, 1, 101), resamples=200)
    assert found.low is not None
    assert found.high is not None
    assert -0.3 < found.low < 0 < found.high < 0.3


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 50)), max_size=20))
def test_covered_time_is_the_length_of_the_union(spans: list[tuple[int, int]]) -> None:
    covered = {t for start, length in spans for t in range(start, start + length)}
    opens = np.array([s for s, _ in spans], dtype=np.int64)
    closes = np.array([s + n for s, n in spans], dtype=np.int64)
    assert figures.covered_ns(opens, closes) == len(covered)


@pytest.mark.parametrize(
    ("trades", "gross", "net", "low", "high", "costs", "code"),
    [
        (0, 0, 0, None, None, "on", "no_trades"),
        (29, 5, 5, 0.1, 0.5, "on", "too_few"),
        (30, 5, 5, 0.1, 0.5, "on", "earns"),
        (30, 5, 5, 0.1, 0.5, "off", "not_comparable"),
        (30, 5, -5, -0.5, -0.1, "on", "costs"),
        (30, -5, -9, -0.5, -0.1, "on", "loses"),
        (30, 5, -1, -0.5, 0.1, "on", "no_edge"),
    ],
)
def test_verdict_says_no_more_than_the_trades_allow(
    trades: int, gross: float, net: float, low: float | None, high: float | None, costs: str, code: str
) -> None:
    found = judge(trades, gross_usd=gross, net_usd=net, mean_r_low=low, mean_r_high=high, costs=costs)
    assert found.code == code
