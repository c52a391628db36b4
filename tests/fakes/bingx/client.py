"""A bare signed client, for tests of the exchange itself and for looking at it beside an adapter."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import urllib.parse
from typing import Any

import aiohttp

from tests.fakes.bingx import auth
from tests.fakes.bingx.server import FakeBingx


class Client:
    """Signed REST calls and sockets of one account; answers come as the venue gave them."""

    def __init__(self, fake: FakeBingx) -> None:
        self.fake = fake
        self.session = aiohttp.ClientSession()
        self.key = fake.settings.api_key
        self.secret = fake.settings.api_secret
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self._sockets:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(socket.close(), 0.5)
        await self.session.close()

    async def call(self, method: str, path: str, **params: Any) -> dict[str, Any]:
        """Call a path below /openApi and return the whole answer."""
        async with self.session.request(method, self._url(path, params), headers=self._headers()) as answer:
            parsed: dict[str, Any] = json.loads(await answer.text())
            return parsed

    async def data(self, method: str, path: str, **params: Any) -> Any:
        """Call and return `data` of an answer that must be a success."""
        answer = await self.call(method, path, **params)
        assert answer["code"] == 0, answer
        return answer["data"]

    async def code(self, method: str, path: str, **params: Any) -> int:
        """Call and return the venue's code."""
        return int((await self.call(method, path, **params))["code"])

    async def order(self, side: str, kind: str, quantity: str, **params: Any) -> dict[str, Any]:
        """Place an order of BTC-USDT, BOTH unless told otherwise, and return `data.order`."""
        asked = {
            "symbol": "BTC-USDT",
            "side": side,
            "type": kind,
            "quantity": quantity,
            "positionSide": "BOTH",
        }
        data = await self.data("POST", "/swap/v2/trade/order", **{**asked, **params})
        order: dict[str, Any] = data["order"]
        return order

    async def status(self, method: str, path: str, **params: Any) -> int:
        """Call a path without an envelope and return the HTTP status."""
        async with self.session.request(method, self._url(path, params), headers=self._headers()) as answer:
            return answer.status

    async def listen_key(self) -> str:
        """Return a new key of the user stream."""
        async with self.session.post(
            self._url("/user/auth/userDataStream", {}), headers=self._headers()
        ) as a:
            return str((await a.json())["listenKey"])

    async def socket(self, listen_key: str | None = None) -> Socket:
        """Open a market socket, or a user socket with a listen key."""
        query = f"?listenKey={listen_key}" if listen_key else ""
        socket = await self.session.ws_connect(self.fake.ws_url + query, autoping=False)
        self._sockets.append(socket)
        return Socket(socket)

    def _headers(self) -> dict[str, str]:
        return {"X-BX-APIKEY": self.key}

    def _url(self, path: str, params: dict[str, Any]) -> Any:
        from yarl import URL

        pairs = [(name, str(value)) for name, value in sorted(params.items())]
        pairs.append(("timestamp", str(self.fake.clock.now_ms())))
        query = "&".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in pairs)
        signature = auth.sign(self.secret, pairs)
        return URL(f"{self.fake.rest_url}/openApi{path}?{query}&signature={signature}", encoded=True)


class Socket:
    """A socket that answers pings and hands over decoded frames."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.pings = 0

    async def subscribe(self, topic: str, name: str = "1") -> dict[str, Any]:
        """Subscribe and return the acknowledgement."""
        await self.socket.send_json({"id": name, "reqType": "sub", "dataType": topic})
        return await self.next(lambda frame: "id" in frame)

    async def next(self, wanted: Any = lambda frame: True, timeout_s: float = 5.0) -> dict[str, Any]:
        """Return the next frame that is wanted."""
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self.socket.receive()
                assert message.type is aiohttp.WSMsgType.BINARY, message
                text = gzip.decompress(message.data).decode()
                if text == "Ping":
                    self.pings += 1
                    await self.socket.send_str("Pong")
                    continue
                frame: dict[str, Any] = json.loads(text)
                if wanted(frame):
                    return frame

    async def orders(self, count: int) -> list[dict[str, Any]]:
        """Return the `o` of the next order events."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            frame = await self.next(lambda f: f.get("e") in ("ORDER_TRADE_UPDATE", "TRADE_UPDATE"))
            found.append(frame["o"])
        return found
