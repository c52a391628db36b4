"""The simulated venue's instruments and account, and the split of a commission into fee and slippage."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from nautilus_trader.model import (
    LiquiditySide,
    OmsType,
    OrderSide,
    OrderType,
    Price,
    Quantity,
    StrategyId,
    Venue,
)
from nautilus_trader.trading import StrategyConfig

from adapters.simulated import (
    ACCOUNT_LEVERAGE,
    USDT,
    DeskFeeModel,
    perpetual,
    tags_of,
    venue_arguments,
)
from risk.clock import DeskClock
from risk.vocabulary import Fill, InstrumentRules, Role
from strategies.order_desk import OrderDesk

NAME = "SOLUSDT-PERP.BINANCE"
RULES = InstrumentRules(NAME, 2, 1, 0.01, 0.1, 0.1, 2.0, 0.0002, 0.0005, maintenance_margin=0.01)


def test_the_engine_s_instrument_has_the_grid_and_the_minima_of_the_rules() -> None:
    made = perpetual(RULES, "SOL")
    assert str(made.id) == NAME
    assert (str(made.base_currency), str(made.quote_currency), str(made.settlement_currency)) == (
        "SOL", "USDT", "USDT",
    )  # fmt: skip
    assert not made.is_inverse
    assert (made.price_precision, made.size_precision) == (2, 1)
    assert (made.price_increment, made.size_increment) == (Price(0.01, 2), Quantity(0.1, 1))
    assert float(made.margin_maint) == RULES.maintenance_margin


def test_the_venue_nets_positions_on_one_usdt_account_with_leverage_as_a_backstop_only() -> None:
    model = DeskFeeModel({NAME: RULES}, True)
    made = venue_arguments(Venue("BINANCE"), 300.123456789, model)
    assert made["oms_type"] == OmsType.NETTING
    assert made["base_currency"] == USDT
    assert made["fee_model"] is model
    assert made["bar_adaptive_high_low_ordering"] is True
    assert [str(money) for money in made["starting_balances"]] == ["300.12345679 USDT"]
    assert made["default_leverage"] == ACCOUNT_LEVERAGE > 3  # the desk's own cap of 3 is the one that binds


@pytest.mark.parametrize(
    ("tags", "bps"),
    [(None, 0.0), ([], 0.0), (["slip_bps=2.5"], 2.5), (["other", "slip_bps=100"], 100.0), (["slip=3"], 0.0)],
)
def test_slippage_is_read_from_the_tag_of_the_order(tags: list[str] | None, bps: float) -> None:
    order: Any = SimpleNamespace(tags=tags, side=OrderSide.BUY)
    assert tags_of(order) == (bps, None)


def test_an_instrument_that_is_not_traded_here_costs_nothing() -> None:
    order: Any = SimpleNamespace(
        tags=None, side=OrderSide.BUY, liquidity_side=LiquiditySide.TAKER, order_type=None
    )
    model = DeskFeeModel({}, True)
    money = model.get_commission(order, Quantity(1.0, 1), Price(10.0, 2), perpetual(RULES, "SOL"))
    assert money.as_double() == 0.0


# --- the ledger splits what the venue charged -------------------------------------------------------------


class Desk(OrderDesk):
    """An order desk without an engine."""

    def publish_message(self, topic: str, message: Any) -> None:
        self.said = (topic, message)


def booked(quantity: float, price: float, slippage_bps: float, maker: bool) -> Fill:
    """Charge a fill by the venue's model and book it by the strategy's."""
    side = LiquiditySide.MAKER if maker else LiquiditySide.TAKER
    order: Any = SimpleNamespace(
        tags=[f"slip_bps={slippage_bps:.6g}"], side=OrderSide.BUY, liquidity_side=side,
        order_type=OrderType.LIMIT if maker else OrderType.MARKET,
    )  # fmt: skip
    model = DeskFeeModel({NAME: RULES}, True)
    size, at = Quantity(quantity, 1), Price(price, 2)
    event = SimpleNamespace(
        commission=model.get_commission(order, size, at, perpetual(RULES, "SOL")), last_qty=size, last_px=at,
        liquidity_side=side, ts_event=7,
    )  # fmt: skip
    desk = Desk(StrategyConfig(strategy_id=StrategyId("DESK-001")))
    clock = DeskClock()
    clock.now_ns = 5
    desk.setup_orders(
        "breakout_4h", run_id="run", rules={NAME: RULES}, clock=clock, slippage_bps_of=lambda *_: 0.0,
        virtual_asset="VST", leverage=3.0,
    )  # fmt: skip
    slot: Any = SimpleNamespace(
        signal=SimpleNamespace(instrument=NAME, trace_id="trace"), next_attempt=lambda role: 1
    )
    record = desk._record(slot, Role.ENTRY, 1, quantity, price, "market", "")
    fill = desk.publish_fill(record, event)
    assert desk.said == ("desk.fill.breakout_4h", fill)
    return fill


@pytest.mark.parametrize("quantity", [0.1, 1.0, 1234.5])
@pytest.mark.parametrize("price", [0.02, 23.17, 64_123.45])
@pytest.mark.parametrize("bps", [0.0, 1.234567, 100.0])
def test_fee_and_slippage_of_a_taker_add_up_to_what_was_charged(
    quantity: float, price: float, bps: float
) -> None:
    fill = booked(quantity, price, bps, maker=False)
    notional = quantity * price
    assert fill.fee == pytest.approx(notional * 0.0005, abs=1e-8)
    assert fill.slippage_usd == pytest.approx(notional * float(f"{bps:.6g}") / 10_000, abs=2e-8)
    assert (fill.ts_event, fill.ts_venue) == (5, 7)  # desk time first
    assert (fill.quantity, fill.price, fill.maker, fill.virtual_asset) == (quantity, price, False, "VST")


def test_a_maker_is_charged_no_slippage() -> None:
    fill = booked(10.0, 100.0, 50.0, maker=True)
    assert (fill.fee, fill.slippage_usd, fill.maker) == (pytest.approx(0.2), 0.0, True)
