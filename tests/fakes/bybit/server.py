"""REST and public stream of linear perpetuals in the shapes of Bybit's v5 interface, with faults.

Prices come from the market model of the fake BingX (`Venue`), whose account nobody uses here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.bingx.clock import VenueClock
from tests.fakes.bingx.contracts import Contract
from tests.fakes.bingx.minutes import HOUR_MS, MINUTE_MS
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Source, Waves
from tests.fakes.bingx.venue import MarketEvent, Venue

STEP_MS = 5_000
INTERVALS = {"1": "1m", "3": "3m", "5": "5m", "15": "15m", "60": "1h", "240": "4h", "D": "1d"}
KLINES_CAP = 1_000

Answer = Callable[[dict[str, str]], dict[str, Any]]


@dataclass(slots=True)
class Faults:
    """What goes wrong; a test sets it and takes it back."""

    answers: dict[str, Any] = field(default_factory=dict)  # path -> what is answered in place of the truth
    status: dict[str, int] = field(default_factory=dict)  # path -> HTTP status
    mute: bool = False  # the stream sends nothing, sockets stay open
    frame: str | None = None  # sent once in place of the next one


class FakeBybit:
    """A running exchange; `rest_url` and `ws_url` tell where it listens."""

    def __init__(self, settings: Settings, source: Source | None = None) -> None:
        self.settings = settings
        self.clock = VenueClock(settings.start_ms, settings.speed)
        self.venue = Venue(settings, source or Waves(), self.clock.now_ms())
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.connects = 0
        self._topics: dict[web.WebSocketResponse, set[str]] = {}
        self._runner: web.AppRunner | None = None
        self._pump: asyncio.Task[None] | None = None
        self._pushed_ms = 0
        self.port = 0

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        routes: dict[str, Answer] = {
            "time": self._time,
            "instruments-info": self._instruments,
            "kline": self._klines,
            "tickers": self._tickers,
            "funding/history": self._funding,
            "recent-trade": self._recent_trades,
        }
        for path, answer in routes.items():
            app.router.add_get(f"/v5/market/{path}", self._handler(path, answer))
        app.router.add_get("/v5/public/linear", self._stream)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = int(self._runner.addresses[0][1])
        self._pump = asyncio.create_task(self._live())

    async def stop(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        await self.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def drop(self) -> None:
        """Close every socket."""
        for socket in list(self._topics):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(socket.close(), 0.2)
        self._topics.clear()

    # time

    def catch_up(self) -> list[MarketEvent]:
        """Live up to the clock and return what was traded."""
        now, traded = self.clock.now_ms(), []
        while self.venue.time_ms < now:
            self.venue.advance_to(min(now, self.venue.time_ms + STEP_MS))
            traded += [event for event in self.venue.drain() if isinstance(event, MarketEvent)]
        return traded

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(self.settings.pump_s)
            frames = [self._trade_frame(event) for event in self.catch_up()]
            if self.venue.time_ms - self._pushed_ms >= self.settings.book_push_ms:
                self._pushed_ms = self.venue.time_ms
                frames += [self._book_frame(contract) for contract in self.venue.contracts]
            for topic, frame in frames:
                await self._send(topic, frame)

    # REST

    def _handler(self, path: str, answer: Answer) -> Any:
        async def handle(request: web.Request) -> web.Response:
            self.catch_up()
            self.calls[path] += 1
            if path in self.faults.status:
                return web.Response(status=self.faults.status[path], text="busy")
            if path in self.faults.answers:
                return web.json_response(self.faults.answers[path])
            result = answer(dict(request.query))
            now = self.clock.now_ms()
            return web.json_response({"retCode": 0, "retMsg": "OK", "result": result, "time": now})

        return handle

    def _contract(self, symbol: str) -> Contract:
        return self.venue.contracts.get(f"{symbol.removesuffix('USDT')}-USDT")

    def _time(self, query: dict[str, str]) -> dict[str, Any]:
        now = self.clock.now_ms()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * 10**6)}

    def _instruments(self, query: dict[str, str]) -> dict[str, Any]:
        listed = [] if query.get("status") == "PreLaunch" else list(self.venue.contracts)
        rows = [
            {
                "symbol": native(contract),
                "contractType": "LinearPerpetual",
                "status": "Trading",
                "baseCoin": contract.asset,
                "quoteCoin": "USDT",
                "launchTime": str(contract.launch_ms),
                "deliveryTime": "0",
                "deliveryFeeRate": "",
                "priceScale": str(contract.price_precision),
                "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
                "priceFilter": {
                    "minPrice": "0.10", "maxPrice": "1999999.8", "tickSize": f"{contract.tick:f}",
                },
                "lotSizeFilter": {
                    "maxOrderQty": "1190.000", "minOrderQty": f"{contract.min_quantity:f}",
                    "qtyStep": f"{contract.step:f}", "minNotionalValue": "5",
                },
                "unifiedMarginTrade": True,
                "fundingInterval": contract.funding_hours * 60,
                "settleCoin": "USDT",
            }
            for contract in listed
        ]  # fmt: skip
        return {"category": query.get("category"), "list": rows, "nextPageCursor": ""}

    def _klines(self, query: dict[str, str]) -> dict[str, Any]:
        contract = self._contract(query["symbol"])
        interval = INTERVALS[query["interval"]]
        limit = min(int(query.get("limit", "200")), KLINES_CAP)
        start = int(query["start"]) if "start" in query else None
        end = int(query["end"]) + 1 if "end" in query else None
        market = self.venue.markets[contract.symbol]
        bars = market.klines(interval, self.venue.time_ms, start, end, limit)
        rows = [
            [
                str(int(bars.time_ms[n])),
                *(
                    f"{column[n]:.{contract.price_precision}f}"
                    for column in (bars.open, bars.high, bars.low, bars.close)
                ),
                f"{bars.volume[n]:.{contract.quantity_precision}f}",
                f"{bars.volume[n] * bars.close[n]:.4f}",
            ]
            for n in reversed(range(len(bars)))
        ]
        return {"category": "linear", "symbol": query["symbol"], "list": rows}

    def _tickers(self, query: dict[str, str]) -> dict[str, Any]:
        wanted = query.get("symbol")
        rows = [self._ticker(c) for c in self.venue.contracts if wanted in (None, native(c))]
        return {"category": "linear", "list": rows}

    def _ticker(self, contract: Contract) -> dict[str, Any]:
        now, symbol = self.venue.time_ms, contract.symbol
        hours = contract.funding_hours * HOUR_MS
        following = now // hours * hours + hours
        last = contract.price_text(self.venue.markets[symbol].last)
        return {
            "symbol": native(contract), "lastPrice": last, "indexPrice": last,
            "markPrice": contract.price_text(self.venue.mark(symbol)),
            "fundingRate": f"{self.venue.source.funding(contract, following):f}",
            "nextFundingTime": str(following), "bid1Price": last, "bid1Size": "1", "ask1Price": last,
            "ask1Size": "1", "deliveryTime": "0",
        }  # fmt: skip

    def _funding(self, query: dict[str, str]) -> dict[str, Any]:
        contract = self._contract(query["symbol"])
        hours = contract.funding_hours * HOUR_MS
        first = -(-int(query["startTime"]) // hours) * hours
        last = min(int(query["endTime"]), self.venue.time_ms)
        stamps = list(range(first, last + 1, hours))[-int(query.get("limit", "200")) :]
        rows = [
            {
                "symbol": query["symbol"],
                "fundingRate": f"{self.venue.source.funding(contract, at):f}",
                "fundingRateTimestamp": str(at),
            }
            for at in reversed(stamps)
        ]
        return {"category": "linear", "list": rows}

    def _recent_trades(self, query: dict[str, str]) -> dict[str, Any]:
        market = self.venue.markets[self._contract(query["symbol"]).symbol]
        prints = list(market.prints)[: int(query.get("limit", "500"))]
        rows = [
            {
                "execId": str(p.id), "symbol": query["symbol"], "price": f"{p.price:f}",
                "size": f"{p.quantity:f}", "side": "Sell" if p.buyer_is_maker else "Buy",
                "time": str(p.time_ms), "isBlockTrade": False,
            }
            for p in prints
        ]  # fmt: skip
        return {"category": "linear", "list": rows}

    # stream

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connects += 1
        topics = self._topics[socket] = set()
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            if asked.get("op") == "subscribe":
                topics.update(asked["args"])
            answer = {"success": True, "ret_msg": asked.get("op"), "conn_id": "fake", **asked}
            if asked.get("op") == "ping":
                answer |= {"op": "pong", "ret_msg": "pong"}
            await socket.send_json(answer)
        self._topics.pop(socket, None)
        return socket

    async def _send(self, topic: str, frame: dict[str, Any]) -> None:
        if self.faults.mute:
            return
        for socket, topics in list(self._topics.items()):
            if topic in topics:
                text, self.faults.frame = self.faults.frame or json.dumps(frame), None
                with contextlib.suppress(ConnectionError):
                    await socket.send_str(text)

    def _trade_frame(self, event: MarketEvent) -> tuple[str, dict[str, Any]]:
        contract, made = self.venue.contracts.get(event.symbol), event.trade
        topic = f"publicTrade.{native(contract)}"
        row = {
            "T": made.time_ms, "s": native(contract), "S": "Sell" if made.buyer_is_maker else "Buy",
            "v": f"{made.quantity:f}", "p": f"{made.price:f}", "L": "PlusTick", "BT": False,
            "i": str(made.id),
        }  # fmt: skip
        return topic, {"topic": topic, "type": "snapshot", "ts": made.time_ms, "data": [row]}

    def _book_frame(self, contract: Contract) -> tuple[str, dict[str, Any]]:
        topic = f"orderbook.1.{native(contract)}"
        last = self.venue.markets[contract.symbol].last
        data = {
            "s": native(contract), "b": [[f"{last - contract.tick:f}", "3"]], "a": [[f"{last:f}", "2"]],
            "u": 1, "seq": 1,
        }  # fmt: skip
        return topic, {"topic": topic, "type": "snapshot", "ts": self.venue.time_ms, "data": data}


def native(contract: Contract) -> str:
    """Return the symbol as Bybit writes it."""
    return f"{contract.asset}USDT"


__all__ = ["MINUTE_MS", "FakeBybit", "Faults", "native"]
