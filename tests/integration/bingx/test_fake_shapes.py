"""Payloads of the fake exchange have the fields and types of the captured ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.bingx.client import Client
from tests.fakes.bingx.scenario import scenario
from tests.fakes.bingx.server import FakeBingx
from tests.fakes.bingx.settings import Settings

ENDPOINTS = "jkorf/Endpoints/PerpetualFutures"
TOPICS = "jkorf/Subscriptions/PerpetualFutures"

# Captures whose field has another type than the reference (section 6.1, recorded later) says.
_TYPE_DIFFERS = {
    "data.book_ticker.bid_qty": "the sample holds a whole number",
    "data.book_ticker.ask_qty": "the sample holds a whole number",
}
# Fields of captures that the real venue is known not to send, or sends elsewhere.
_ABSENT = {
    "data.orders[].takeProfit.StopGuaranteed": "a misspelling of one page",
    "data.orders[].stopLoss.StopGuaranteed": "a misspelling of one page",
}


def capture(shared: Path, name: str) -> tuple[str, str, dict[str, Any]]:
    """Return method, path and answer of a captured call."""
    text = (shared / "fixtures" / "bingx" / ENDPOINTS / f"{name}.txt").read_text(encoding="utf-8-sig")
    method, path, _, body = text.split("\n", 3)
    return method.strip(), path.strip().removeprefix("/openApi"), json.loads(body)


def pushed(shared: Path, name: str) -> dict[str, Any]:
    """Return the captured push of a topic."""
    text = (shared / "fixtures" / "bingx" / TOPICS / f"{name}.txt").read_text(encoding="utf-8-sig")
    frame: dict[str, Any] = json.loads(text.split("\n=", 1)[1].strip().lstrip("=").strip())
    return frame


def differences(captured: Any, ours: Any, at: str = "") -> list[str]:
    """Return what a capture has that ours lacks or has with another type."""
    if at in _ABSENT or at in _TYPE_DIFFERS:
        return []
    if isinstance(captured, dict):
        if not isinstance(ours, dict):
            return [f"{at}: object, ours {type(ours).__name__}"]
        found: list[str] = []
        for name, value in captured.items():
            where = f"{at}.{name}".lstrip(".")
            if name in ours:
                found += differences(value, ours[name], where)
            elif where not in _ABSENT:
                found.append(f"{where}: missing")
        return found
    if isinstance(captured, list):
        if not isinstance(ours, list) or (captured and not ours):
            return [f"{at}: list with rows, ours {ours!r}"]
        return differences(captured[0], ours[0], f"{at}[]") if captured else []
    if captured is None or ours is None:
        return []
    same = isinstance(captured, bool) == isinstance(ours, bool) and (
        isinstance(captured, str) == isinstance(ours, str)
    )
    return [] if same else [f"{at}: {captured!r}, ours {ours!r}"]


READS: dict[str, dict[str, Any]] = {
    "Account/GetBalances": {},
    "Account/GetIncomes": {},
    "Account/GetLeverage": {"symbol": "BTC-USDT"},
    "Account/GetTradingFees": {},
    "Account/SetLeverage": {"symbol": "BTC-USDT", "side": "BOTH", "leverage": 8},
    "ExchangeData/GetBookTicker": {"symbol": "BTC-USDT"},
    "ExchangeData/GetFundingRate": {"symbol": "BTC-USDT"},
    "ExchangeData/GetKlines": {"symbol": "BTC-USDT", "interval": "1m", "limit": 3},
    "ExchangeData/GetMarkPriceKlines": {"symbol": "BTC-USDT", "interval": "1m", "limit": 3},
    "ExchangeData/GetOrderBook": {"symbol": "BTC-USDT", "limit": 5},
    "ExchangeData/GetTicker": {"symbol": "BTC-USDT"},
    "Trading/GetOpenOrders": {},
    "Trading/GetOrders": {},
    "Trading/CancelAllOrder": {},
    "Trading/PlaceTestOrder": {
        "symbol": "BTC-USDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "positionSide": "BOTH",
    },
    "Trading/CloseAllPositions": {},
}  # fmt: skip


@pytest.mark.parametrize("name", READS)
@scenario
async def test_answer_has_the_captured_fields_and_types(name: str, shared_dir: Path) -> None:
    method, path, captured = capture(shared_dir, name)
    async with FakeBingx(Settings(hedge=False)) as fake, Client(fake) as client:
        await client.order("BUY", "MARKET", "0.02")
        await client.order("BUY", "LIMIT", "0.01", price="60000", clientOrderID="shape-1")
        ours = await client.call(method, path, **READS[name])
        assert differences(captured, ours) == []


@scenario
async def test_batch_replace_amend_and_history_have_the_captured_fields(shared_dir: Path) -> None:
    async with FakeBingx(Settings(hedge=False)) as fake, Client(fake) as client:
        one = {"symbol": "BTC-USDT", "side": "BUY", "type": "LIMIT", "quantity": 0.01, "positionSide": "BOTH"}
        method, path, captured = capture(shared_dir, "Trading/PlaceMultipleOrder")
        batch = await client.call(method, path, batchOrders=json.dumps([{**one, "price": 50_000}] * 2))
        assert differences(captured, batch) == []
        first, second = (row["orderId"] for row in batch["data"]["orders"])

        method, path, captured = capture(shared_dir, "Trading/EditOrder")
        amended = await client.call(method, path, symbol="BTC-USDT", orderId=first, quantity="0.02")
        assert differences(captured, amended) == []

        method, path, captured = capture(shared_dir, "Trading/CancelReplaceOrder")
        captured["data"]["cancelResponse"].pop("cancelClientOrderId")  # of the request, not the order
        captured["data"]["cancelResponse"].pop("cancelOrderId")
        replaced = await client.call(
            method, path, cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=first, **{**one, "price": 51_000}
        )
        assert [d for d in differences(captured, replaced) if "newOrderResponse" not in d] == []
        assert replaced["data"]["newOrderResponse"]["orderId"] > first

        method, path, captured = capture(shared_dir, "Trading/CancelMultipleOrder")
        cancelled = await client.call(method, path, symbol="BTC-USDT", orderIdList=f"[{second}]")
        assert differences(captured, cancelled) == []

        await client.order("BUY", "MARKET", "0.02")
        await client.order("SELL", "MARKET", "0.02", reduceOnly="true")
        _, _, captured = capture(shared_dir, "Trading/GetPositionHistory")
        history = await client.data("GET", "/swap/v1/trade/positionHistory", symbol="BTC-USDT")
        assert differences(captured["data"], history["positionHistory"], "data") == []


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("BookPrice", "ETH-USDT@bookTicker"),
        ("Klines", "ETH-USDT@kline_1m"),
        ("PartialBook", "ETH-USDT@depth20@100ms"),
        ("Ticker", "ETH-USDT@ticker"),
    ],
)
@scenario
async def test_frame_has_the_captured_fields_and_types(name: str, topic: str, shared_dir: Path) -> None:
    async with FakeBingx() as fake, Client(fake) as client:
        socket = await client.socket()
        acknowledged = await socket.subscribe(topic)
        assert (acknowledged["code"], acknowledged["dataType"]) == (0, "")
        frame = await socket.next(lambda f: f.get("dataType") == topic)
        assert differences(pushed(shared_dir, name), frame) == []


@pytest.mark.parametrize("name", ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"])
@scenario
async def test_user_event_has_the_fields_of_the_sample_in_the_library(name: str, shared_dir: Path) -> None:
    blocks = shared_dir / "fixtures" / "bingx" / "ccxt_doc_samples" / "comment_blocks.txt"
    samples = [sample for sample in _json_blocks(blocks.read_text()) if sample.get("e") == name]
    assert samples
    async with FakeBingx(Settings(hedge=False, text_ids=True)) as fake, Client(fake) as client:
        socket = await client.socket(await client.listen_key())
        await client.order("BUY", "MARKET", "0.02")
        frame = await socket.next(lambda f: f.get("e") == name)
        for sample in samples:
            spot = {"C", "M", "V", "t", "w", "m", "Q", "Z", "Y", "O", "W", "u"}  # fields of spot orders
            found = [d for d in differences(sample, frame) if d.split(":")[0].split(".")[-1] not in spot]
            assert found == []


def _json_blocks(text: str) -> list[dict[str, Any]]:
    """Return every JSON object that stands in a text."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find("{", at)) >= 0:
        try:
            value, length = decoder.raw_decode(text[at:])
        except json.JSONDecodeError:
            at += 1
            continue
        found.append(value)
        at += length
    return found
