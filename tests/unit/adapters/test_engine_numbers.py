"""Numbers of a venue reach the engine exactly, whichever way they take."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from nautilus_trader.model import Price, Quantity

from adapters.live import engine_rows
from adapters.live.errors import MalformedAnswer
from adapters.live.rows import MAX_PRECISION, Contract
from tests.fakes.bingx.contracts import BTC


def _contract(digits: int) -> Contract:
    from adapters.bingx.market_rows import contract

    return contract(BTC.row())._replace(price_digits=digits, size_digits=digits)


@pytest.mark.parametrize("digits", range(MAX_PRECISION + 1))
def test_a_number_on_the_grid_is_the_one_that_its_text_says(digits: int) -> None:
    rng, contract = random.Random(digits), _contract(digits)
    longest = 10 ** min(18, digits + 9)  # the engine's largest price is some billions
    numbers = [rng.randrange(10 ** rng.randint(1, len(str(longest)) - 1)) for _ in range(300)]
    edge = 10**15  # beyond it a float would be off
    numbers += [n for n in (edge - 1, edge, edge + 1, 9_007_199_254_740_993) if n < longest]
    for number in numbers:
        value = Decimal(number).scaleb(-digits)
        text = f"{value:f}"
        assert engine_rows.price(value, contract) == Price.from_str(text)
        assert engine_rows.price(value, contract).precision == digits
        assert engine_rows.quantity(value, contract) == Quantity.from_str(text)


@pytest.mark.parametrize("written", ["64000", "64000.10", "6.40001E4"])
def test_a_number_that_is_written_otherwise_has_the_precision_of_the_contract(written: str) -> None:
    found = engine_rows.price(Decimal(written), _contract(1))
    assert (str(found), found.precision) == (f"{Decimal(written):.1f}", 1)


def test_a_number_off_the_grid_is_refused_and_the_venues_own_float_is_not() -> None:
    with pytest.raises(MalformedAnswer, match="not on the contract's grid"):
        engine_rows.price(Decimal("64000.15"), _contract(1))
    assert str(engine_rows.price(Decimal("64000.09999999999"), _contract(1))) == "64000.1"
