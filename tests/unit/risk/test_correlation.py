"""Correlation: exact against numpy, refreshed only when due, unknown when there is too little."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.correlation import CorrelationBook, pair_of, pearson
from risk.settings import RiskSettings
from risk.vocabulary import MINUTE_NS, Bar, Instant

A, B, C = "AAA", "BBB", "CCC"
T0 = 20_000 * 1440 * MINUTE_NS
SECOND = 1_000_000_000


def walk(seed: int, count: int, beta: float = 0.0, driver: np.ndarray | None = None) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.0, 0.001, count)
    return noise if driver is None else beta * driver + noise


def feed(
    book: CorrelationBook,
    returns: dict[str, np.ndarray],
    minutes: int = 5,
    missing: dict[str, set[int]] | None = None,
    start: int = T0,
    every: int | None = None,
) -> int:
    """Feed bars whose log returns are given; a second timeframe `every` is made of every n-th close."""
    prices = {name: 100.0 * np.exp(np.cumsum(r)) for name, r in returns.items()}
    ts = start
    for k in range(len(next(iter(returns.values())))):
        ts = start + (k + 1) * minutes * MINUTE_NS
        bars = tuple(
            Bar(name, minutes, ts, p[k], p[k], p[k], float(p[k]), 1.0)
            for name, p in sorted(prices.items())
            if k not in (missing or {}).get(name, set())
        )
        by_minutes = {minutes: bars}
        if every and (k + 1) % every == 0:
            by_minutes[minutes * every] = tuple(b._replace(minutes=minutes * every) for b in bars)
        book.on_instant(Instant(ts, by_minutes))
    return ts


def test_measured_value_is_numpy_s_over_the_last_288_returns() -> None:
    driver = walk(1, 500)
    returns = {A: driver, B: walk(2, 500, 0.7, driver), C: walk(3, 500)}
    book = CorrelationBook(RiskSettings())
    ts = feed(book, returns)
    for one, other in ((A, B), (A, C), (B, C)):
        expected = np.corrcoef(returns[one][-288:], returns[other][-288:])[0, 1]
        assert book.refresh(one, other, ts) == pytest.approx(expected, abs=1e-9)
    assert book.value(B, A) == book.value(A, B)


def test_reading_at_any_moment_gives_the_same_as_reading_once() -> None:
    driver = walk(1, 700)
    returns = {A: driver, B: walk(2, 700, 0.7, driver)}
    lazy, eager = CorrelationBook(RiskSettings()), CorrelationBook(RiskSettings())
    halves = [{k: v[:350] for k, v in returns.items()}, {k: v[350:] for k, v in returns.items()}]
    for part, start in zip(halves, (T0, T0 + 350 * 5 * MINUTE_NS), strict=True):
        feed(lazy, part, start=start)
        feed(eager, part, start=start)
        eager.measure(A, B)
    assert lazy.measure(A, B) == eager.measure(A, B)


def test_returns_over_a_hole_do_not_count_and_only_common_ones_do() -> None:
    driver = walk(1, 400)
    returns = {A: driver, B: walk(2, 400, 0.7, driver)}
    book = CorrelationBook(RiskSettings())
    feed(book, returns, missing={B: {200, 300, 301}})
    kept = [k for k in range(112, 400) if k not in {200, 201, 300, 301, 302}]
    expected = np.corrcoef(returns[A][kept], returns[B][kept])[0, 1]
    assert book.measure(A, B) == pytest.approx(expected, abs=1e-9)


def test_fewer_than_144_common_returns_are_unknown() -> None:
    driver = walk(1, 145)
    book = CorrelationBook(RiskSettings())
    ts = feed(book, {A: driver[:144], B: walk(2, 144, 0.7, driver[:144])})
    assert book.refresh(A, B, ts) is None
    book = CorrelationBook(RiskSettings())
    ts = feed(book, {A: driver, B: walk(2, 145, 0.7, driver)})
    assert book.refresh(A, B, ts) is not None


def test_instruments_that_stopped_together_long_ago_are_unknown() -> None:
    driver = walk(1, 300)
    book = CorrelationBook(RiskSettings())
    ts = feed(book, {A: driver, B: driver})
    book.on_instant(Instant(ts + 400 * 5 * MINUTE_NS, {}))
    assert book.measure(A, B) is None


def test_coarser_bars_serve_where_5m_bars_are_missing() -> None:
    driver = walk(1, 300)
    returns = {A: driver, B: walk(2, 300, 0.7, driver)}
    book = CorrelationBook(RiskSettings())
    feed(book, returns, minutes=15)
    expected = np.corrcoef(returns[A][-288:], returns[B][-288:])[0, 1]
    assert book.measure(A, B) == pytest.approx(expected, abs=1e-9)


def test_long_history_read_in_pieces_keeps_the_newest_window() -> None:
    driver = walk(1, 2_000)
    returns = {A: driver, B: walk(2, 2_000, 0.7, driver)}
    prices = {name: 100.0 * np.exp(np.cumsum(r)) for name, r in returns.items()}
    book, ts = CorrelationBook(RiskSettings()), T0
    for k in range(2_000):
        ts += 5 * MINUTE_NS
        bars = tuple(Bar(name, 5, ts, 1.0, 1.0, 1.0, float(p[k]), 1.0) for name, p in sorted(prices.items()))
        book.on_instant(Instant(ts, {5: bars}))
        if k % 100 == 0:
            book.measure(A, B)
    expected = np.corrcoef(returns[A][-288:], returns[B][-288:])[0, 1]
    assert book.measure(A, B) == pytest.approx(expected, abs=1e-9)


def test_price_that_does_not_move_has_no_correlation() -> None:
    book = CorrelationBook(RiskSettings())
    feed(book, {A: np.zeros(300), B: walk(2, 300)})
    assert book.measure(A, B) is None
    assert pearson(np.zeros(10), np.ones(10)) is None


def test_value_is_measured_again_only_after_the_refresh_time() -> None:
    driver = walk(1, 300)
    book = CorrelationBook(RiskSettings())
    ts = feed(book, {A: driver, B: walk(2, 300, 0.7, driver)})
    first = book.refresh(A, B, ts)
    feed(book, {A: walk(5, 100), B: walk(6, 100)}, start=ts)
    assert book.refresh(A, B, ts + 1799 * SECOND) == first
    assert book.refresh_all([(A, B)], ts + 1799 * SECOND) == ts + 1800 * SECOND
    assert book.refresh(A, B, ts + 1800 * SECOND) != first


def test_offered_value_is_stored_when_due_or_across_the_threshold() -> None:
    book = CorrelationBook(RiskSettings())
    assert book.update(A, B, 0.7, T0) == 0.7
    assert book.update(B, A, 0.9, T0 + 1799 * SECOND) == 0.7
    assert book.update(A, B, 0.64, T0 + 1799 * SECOND) == 0.64
    assert book.update(A, B, 0.3, T0 + 1800 * SECOND) == 0.64
    assert book.update(A, B, 0.3, T0 + 3599 * SECOND) == 0.3


@pytest.mark.parametrize("bad", [math.nan, 1.01, -1.01, math.inf])
def test_value_that_is_no_correlation_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        CorrelationBook(RiskSettings()).update(A, B, bad, T0)


def test_stored_values_survive_a_restart_and_bars_come_back_by_warm_up() -> None:
    driver = walk(1, 300)
    returns = {A: driver, B: walk(2, 300, 0.7, driver)}
    book, resumed = CorrelationBook(RiskSettings()), CorrelationBook(RiskSettings())
    ts = feed(book, returns)
    book.refresh(A, B, ts)
    feed(resumed, returns)
    resumed.load(json.loads(json.dumps(book.state())))
    assert resumed.state() == book.state()
    later = ts + 1800 * SECOND
    assert resumed.refresh(A, B, later) == book.refresh(A, B, later)


def test_pair_has_one_key() -> None:
    assert pair_of(B, A) == pair_of(A, B) == (A, B)


@given(st.lists(st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)), min_size=3, max_size=50))
@settings(deadline=None)
def test_pearson_stays_within_its_bounds(samples: list[tuple[float, float]]) -> None:
    x, y = np.array([a for a, _ in samples]), np.array([b for _, b in samples])
    value = pearson(x, y)
    assert value is None or -1.0 <= value <= 1.0
