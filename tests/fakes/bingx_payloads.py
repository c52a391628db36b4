"""Captured payloads of BingX and the engine objects that each must become."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from nautilus_trader.model import AccountId

from adapters.bingx import account_rows, market_rows, order_rows, user_events
from adapters.bingx.reports import fill_report, order_report, position_report
from adapters.live import engine_rows
from adapters.live.bar_types import BarType
from adapters.live.rows import Contract

NOW_NS = 1_800_000_000_000_000_000
ACCOUNT = AccountId("BINGX-VST-001")
ENDPOINTS = "fixtures/bingx/jkorf/Endpoints/PerpetualFutures"
TOPICS = "fixtures/bingx/jkorf/Subscriptions/PerpetualFutures"
COMMENTS = "fixtures/bingx/ccxt_doc_samples/comment_blocks.txt"


def contract(symbol: str, price_digits: int, size_digits: int) -> Contract:
    base = symbol.split("-", maxsplit=1)[0]
    return Contract(
        symbol, base, "USDT", price_digits, size_digits, Decimal("0.0001"), Decimal(2),
        Decimal("0.0002"), Decimal("0.0005"), 1, True, True, f"{symbol}.BINGX",
        Decimal(1).scaleb(-price_digits), Decimal(1).scaleb(-size_digits),
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A payload, how it becomes objects, and which of its fields the venue may leave out."""

    name: str
    payload: Any
    read: Callable[[Any], Any]
    optional: frozenset[str] = frozenset()


def shown(value: Any) -> Any:
    """Return something comparable of engine objects (reports carry random ids of their own)."""
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if hasattr(value, "to_dict"):
        found = dict(value.to_dict())
        found.pop("report_id", None)
        return found
    return value


def _answer(shared: Path, name: str) -> Any:
    text = (shared / ENDPOINTS / f"{name}.txt").read_text(encoding="utf-8-sig")
    return json.loads(text.split("\n", 3)[3])["data"]


def _frame(shared: Path, name: str) -> Any:
    text = (shared / TOPICS / f"{name}.txt").read_text(encoding="utf-8-sig")
    return json.loads(text.split("\n=", 1)[1].strip().lstrip("=").strip())


def _comment(shared: Path, marker: str) -> Any:
    """Return the JSON of a comment block that holds a marker."""
    text = (shared / COMMENTS).read_text(encoding="utf-8")
    at = text.index(marker)
    begin = text.rindex("{", 0, at)
    return json.JSONDecoder().raw_decode(text[begin:].replace("...", "").replace("},\n        ]", "}]"))[0]


def _bars(symbol: str, digits: int, data: Any, *, minutes: int, key: str = "time") -> Any:
    bar_type = BarType.from_str(f"{symbol}.BINGX-1-MINUTE-LAST-EXTERNAL")
    rows = market_rows.klines(data, minutes=minutes, time_key=key)
    return [engine_rows.bar(row, bar_type, contract(symbol, digits, 2), minutes, NOW_NS) for row in rows]


def _orders(rows: list[Any], digits: int, size_digits: int) -> Any:
    return [
        order_report(row, contract(row.symbol, digits, size_digits), ACCOUNT, row.client_id, NOW_NS)
        for row in rows
    ]


ORDER_OPTIONAL = frozenset(
    {"clientOrderId", "clientOrderID", "reduceOnly", "postOnly", "triggerOrderId", "avgPrice", "stopPrice"}
)


def captured(shared: Path) -> list[Case]:
    """Return the captured payloads about swap data, account and orders that the adapter reads."""
    eth = contract("ETH-USDT", 2, 2)
    btc = contract("BTC-USDT", 1, 4)
    return [
        Case(
            "klines", _answer(shared, "ExchangeData/GetKlines"), lambda d: _bars("SFP-USDT", 4, d, minutes=1)
        ),
        Case(
            "mark klines",
            _answer(shared, "ExchangeData/GetMarkPriceKlines"),
            lambda d: _bars("SFP-USDT", 4, d, minutes=1, key="openTime"),
        ),
        Case(
            "depth",
            _answer(shared, "ExchangeData/GetOrderBook"),
            lambda d: engine_rows.depth(
                market_rows.book(d, "PEPE-USDT"), contract("PEPE-USDT", 9, 0), 1, NOW_NS
            ),
        ),
        Case(
            "premium index",
            _answer(shared, "ExchangeData/GetFundingRate"),
            lambda d: [
                (
                    engine_rows.mark_price(row.mark_price, btc, 1_700_000_000_000, NOW_NS),
                    engine_rows.index_price(row.index_price, btc, 1_700_000_000_000, NOW_NS),
                    str(engine_rows.forming_funding(row, btc, 1_700_000_000_000, NOW_NS)),
                )
                for row in market_rows.premiums(d).values()
            ],
        ),
        Case("balance", _answer(shared, "Account/GetBalances"), account_rows.balances),
        Case("leverage", _answer(shared, "Account/GetLeverage"), account_rows.leverages),
        Case("set leverage", _answer(shared, "Account/SetLeverage"), account_rows.leverage_set),
        Case("fees of the account", _answer(shared, "Account/GetTradingFees"), account_rows.commission_rates),
        Case(
            "open orders",
            _answer(shared, "Trading/GetOpenOrders"),
            lambda d: _orders(order_rows.orders(d), 1, 4),
            ORDER_OPTIONAL,
        ),
        Case(
            "all orders",
            _answer(shared, "Trading/GetOrders"),
            lambda d: _orders(order_rows.orders(d), 4, 0),
            ORDER_OPTIONAL,
        ),
        Case(
            "placed order",
            _answer(shared, "Trading/PlaceTestOrder"),
            order_rows.placed,
            frozenset({"clientOrderID"}),
        ),
        Case(
            "replaced order",
            _answer(shared, "Trading/CancelReplaceOrder"),
            order_rows.replaced,
            frozenset({"clientOrderId", "cancelMsg", "replaceMsg"}),
        ),
        Case(
            "cancel all",
            _answer(shared, "Trading/CancelAllOrder"),
            order_rows.cancelled,
            frozenset({"failed"}),
        ),
        Case(
            "cancel several",
            _answer(shared, "Trading/CancelMultipleOrder"),
            order_rows.cancelled,
            frozenset({"failed"}),
        ),
        Case(
            "kline frame",
            _frame(shared, "Klines"),
            lambda f: [
                engine_rows.bar(
                    row, BarType.from_str("ETH-USDT.BINGX-1-MINUTE-LAST-EXTERNAL"), eth, 1, NOW_NS
                )
                for row in market_rows.kline_frame(f.get("data"))
            ],
        ),
        Case(
            "depth frame",
            _frame(shared, "PartialBook"),
            lambda f: _quote(market_rows.best_frame(f, "ETH-USDT"), eth),
        ),
        Case(
            "trade frame",
            {"dataType": "BTC-USDT@trade", "data": [_comment(shared, '"q": "0.0421"')]},
            lambda f: [
                engine_rows.trade(row, btc, NOW_NS)
                for row in market_rows.trade_frame(f.get("data"), "BTC-USDT")
            ],
        ),
        Case(
            "order event",
            _order_update(shared),
            user_events.order_event,
            frozenset({"c", "N", "ap", "T", "td", "ti", "l", "L", "ro", "m", "sp", "p", "E"}),
        ),
    ]


def _quote(row: Any, contract: Contract) -> Any:
    return None if row is None else engine_rows.quote(row, contract, NOW_NS)


def _order_update(shared: Path) -> Any:
    text = (shared / COMMENTS).read_text(encoding="utf-8")
    at = text.index('"e": "ORDER_TRADE_UPDATE"')
    begin = text.rindex("{", 0, at)
    return json.JSONDecoder().raw_decode(text[begin:])[0]


def recorded(venue: Any) -> list[Case]:
    """Return payloads of the fake exchange (shaped like recorded ones) that no capture has."""
    btc = contract("BTC-USDT", 1, 4)
    orders, fills, positions, contracts = venue
    return [
        Case(
            "stop orders", {"orders": orders}, lambda d: _orders(order_rows.orders(d), 1, 4), ORDER_OPTIONAL
        ),
        Case(
            "fill history",
            {"fill_history_orders": fills},
            lambda d: [fill_report(row, btc, ACCOUNT, "", {}, NOW_NS) for row in order_rows.fills(d)],
        ),
        Case(
            "positions",
            positions,
            lambda d: [position_report(row, btc, ACCOUNT, NOW_NS) for row in account_rows.positions(d)],
            frozenset({"onlyOnePosition", "updateTime"}),
        ),
        Case("contracts", contracts, lambda d: [engine_rows.instrument(c, NOW_NS) for c in _strict(d)]),
    ]


def _strict(data: Any) -> list[Contract]:
    found, broken = market_rows.contracts(data)
    for error in broken.values():
        raise error
    return list(found.values())
