"""The venue's fee model: fee, priced slippage, and liquidations, from order and fill alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from nautilus_trader.model import LiquiditySide, OrderSide, OrderType, Price, Quantity

from adapters.simulated import DeskFeeModel, perpetual
from risk.liquidation import takeover
from tests.fakes.engine import NAME, RULES

INSTRUMENT = perpetual(RULES, "BTC")
SLIP = "slip_bps=10"
LONG_AT_100 = takeover(1, 100.0, 3.0, RULES.maintenance_margin).tag
SHORT_AT_100 = takeover(-1, 100.0, 3.0, RULES.maintenance_margin).tag


def charged(
    price: float,
    *tags: str,
    side: OrderSide = OrderSide.SELL,
    liquidity: LiquiditySide = LiquiditySide.TAKER,
    order_type: OrderType = OrderType.STOP_MARKET,
    charge: bool = True,
) -> float:
    """Return the commission of a fill of 2 coins."""
    order: Any = SimpleNamespace(
        tags=list(tags) or None, side=side, liquidity_side=liquidity, order_type=order_type
    )
    model = DeskFeeModel({NAME: RULES}, charge)
    return float(model.get_commission(order, Quantity(2.0, 4), Price(price, 2), INSTRUMENT).as_double())


def test_a_taker_pays_fee_and_the_slippage_of_its_tag() -> None:
    assert charged(100.0) == pytest.approx(0.1)
    assert charged(100.0, SLIP) == pytest.approx(0.1 + 0.2)


def test_a_maker_pays_its_fee_only() -> None:
    assert charged(100.0, SLIP, liquidity=LiquiditySide.MAKER) == pytest.approx(0.04)
    resting = {"liquidity": LiquiditySide.NO_LIQUIDITY_SIDE, "order_type": OrderType.LIMIT}
    assert charged(100.0, SLIP, **resting) == pytest.approx(0.04)


def test_an_exit_inside_the_liquidation_price_is_charged_like_any_other() -> None:
    assert charged(95.0, SLIP, LONG_AT_100) == charged(95.0, SLIP)
    assert charged(105.0, SLIP, SHORT_AT_100, side=OrderSide.BUY) == charged(105.0, SLIP, side=OrderSide.BUY)


@pytest.mark.parametrize(
    ("side", "tag", "price"),
    [(OrderSide.SELL, LONG_AT_100, 55.0), (OrderSide.BUY, SHORT_AT_100, 145.0)],
)
def test_beyond_the_bankruptcy_price_the_commission_gives_back_what_the_margin_does_not_cover(
    side: OrderSide, tag: str, price: float
) -> None:
    loss = 2 * 45.0 + charged(price, SLIP, tag, side=side)
    bankrupt = 200 / 3 if side == OrderSide.SELL else 400 / 3
    assert loss == pytest.approx(2 * 100.0 / 3 + 2 * bankrupt * 0.0005, abs=1e-8)


def test_short_of_the_bankruptcy_price_the_rest_of_the_margin_is_charged() -> None:
    commission = charged(66.9, SLIP, LONG_AT_100)
    assert commission == pytest.approx(2 * (66.9 - 200 / 3) + 2 * 200 / 3 * 0.0005, abs=1e-8)
    assert commission > 0


def test_without_costs_liquidation_is_settled_all_the_same() -> None:
    assert charged(100.0, SLIP, charge=False) == 0.0
    assert charged(55.0, SLIP, LONG_AT_100, charge=False) == pytest.approx(-2 * (200 / 3 - 55.0), abs=1e-8)
