"""The book as a whole: concentration counts signs, the cap shrinks with it, nothing unknown passes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.correlation import CorrelationBook
from risk.portfolio import Exposure, PortfolioController, safe_mode_multiplier
from risk.settings import RiskSettings
from risk.vocabulary import LONG, SHORT

A, B, C = "AAA", "BBB", "CCC"


def controller(**correlations: float) -> PortfolioController:
    settings = RiskSettings()
    book = CorrelationBook(settings)
    for pair, value in correlations.items():
        book.update(*pair.split("_"), value, 1)
    return PortfolioController(settings, book)


@pytest.mark.parametrize(
    ("correlation", "multiplier"), [(0.65, 1.0), (0.7, 0.8571), (0.825, 0.5), (0.9, 0.5), (1.0, 0.5)]
)
def test_effective_cap_falls_with_concentration_down_to_its_floor(
    correlation: float, multiplier: float
) -> None:
    assert safe_mode_multiplier(correlation, RiskSettings()) == pytest.approx(multiplier, abs=1e-4)
    found = controller(AAA_BBB=correlation).concentration([Exposure(A, LONG), Exposure(B, LONG)])
    assert found.active
    assert found.pair == (A, B)
    assert found.cap_pct == pytest.approx(1.5 * multiplier, abs=1e-3)


def test_hedge_is_not_concentration_but_a_pair_that_moves_apart_can_be() -> None:
    hedged = controller(AAA_BBB=0.9).concentration([Exposure(A, LONG), Exposure(B, SHORT)])
    assert not hedged.active
    assert hedged.cap_pct == 1.5
    apart = controller(AAA_BBB=-0.9).concentration([Exposure(A, LONG), Exposure(B, SHORT)])
    assert apart.active


def test_unknown_correlation_is_one_for_equal_signs_and_nothing_for_opposite_ones() -> None:
    book = controller()
    assert book.concentration([Exposure(A, LONG), Exposure(B, LONG)]).largest == 1.0
    assert not book.concentration([Exposure(A, LONG), Exposure(B, SHORT)]).active


def test_two_positions_on_one_instrument_are_one_bet() -> None:
    assert controller().concentration([Exposure(A, LONG), Exposure(A, LONG)]).largest == 1.0
    assert not controller().concentration([Exposure(A, LONG), Exposure(A, SHORT)]).active


def test_just_below_the_threshold_there_is_no_safe_mode() -> None:
    found = controller(AAA_BBB=0.6499).concentration([Exposure(A, LONG), Exposure(B, LONG)])
    assert not found.active
    assert found.largest == 0.6499
    assert found.multiplier == 1.0


@pytest.mark.parametrize(
    ("candidate", "allowed"),
    [
        (Exposure(A, LONG, 1.1, 10.0), True),
        (Exposure(A, LONG, 1.11, 10.0), False),
        (Exposure(A, LONG, 0.0, 10.0), False),
        (Exposure(A, LONG, 0.5, 151.0), False),
        (Exposure(A, LONG, math.nan, 10.0), False),
        (Exposure(A, LONG, 0.5, math.inf), False),
    ],
)
def test_allocation_limits_on_an_empty_book(candidate: Exposure, allowed: bool) -> None:
    assert controller().can_allocate(candidate) is allowed


def test_allocation_is_judged_with_the_candidate_in_the_book() -> None:
    book = controller(AAA_BBB=0.9)
    book.begin_cycle()
    book.register(Exposure(A, LONG, 0.5, 50.0))
    assert not book.can_allocate(Exposure(B, LONG, 0.3, 50.0))  # the cap is 0.75 with it
    assert book.can_allocate(Exposure(B, LONG, 0.25, 50.0))
    assert book.can_allocate(Exposure(B, SHORT, 0.9, 50.0))
    book.begin_cycle(0.7, 290.0, 0.0)
    assert not book.can_allocate(Exposure(A, LONG, 0.9, 1.0))
    assert not book.can_allocate(Exposure(A, LONG, 0.1, 11.0))


def test_block_refuses_any_candidate_while_safe_mode_is_on() -> None:
    settings = RiskSettings(safe_mode_action="block")
    correlations = CorrelationBook(settings)
    correlations.update(A, B, 0.7, 1)
    book = PortfolioController(settings, correlations)
    book.begin_cycle()
    book.register(Exposure(A, LONG, 0.1, 1.0))
    assert not book.can_allocate(Exposure(B, LONG, 0.1, 1.0))
    assert book.can_allocate(Exposure(C, SHORT, 0.1, 1.0))


Books = st.lists(
    st.builds(
        Exposure,
        st.sampled_from([A, B, C]),
        st.sampled_from([LONG, SHORT]),
        st.floats(0.0, 1.2),
        st.floats(0.0, 200.0),
    ),
    max_size=4,
)
Values = st.floats(-1.0, 1.0)


@given(Books, st.builds(Exposure, st.sampled_from([A, B, C]), st.sampled_from([LONG, SHORT]),
                        st.floats(0.0, 1.2), st.floats(0.0, 200.0)), Values, Values, Values)  # fmt: skip
@settings(deadline=None)
def test_what_can_be_allocated_keeps_every_limit(
    held: list[Exposure], candidate: Exposure, ab: float, ac: float, bc: float
) -> None:
    book, settings = controller(AAA_BBB=ab, AAA_CCC=ac, BBB_CCC=bc), RiskSettings()
    book.begin_cycle()
    for exposure in held:
        book.register(exposure)
    before = book.concentration(held)
    found = book.concentration([*held, candidate])
    assert settings.max_portfolio_r_pct * settings.safe_mode_min_multiplier <= found.cap_pct <= 1.5
    assert found.cap_pct <= before.cap_pct  # one more position never widens the cap
    if book.can_allocate(candidate):
        book.register(candidate)
        assert book.risk_pct <= found.cap_pct + 1e-9
        assert book.gross_pct <= settings.max_gross_exposure_pct + 1e-9
        assert abs(book.net_pct) <= settings.max_net_exposure_pct + 1e-9
