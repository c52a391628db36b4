"""The rules of the fake exchange: what it fills, refuses, triggers, settles and liquidates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.fakes.bingx.book import BookShape
from tests.fakes.bingx.errors import VenueError
from tests.fakes.bingx.minutes import HOUR_MS, MINUTE_MS
from tests.fakes.bingx.orders import Order
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script, Waves
from tests.fakes.bingx.venue import UserEvent, Venue

START_MS = 1_767_225_600_000  # 2026-01-01
BTC = "BTC-USDT"
LAST = Decimal(64_880)


def venue(**choices: Any) -> Venue:
    """Return a one-way venue whose price moves only when a test trades."""
    choices = {"hedge": False, "book": BookShape(roughness=0.0)} | choices
    return Venue(Settings(**choices), Script(), START_MS)


def order(at: Venue, side: str, kind: str, quantity: str, **more: str) -> Order:
    asked = {"symbol": BTC, "side": side, "type": kind, "quantity": quantity, "positionSide": "BOTH"}
    return at.place({**asked, **more})


def executions(at: Venue) -> list[tuple[str, str, str]]:
    """Return (type, execution, status) of the order events since the last call."""
    events = [e.payload for e in at.drain() if isinstance(e, UserEvent)]
    return [(p["o"]["o"], p["o"]["x"], p["o"]["X"]) for p in events if "o" in p]


def refused(at: Venue, code: int, *args: str, **more: str) -> None:
    before = (at.account.balance, len(at.orders), len(at.fills))
    with pytest.raises(VenueError) as caught:
        order(at, *args, **more)
    assert caught.value.code == code, caught.value
    assert (at.account.balance, len(at.orders), len(at.fills)) == before


def test_market_order_walks_the_book_and_pays_the_taker_fee() -> None:
    at = venue()
    made = order(at, "BUY", "MARKET", "6")
    assert [(f.price, f.quantity) for f in made.fills] == [
        (Decimal("64880.1"), Decimal("2.5")),
        (Decimal("64880.2"), Decimal("2.5")),
        (Decimal("64880.3"), Decimal("1.0")),
    ]
    value = sum(f.price * f.quantity for f in made.fills)
    assert at.account.balance == Decimal(100_000) - value * Decimal("0.0005")
    assert executions(at) == [
        ("MARKET", "NEW", "NEW"),
        ("MARKET", "TRADE", "PARTIALLY_FILLED"),
        ("MARKET", "TRADE", "PARTIALLY_FILLED"),
        ("MARKET", "TRADE", "FILLED"),
    ]


def test_resting_limit_fills_as_maker_in_parts_of_the_traded_volume() -> None:
    at = venue()
    made = order(at, "BUY", "LIMIT", "0.5", price="64000")
    assert made.status == "PENDING"
    at.trade(BTC, "64000.1", "3")
    assert made.filled == 0
    at.trade(BTC, "64000", "0.2")
    at.trade(BTC, "63990", "9")
    assert [(f.price, f.quantity, f.maker) for f in made.fills] == [
        (Decimal(64_000), Decimal("0.2"), True),
        (Decimal(64_000), Decimal("0.3"), True),
    ]
    assert made.fee == Decimal("0.5") * 64_000 * Decimal("0.0002")


def test_crossing_limit_takes_up_to_its_price_and_rests_with_the_remainder() -> None:
    at = venue()
    made = order(at, "BUY", "LIMIT", "4", price="64880.1")
    assert (made.filled, made.status) == (Decimal("2.5"), "PARTIALLY_FILLED")


def test_ioc_drops_the_remainder_fok_takes_all_or_nothing_post_only_never_takes() -> None:
    at = venue()
    ioc = order(at, "BUY", "LIMIT", "4", price="64880.1", timeInForce="IOC")
    assert (ioc.filled, ioc.status) == (Decimal("2.5"), "CANCELLED")
    fok = order(at, "BUY", "LIMIT", "4", price="64880.1", timeInForce="FOK")
    assert (fok.filled, fok.status) == (Decimal(0), "CANCELLED")
    assert order(at, "BUY", "LIMIT", "2", price="64880.1", timeInForce="FOK").status == "FILLED"
    refused(at, 101215, "BUY", "LIMIT", "1", price="64880.1", timeInForce="PostOnly")
    assert order(at, "BUY", "LIMIT", "1", price="64880", timeInForce="PostOnly").status == "PENDING"


def test_too_precise_price_and_quantity_are_cut_without_a_word() -> None:
    made = order(venue(), "BUY", "LIMIT", "0.01239", price="64000.19")
    assert (made.quantity, made.price) == (Decimal("0.0123"), Decimal("64000.1"))


def test_client_id_is_lower_cased_unique_and_only_for_market_and_limit() -> None:
    at = venue()
    assert order(at, "BUY", "MARKET", "0.1", clientOrderID="Desk-1").client_id == "desk-1"
    refused(at, 101400, "BUY", "MARKET", "0.1", clientOrderID="DESK-1")
    refused(at, 109400, "BUY", "MARKET", "0.1", clientOrderID="x" * 41)
    stop = order(
        at, "SELL", "STOP_MARKET", "0.1", stopPrice="60000", reduceOnly="true", clientOrderID="desk-2"
    )
    assert stop.client_id == ""


def test_orders_out_of_bounds_are_refused_with_the_venues_codes() -> None:
    at = venue()
    refused(at, 101400, "BUY", "MARKET", "0.00009")
    refused(at, 109400, "BUY", "MARKET", "nan")
    refused(at, 101204, "BUY", "MARKET", "40")
    refused(at, 101209, "BUY", "MARKET", "400")
    refused(at, 109425, "BUY", "MARKET", "1", symbol="DOGE-USDT")
    refused(at, 109400, "BUY", "MARKET", "1", positionSide="LONG")
    refused(at, 101211, "BUY", "LIMIT", "0.1", price="99000")
    refused(at, 101290, "SELL", "MARKET", "0.1", reduceOnly="true")
    refused(at, 101205, "SELL", "STOP_MARKET", "0.1", stopPrice="60000", reduceOnly="true")
    at.halt(BTC, 25)
    refused(at, 101415, "BUY", "MARKET", "0.1")
    at.halt(BTC, 0)
    refused(at, 109418, "BUY", "MARKET", "0.1")


def test_minimum_notional_is_two_dollars() -> None:
    at = venue()
    at.trade(BTC, "15000", "1")
    refused(at, 110425, "BUY", "MARKET", "0.0001")


def test_reduce_only_is_clipped_to_the_position() -> None:
    at = venue()
    order(at, "BUY", "MARKET", "0.5")
    made = order(at, "SELL", "MARKET", "2", reduceOnly="true")
    assert (made.filled, at.account.open_positions()) == (Decimal("0.5"), [])


def test_one_way_order_goes_through_zero_into_the_other_side() -> None:
    at = venue()
    order(at, "BUY", "MARKET", "0.5")
    order(at, "SELL", "MARKET", "0.8")
    (held,) = at.account.open_positions()
    assert (held.amount, held.average, held.shown_side) == (Decimal("-0.3"), Decimal("64879.9"), "SHORT")


def test_hedge_account_holds_both_sides_and_refuses_reduce_only() -> None:
    at = venue(hedge=True)
    order(at, "BUY", "MARKET", "0.5", positionSide="LONG")
    order(at, "SELL", "MARKET", "0.3", positionSide="SHORT")
    assert [(p.side, p.amount) for p in at.account.open_positions()] == [
        ("LONG", Decimal("0.5")),
        ("SHORT", Decimal("-0.3")),
    ]
    refused(at, 109400, "SELL", "MARKET", "0.1", positionSide="LONG", reduceOnly="true")
    refused(at, 109400, "SELL", "MARKET", "0.1", positionSide="BOTH")
    refused(at, 110424, "SELL", "MARKET", "0.6", positionSide="LONG")
    order(at, "SELL", "MARKET", "0.5", positionSide="LONG")
    assert [p.side for p in at.account.open_positions()] == ["SHORT"]
    with pytest.raises(VenueError, match="109401"):
        at.set_mode(hedge=False)


def test_stop_fires_on_the_mark_and_becomes_a_market_order_with_a_new_id() -> None:
    at = venue()
    order(at, "BUY", "MARKET", "0.5")
    stop = order(at, "SELL", "STOP_MARKET", "0.5", stopPrice="64000", reduceOnly="true")
    at.drain()
    at.pin_mark(BTC, "64500")
    at.trade(BTC, "63900", "1")
    assert stop.status == "NEW"  # the last price is not what it looks at
    at.pin_mark(BTC, "64000")
    child = list(at.orders.values())[-1]
    assert (stop.status, child.type, child.trigger_order_id) == ("TRIGGERED", "MARKET", stop.id)
    assert child.id != stop.id
    assert child.average == Decimal("63899.9")
    assert at.account.open_positions() == []


@pytest.mark.parametrize("keeps_id", [False, True])
def test_silent_trigger_says_nothing_of_the_order(keeps_id: bool) -> None:
    at = venue(silent_triggers=True, triggered_keeps_id=keeps_id)
    order(at, "BUY", "MARKET", "0.5")
    order(at, "SELL", "STOP_MARKET", "0.5", stopPrice="64000", reduceOnly="true")
    at.drain()
    at.trade(BTC, "63900", "1")
    events = [e.payload["e"] for e in at.drain() if isinstance(e, UserEvent)]
    assert events == ["ACCOUNT_UPDATE"]
    assert at.account.open_positions() == []


def test_stops_may_close_the_position_once_and_vanish_with_it() -> None:
    at = venue()
    order(at, "BUY", "MARKET", "0.5")
    first = order(at, "SELL", "STOP_MARKET", "0.3", stopPrice="64000", reduceOnly="true")
    refused(at, 110424, "SELL", "STOP_MARKET", "0.3", stopPrice="64100", reduceOnly="true")
    refused(at, 110412, "SELL", "STOP_MARKET", "0.1", stopPrice="64990", reduceOnly="true")
    profit = order(at, "SELL", "TAKE_PROFIT_MARKET", "0.5", stopPrice="66000", reduceOnly="true")
    order(at, "SELL", "MARKET", "0.5", reduceOnly="true")
    assert (first.status, profit.status) == ("CANCELLED", "CANCELLED")


def test_take_profit_stop_limit_and_trigger_orders_fire_on_their_side() -> None:
    at = venue()
    order(at, "BUY", "MARKET", "0.5")
    profit = order(at, "SELL", "TAKE_PROFIT_MARKET", "0.2", stopPrice="65500", reduceOnly="true")
    limit = order(at, "SELL", "STOP", "0.2", stopPrice="64000", price="63950", reduceOnly="true")
    entry = order(at, "BUY", "TRIGGER_MARKET", "0.1", stopPrice="66000")
    at.trade(BTC, "65500", "1")
    assert (profit.status, limit.status, entry.status) == ("TRIGGERED", "NEW", "NEW")
    at.trade(BTC, "66000", "1")
    assert entry.status == "TRIGGERED"
    at.trade(BTC, "63990", "1")
    child = next(o for o in at.orders.values() if o.trigger_order_id == limit.id)
    assert (child.type, child.status, child.average) == ("LIMIT", "FILLED", Decimal("63989.9"))


def test_trailing_stop_follows_the_best_price_once_active() -> None:
    at = venue()
    order(at, "BUY", "MARKET", "0.5")
    made = order(
        at,
        "SELL",
        "TRAILING_STOP_MARKET",
        "0.5",
        priceRate="0.01",
        activationPrice="65500",
        reduceOnly="true",
    )
    at.trade(BTC, "64000", "1")
    assert made.status == "NEW"
    for price in ("65500", "66000", "65341"):
        at.trade(BTC, price, "1")
    assert made.status == "NEW"
    at.trade(BTC, "65339.9", "1")
    assert (made.status, at.account.open_positions()) == ("TRIGGERED", [])


def test_attached_stop_and_profit_are_placed_for_what_filled() -> None:
    at = venue()
    order(
        at,
        "BUY",
        "MARKET",
        "0.5",
        stopLoss='{"type":"STOP_MARKET","stopPrice":64000,"workingType":"MARK_PRICE"}',
        takeProfit='{"type":"TAKE_PROFIT_MARKET","stopPrice":66000}',
    )
    assert [(o.type, o.quantity, o.stop_price) for o in at.orders.values()][1:] == [
        ("STOP_MARKET", Decimal("0.5"), Decimal(64_000)),
        ("TAKE_PROFIT_MARKET", Decimal("0.5"), Decimal(66_000)),
    ]


def test_close_position_stop_takes_all_there_is_when_it_fires() -> None:
    at = venue()
    order(at, "BUY", "MARKET", "0.5")
    order(at, "SELL", "STOP_MARKET", "", stopPrice="64000", closePosition="true")
    order(at, "BUY", "MARKET", "0.2")
    at.trade(BTC, "63999", "1")
    assert at.account.open_positions() == []


def test_dead_man_switch_cancels_everything_unless_armed_again() -> None:
    at = venue()
    made = order(at, "BUY", "LIMIT", "0.1", price="60000")
    at.cancel_all_at_ms = START_MS + 10_000
    at.advance_to(START_MS + 9_999)
    assert made.is_open
    at.advance_to(START_MS + 10_000)
    assert made.status == "CANCELLED"


def test_same_order_can_be_cancelled_once_a_second() -> None:
    at = venue()
    made = order(at, "BUY", "LIMIT", "0.1", price="60000")
    at.cancel({"orderId": str(made.id)})
    with pytest.raises(VenueError, match="109201"):
        at.cancel({"orderId": str(made.id)})
    at.advance_to(START_MS + 1_000)
    with pytest.raises(VenueError, match="109421"):
        at.cancel({"orderId": str(made.id)})
    filled = order(at, "BUY", "MARKET", "0.1")
    with pytest.raises(VenueError, match="109422"):
        at.cancel({"orderId": str(filled.id)})


def test_amend_changes_the_quantity_of_a_resting_order() -> None:
    at = venue()
    made = order(at, "BUY", "LIMIT", "0.1", price="60000")
    at.amend({"orderId": str(made.id), "quantity": "0.25"})
    assert made.quantity == Decimal("0.25")


def test_funding_is_paid_by_longs_and_received_by_shorts() -> None:
    settles = START_MS + 8 * HOUR_MS
    at = Venue(Settings(hedge=True), Script(funding={(BTC, settles): 0.0002}), START_MS)
    order(at, "BUY", "MARKET", "0.5", positionSide="LONG")
    order(at, "SELL", "MARKET", "0.2", positionSide="SHORT")
    before = at.account.balance
    at.drain()
    at.advance_to(settles)
    assert at.account.balance - before == Decimal("-0.3") * at.mark(BTC) * Decimal("0.0002")
    events = [e.payload["a"] for e in at.drain() if isinstance(e, UserEvent)]
    assert [(e["m"], e["P"]) for e in events] == [("FUNDING_FEE", [])] * 2  # cross: the balance only


def test_isolated_position_is_liquidated_and_loses_its_margin_only() -> None:
    at = venue(leverage=20)
    at.account.set_margin_type(BTC, "ISOLATED")
    made = order(at, "BUY", "MARKET", "1")
    paid = at.account.balance
    margin = made.average / 20
    at.trade(BTC, "61000", "1")
    assert at.account.open_positions() == []
    assert list(at.orders.values())[-1].type == "LIQUIDATION"
    assert at.account.balance == paid - margin
    assert at.account.income[-1].kind == "INSURANCE_CLEAR"


def test_cross_account_is_liquidated_as_a_whole_and_never_below_zero() -> None:
    at = venue(balance=Decimal(10_000), leverage=50)
    order(at, "BUY", "MARKET", "2")
    waiting = order(at, "BUY", "LIMIT", "0.01", price="50000")
    at.trade(BTC, "62000", "1")
    assert at.account.open_positions()
    at.trade(BTC, "59000", "1")
    assert (at.account.open_positions(), waiting.status) == ([], "CANCELLED")
    assert at.account.balance == 0


def test_prints_of_a_minute_add_up_to_its_bar() -> None:
    start = START_MS + 17_000  # the exchange opens in the middle of a minute
    at = Venue(Settings(), Waves(3), start)
    at.advance_to(START_MS + 30 * MINUTE_MS)
    market = at.markets[BTC]
    lived = market.klines("1m", at.time_ms, START_MS, START_MS + 30 * MINUTE_MS, 100)
    source = Waves(3).minutes(market.contract, START_MS, START_MS + 30 * MINUTE_MS)
    for name in ("time_ms", "open", "high", "low", "close"):
        assert getattr(lived, name).tolist() == getattr(source, name).tolist(), name
    assert lived.volume.tolist() == pytest.approx(source.volume.tolist())


def test_same_seed_and_calls_give_the_same_venue() -> None:
    def life() -> tuple[Any, ...]:
        at = Venue(Settings(hedge=False), Waves(3), START_MS)
        for n in range(40):
            at.advance_to(START_MS + n * 20_000)
            order(at, "BUY" if n % 3 else "SELL", "MARKET", "0.3")
        return at.account.balance, [(f.trade_id, f.price) for f in at.fills]

    assert life() == life()


def test_balance_is_the_start_plus_every_row_of_income() -> None:
    at = Venue(Settings(hedge=False), Waves(3), START_MS)
    for n in range(60):
        at.advance_to(START_MS + n * 10 * MINUTE_MS)
        order(at, "BUY" if n % 2 else "SELL", "MARKET", f"0.{n % 7 + 1}")
    assert at.account.balance == Decimal(100_000) + sum(row.amount for row in at.account.income)
    assert {row.kind for row in at.account.income} == {"REALIZED_PNL", "TRADING_FEE", "FUNDING_FEE"}
