"""ccxt's unified structures become rows or a typed error, never a guess."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from adapters.ccxt_data import rows
from adapters.ccxt_data.config import CcxtSettings
from adapters.live.errors import MalformedAnswer, SafetyStop, VenueError
from adapters.live.rows import Contract

START_MS = 1_767_225_600_000
MARKET: dict[str, Any] = {
    "id": "BTCUSDT", "symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "settle": "USDT",
    "swap": True, "linear": True, "active": True, "contractSize": 1.0, "maker": 0.0002, "taker": 0.00055,
    "precision": {"price": 0.1, "amount": 0.001},
    "limits": {"amount": {"min": 0.001, "max": 100.0}, "cost": {"min": 5.0, "max": None}},
}  # fmt: skip
BAR = [START_MS, 64000.1, 64010.0, 63990.5, 64005.0, 12.345]
PREMIUM: dict[str, Any] = {
    "markPrice": 64000.5, "indexPrice": 64001.0, "fundingRate": 0.0001, "fundingTimestamp": START_MS,
    "interval": "8h",
}  # fmt: skip
TRADE: dict[str, Any] = {"id": "7", "timestamp": START_MS, "price": 64000.1, "amount": 0.5, "side": "buy"}
QUOTE: dict[str, Any] = {
    "timestamp": START_MS, "bid": 64000.0, "ask": 64000.1, "bidVolume": 1.0, "askVolume": 2.0,
}  # fmt: skip
WRONG = (None, "", "abc", float("nan"), math.inf, -1.0, 0, 1e30, [], {}, True)


def read_contract(market: Any) -> Contract:
    return rows.contract(market, "BYBIT", rows.TICK_SIZE)


def test_a_market_becomes_a_contract_under_our_name() -> None:
    found = read_contract(MARKET)
    assert (found.name, found.symbol) == ("BTCUSDT-PERP.BYBIT", "BTCUSDT-PERP")
    assert (found.tick, found.step, found.price_digits, found.size_digits) == (
        Decimal("0.1"), Decimal("0.001"), 1, 3,
    )  # fmt: skip
    assert (found.min_quantity, found.min_notional) == (Decimal("0.001"), Decimal("5.0"))
    digits = {**MARKET, "precision": {"price": 1, "amount": 3}}
    assert rows.contract(digits, "BYBIT", rows.DECIMAL_PLACES)[:-3] == found[:-3]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize(
    "path", ["base", "quote", "precision", "precision.price", "precision.amount", "limits", "taker", "maker"]
)
def test_a_market_with_a_wrong_field_is_refused(path: str, wrong: Any) -> None:
    market = copy.deepcopy(MARKET)
    *above, last = path.split(".")
    held = market
    for key in above:
        held = held[key]
    held[last] = wrong
    if path in {"maker", "taker"} and wrong == 0 and wrong is not True:
        assert read_contract(market)  # no fee is a fee
        return
    if path == "limits" and wrong == {}:
        wrong = None
    with pytest.raises(MalformedAnswer):
        read_contract(market)


def test_markets_that_cannot_be_traded_here_are_told_and_left_out() -> None:
    in_contracts = {**MARKET, "base": "ETH", "symbol": "ETH/USDT:USDT", "contractSize": 0.01}
    spot = {**MARKET, "swap": False, "spot": True, "symbol": "BTC/USDT"}
    inverse = {**MARKET, "linear": False, "settle": "BTC", "symbol": "BTC/USD:BTC"}
    markets = {m["symbol"]: m for m in (MARKET, in_contracts, spot, inverse)}
    good, broken, unified = rows.contracts(markets, "BYBIT", rows.TICK_SIZE)
    assert list(good) == ["BTCUSDT-PERP"]
    assert list(broken) == ["ETHUSDT-PERP"]
    assert "contractSize" in str(broken["ETHUSDT-PERP"])
    assert unified["BTCUSDT-PERP"] == "BTC/USDT:USDT"


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize("column", range(6))
def test_a_bar_with_a_wrong_number_is_refused(column: int, wrong: Any) -> None:
    bar = list(BAR)
    bar[column] = wrong
    if column == 5 and wrong == 0 and wrong is not True:
        assert rows.klines([bar], 1, START_MS, START_MS + 1)[0].volume == 0  # a minute without a trade
        return
    with pytest.raises(MalformedAnswer):
        rows.klines([bar], 1, START_MS, START_MS + 1)


@pytest.mark.parametrize(
    "answer",
    [
        None, {}, [None], [BAR[:5]], [{"open": 1}],
        [[START_MS, 1.0, 0.5, 0.4, 1.0, 1.0]],  # high below open
        [[START_MS + 1000, *BAR[1:]]],  # not the open of a minute
        [BAR, [*BAR[:5], 99.0]],  # two rows of one time
    ],
    ids=lambda a: re.sub(r"\W+", "-", repr(a))[:40],
)  # fmt: skip
def test_bars_that_contradict_themselves_are_refused(answer: Any) -> None:
    with pytest.raises(MalformedAnswer):
        rows.klines(answer, 1, START_MS, START_MS + 60_000)


def test_bars_come_in_time_order_and_inside_the_window() -> None:
    later = [START_MS + 60_000, *BAR[1:]]
    found = rows.klines([later, BAR, BAR], 1, START_MS, START_MS + 60_000)
    assert [bar.open_ms for bar in found] == [START_MS]
    assert found[0].high == Decimal("64010.0")


CASES: list[tuple[str, dict[str, Any], Callable[[Any], Any], tuple[str, ...]]] = [
    ("prices", PREMIUM, lambda p: rows.premium(p, "X"), ("markPrice", "fundingTimestamp")),
    ("print", TRADE, lambda p: rows.trades([p], "X"), ("timestamp", "price", "amount", "side")),
]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize(
    ("payload", "read", "key"), [(p, read, key) for _, p, read, keys in CASES for key in keys]
)
def test_prices_and_prints_with_a_wrong_field_are_refused(
    payload: dict[str, Any], read: Callable[[Any], Any], key: str, wrong: Any
) -> None:
    assert read(payload)
    with pytest.raises(MalformedAnswer):
        read({**payload, key: wrong})


def test_an_index_price_that_the_exchange_does_not_have_is_none() -> None:
    assert rows.premium({**PREMIUM, "indexPrice": None}, "X").index_price is None
    with pytest.raises(MalformedAnswer):
        rows.premium({**PREMIUM, "fundingRate": None}, "X")


def test_equal_prints_without_an_id_stay_apart() -> None:
    found = rows.trades([{**TRADE, "id": None}, {**TRADE, "id": None}], "X")
    assert len({row.trade_id for row in found}) == 2


def test_a_quote_needs_both_sides_the_right_way_round() -> None:
    found = rows.best(QUOTE, "X", 0)
    assert found is not None
    assert (found.bid, found.ask, found.ts_ms) == (Decimal("64000.0"), Decimal("64000.1"), START_MS)
    assert rows.best({**QUOTE, "bid": None}, "X", 0) is None
    for wrong in ({"bid": 64000.1}, {"ask": float("nan")}, {"bid": -1.0}, {"timestamp": "soon"}):
        with pytest.raises(MalformedAnswer):
            rows.best({**QUOTE, **wrong}, "X", 0)


def test_addresses_other_than_this_machine_s_are_refused() -> None:
    with pytest.raises(SafetyStop, match="may not come from"):
        CcxtSettings(exchange="bybit", rest="https://api.example.com")
    with pytest.raises(VenueError, match="no exchange of ccxt"):
        CcxtSettings(exchange="bingx")
