"""Where an isolated position is taken over, and what that costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation import bankruptcy_price, takeover, takeover_of

SIDES = pytest.mark.parametrize("side", [1, -1])


@SIDES
def test_at_the_bankruptcy_price_exactly_the_isolated_margin_is_lost(side: int) -> None:
    assert (100.0 - bankruptcy_price(side, 100.0, 3.0)) * side == pytest.approx(100.0 / 3.0)


@SIDES
def test_the_liquidation_price_lies_between_entry_and_bankruptcy(side: int) -> None:
    at = takeover(side, 100.0, 3.0, 0.005)
    assert 100.0 * side > at.liquidation_price * side > at.bankruptcy_price * side


@pytest.mark.parametrize(
    ("side", "last_safe", "first_due"), [(1, 67.01, 67.0), (-1, 132.66, 132.67)]
)  # fmt: skip
def test_an_exit_before_the_liquidation_price_is_an_ordinary_one(
    side: int, last_safe: float, first_due: float
) -> None:
    at = takeover(side, 100.0, 3.0, 0.005)
    assert at.settle(last_safe, 1.0, 0.0005) is None
    assert at.settle(first_due, 1.0, 0.0005) is not None


def test_the_liquidation_price_itself_is_due() -> None:
    at = takeover(1, 100.0, 3.0, 0.005)
    assert at.due(at.liquidation_price)


@pytest.mark.parametrize(("side", "price"), [(1, 55.0), (1, 66.8), (1, 0.01), (-1, 145.0), (-1, 133.0)])
def test_the_loss_is_the_margin_wherever_the_market_trades(side: int, price: float) -> None:
    quantity, leverage = 2.5, 3.0
    taken = takeover(side, 100.0, leverage, 0.005).settle(price, quantity, 0.0005)
    assert taken is not None
    at_market = (price - 100.0) * side * quantity
    assert at_market + taken.borne_usd == pytest.approx(-100.0 * quantity / leverage, abs=1e-8)
    assert taken.fee_usd == pytest.approx(
        0.0005 * quantity * bankruptcy_price(side, 100.0, leverage), abs=1e-8
    )


def test_between_liquidation_and_bankruptcy_the_venue_keeps_what_the_margin_had_left() -> None:
    taken = takeover(1, 100.0, 3.0, 0.005).settle(66.9, 1.0, 0.0005)
    assert taken is not None
    assert taken.borne_usd == pytest.approx(66.6666667 - 66.9)


@given(
    st.sampled_from([1, -1]),
    st.floats(1e-6, 1e6),
    st.floats(1.0, 100.0, exclude_min=True),
    st.floats(0.0, 0.02),
)
def test_the_tag_reads_back_exactly(side: int, entry: float, leverage: float, maintenance: float) -> None:
    at = takeover(side, entry, leverage, maintenance)
    assert takeover_of(at.tag, side) == at


def test_a_tag_that_says_only_half_is_refused() -> None:
    with pytest.raises(ValueError, match="bankrupt_px"):
        takeover_of("liq_px=67.0", 1)
