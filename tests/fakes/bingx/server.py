"""The exchange on loopback: REST, WebSocket, a pump that lets time pass, and a control port."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from typing import Any

from aiohttp import web

from tests.fakes.bingx import auth, rest_account, rest_public, rest_trade
from tests.fakes.bingx.clock import VenueClock
from tests.fakes.bingx.control import Control
from tests.fakes.bingx.errors import VenueError
from tests.fakes.bingx.listen_keys import ListenKeys
from tests.fakes.bingx.rest_faults import RestFault, RestFaults, duplicated
from tests.fakes.bingx.routing import Bare, Route
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Source, Waves
from tests.fakes.bingx.stream import Stream
from tests.fakes.bingx.stream_faults import StreamFaults
from tests.fakes.bingx.venue import UserEvent, Venue

STEP_MS = 5_000  # the longest stretch of venue time between two flushes
ROUTES = (*rest_public.ROUTES, *rest_account.ROUTES, *rest_trade.ROUTES)
_EVENTS_AFTER_S = 0.03


class FakeBingx:
    """A running exchange.

    Use it as an async context manager; `rest_url`, `ws_url` and `control_url` tell where it listens.
    """

    def __init__(self, settings: Settings | None = None, source: Source | None = None) -> None:
        self.settings = settings or Settings()
        if self.settings.host == "live" and not self.settings.allow_live:
            raise ValueError(
                "a live exchange starts only with allow_live=True, in a test of what must not happen"
            )
        self.clock = VenueClock(self.settings.start_ms, self.settings.speed)
        self.venue = Venue(self.settings, source or Waves(), self.clock.now_ms())
        self.rest_faults = RestFaults()
        self.stream_faults = StreamFaults()
        self.keys = ListenKeys(self.settings.listen_key_ms, self.settings.same_listen_key)
        self.stream = Stream(self.venue, self.settings, self.keys, self.stream_faults)
        self.control = Control(self)
        self.calls: deque[tuple[str, str, dict[str, str]]] = deque(maxlen=20_000)
        self.call_counts: Counter[str] = Counter()
        self._recent: dict[str, deque[float]] = {}
        self._runners: list[web.AppRunner] = []
        self._pump_task: asyncio.Task[None] | None = None
        self._pushed_ms = 0
        self.port = self.control_port = 0

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/swap-market"

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self.control_port}/_ctl"

    async def __aenter__(self) -> FakeBingx:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0, control_port: int = 0) -> None:
        """Listen on 127.0.0.1 (0: a free port) and let time pass."""
        app = web.Application()
        for route in ROUTES:
            app.router.add_route(route.method, f"/openApi{route.path}", self._handler(route))
        for method in ("POST", "PUT", "DELETE"):
            app.router.add_route(method, "/openApi/user/auth/userDataStream", self._user_stream)
        app.router.add_get("/swap-market", self.stream.handle)
        app.router.add_route("*", "/{rest:.*}", self._unknown)
        control = web.Application()
        control.router.add_post("/_ctl", self._control)
        self.port = await self._listen(app, port)
        self.control_port = await self._listen(control, control_port)
        self._pump_task = asyncio.create_task(self._pump())

    async def _listen(self, app: web.Application, port: int) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        if self._pump_task is not None:
            self._pump_task.cancel()
        for connection in list(self.stream.connections):
            connection.reset()
        for runner in self._runners:
            await runner.cleanup()

    # time

    def catch_up(self) -> None:
        """Live up to the clock and send what happened."""
        now = self.clock.now_ms()
        while self.venue.time_ms < now:
            self.venue.advance_to(min(now, self.venue.time_ms + STEP_MS))
            self._flush()
            if self.venue.time_ms - self._pushed_ms >= self.settings.book_push_ms:
                self._pushed_ms = self.venue.time_ms
                self.stream.push_periodic()
                self.stream.expire_old_keys()

    def _flush(self) -> None:
        self.stream.flush(self.venue.drain())

    async def advance(self, seconds: float) -> None:
        """Move a clock that stands still, flushing on the way so that every bar is seen."""
        left = int(seconds * 1000)
        while left > 0:
            step = min(left, STEP_MS)
            self.clock.advance(step)
            self.catch_up()
            left -= step
            await asyncio.sleep(0)

    async def trade(self, symbol: str, price: float | str, quantity: float | str = "1") -> None:
        """Let the market trade now at a price."""
        self.catch_up()
        self.venue.trade(symbol, str(price), str(quantity))
        self._flush()
        await asyncio.sleep(0)

    async def _pump(self) -> None:
        configured = time.monotonic()
        while True:
            await asyncio.sleep(self.settings.pump_s)
            self.catch_up()
            self._flush()
            if time.monotonic() - configured >= self.settings.wall_s(self.settings.config_update_s):
                configured = time.monotonic()
                self.stream.push_config()

    # REST

    def _handler(self, route: Route) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, route)

        return handle

    async def _serve(self, request: web.Request, route: Route) -> web.StreamResponse:
        self.catch_up()
        pairs, signature = auth.parameters(request.rel_url.raw_query_string, await request.text())
        self.calls.append((request.method, route.path, dict(pairs)))
        self.call_counts[f"{request.method} {route.path}"] += 1
        fault = self.rest_faults.draw(request.method, route.path)
        if fault is not None and fault.kind in ("status", "code", "hang_before", "drop_before"):
            return await self._not_executed(request, fault)
        body = self._answer(request, route, pairs, signature)
        self._tell_user(route)
        if fault is not None:
            return await self._spoiled(request, fault, body)
        return self._response(body)

    def _answer(
        self, request: web.Request, route: Route, pairs: list[tuple[str, str]], signature: str | None
    ) -> dict[str, Any]:
        try:
            if route.signed:
                auth.check_key(request.headers.get("X-BX-APIKEY"), self.settings.api_key)
                now = self.clock.now_ms() + self.rest_faults.clock_skew_ms
                factor = self.settings.speed * self.settings.clock_window_ms / auth.MAX_WINDOW_MS
                auth.check(pairs, signature, self.settings.api_secret, now, factor)
            self._check_rate(route)
            params = dict(pairs)
            data = route.handler(self.venue, params)
        except VenueError as error:
            return {"code": error.code, "msg": error.message, "data": {}}
        if route.path.endswith("/server/time"):
            data = {"serverTime": self.clock.now_ms() + self.rest_faults.clock_skew_ms}
        if isinstance(data, Bare):
            return {"code": 0, "msg": "", **data.body}
        return {"code": 0, "msg": "", "data": data}

    def _check_rate(self, route: Route) -> None:
        if not self.settings.enforce_rate_limits or not route.signed:
            return
        now = time.monotonic()
        recent = self._recent.setdefault(f"{route.method} {route.path}", deque())
        while recent and now - recent[0] > 1.0:
            recent.popleft()
        if len(recent) >= route.a_second:
            raise VenueError(100410, "rate limitation")
        recent.append(now)

    def _tell_user(self, route: Route) -> None:
        """Send the user events of a call before its answer, after it, or never."""
        when = self.settings.events if route.places_orders else "before"
        if when == "before":
            self._flush()
            return
        events = self.venue.drain()
        self.stream.flush(e for e in events if not isinstance(e, UserEvent))
        if when == "after":
            user = [e for e in events if isinstance(e, UserEvent)]
            asyncio.get_running_loop().call_later(_EVENTS_AFTER_S, self.stream.flush, user)

    async def _not_executed(self, request: web.Request, fault: RestFault) -> web.StreamResponse:
        if fault.kind == "code":
            return self._response({"code": fault.status, "msg": str(fault.body), "data": {}})
        if fault.kind == "status":
            text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
            if 300 <= fault.status < 400:  # the body says where to
                return web.Response(status=fault.status, headers={"Location": text})
            kind = "text/html" if text.startswith("<") else "application/json"
            return web.Response(status=fault.status, text=text, content_type=kind)
        if fault.kind == "hang_before":
            await asyncio.sleep(fault.seconds)
        return _dropped(request)

    async def _spoiled(
        self, request: web.Request, fault: RestFault, body: dict[str, Any]
    ) -> web.StreamResponse:
        match fault.kind:
            case "drop_after":
                return _dropped(request)
            case "hang":
                await asyncio.sleep(fault.seconds)
            case "truncate":
                text = json.dumps(body)
                return web.Response(text=text[: len(text) // 2], content_type="application/json")
            case "wrong_type":
                body = {**body, "data": fault.body}
            case "duplicate_row":
                body = duplicated(body)
            case _:
                pass
        return self._response(body)

    def _response(self, body: dict[str, Any]) -> web.Response:
        headers = {
            "X-RateLimit-Requests-Remain": "4",
            "X-RateLimit-Requests-Expire": str(self.clock.now_ms() + 1000),
        }
        return web.json_response(body, headers=headers)

    async def _unknown(self, request: web.Request) -> web.Response:
        self.call_counts[f"unknown {request.method} {request.path}"] += 1
        return self._response({"code": 100400, "msg": "this api is not exist", "data": {}})

    async def _user_stream(self, request: web.Request) -> web.StreamResponse:
        """Create, extend and end listen keys: no envelope, and a key but no signature."""
        self.catch_up()
        name = f"{request.method} /user/auth/userDataStream"
        self.call_counts[name] += 1
        self.calls.append((request.method, "/user/auth/userDataStream", dict(request.query)))
        fault = self.rest_faults.draw(request.method, "/user/auth/userDataStream")
        if fault is not None and fault.kind in ("status", "code", "hang_before", "drop_before"):
            return await self._not_executed(request, fault)
        if request.headers.get("X-BX-APIKEY") != self.settings.api_key:
            return self._response({"code": 100413, "msg": "Incorrect apiKey", "data": {}})
        now = self.clock.now_ms()
        if request.method == "POST":
            body = {"listenKey": self.keys.create(now)}
            return await self._spoiled(request, fault, body) if fault else web.json_response(body)
        key = request.query.get("listenKey", "")
        if not key:
            return web.Response(status=204)
        done = self.keys.extend(key, now) if request.method == "PUT" else self.keys.end(key)
        return web.Response(status=200 if done else 404)

    async def _control(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(await self.control.apply(await request.json()))
        except (ValueError, TypeError, KeyError, VenueError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
