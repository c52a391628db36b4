"""The HTTP server: page, graph, metrics and answers of one desk, on a thread of its own.

Guarantees: bound to loopback unless told otherwise, and then only with a token; nothing here writes: any
method but GET and HEAD is refused; only the files of the page are served, by name; a flood of requests is
slowed down and cut off before it can take the interpreter from the desk.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import ipaddress
import json
import threading
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files

from aiohttp import web

from dashboards.exposition import CONTENT_TYPE
from dashboards.source import BoardSource, DecisionQuery

MAX_CONNECTIONS = 48
REQUESTS_PER_SECOND = 60
MAX_WAITING = 64
SLOW_CLIENT_S = 10.0
MAX_DECISIONS = 500
MIN_TOKEN = 16
START_TIMEOUT_S = 10.0

PAGE_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/graph.js": ("graph.js", "text/javascript"),
    "/charts.js": ("charts.js", "text/javascript"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
}

_DECISION_PARAMETERS = f"limit 1..{MAX_DECISIONS}, before in ns, one of strategy, instrument, reason"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ServerError(RuntimeError):
    """The server cannot start; `found`, `expected` and `remedy` say more."""

    def __init__(self, message: str, found: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message, self.found, self.expected, self.remedy = message, found, expected, remedy


class DashboardServer:
    """Serves one source; `start` returns when the port is bound.

    Parameters
    ----------
    source : BoardSource
        What is shown.
    host : str
        Address to bind; one that is not loopback needs a token.
    port : int
        Wanted port; where it is taken, a free one is chosen (0 always chooses).
    token : str
        Required of every request as `Authorization: Bearer TOKEN` or once as `?token=TOKEN`.
    """

    def __init__(
        self, source: BoardSource, host: str = "127.0.0.1", port: int = 9108, token: str = ""
    ) -> None:
        if not _is_loopback(host) and len(token) < MIN_TOKEN:
            raise ServerError(
                f"the server is not bound to {host} without a token",
                found="no token" if not token else f"a token of {len(token)} characters",
                expected=f"a token of at least {MIN_TOKEN} characters wherever others can connect",
                remedy="set CRUPTO_DASHBOARD_TOKEN, or leave the address at 127.0.0.1",
            )
        self.source, self.host, self.wanted_port, self._token = source, host, port, token
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="dashboard", daemon=True)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._stopping: asyncio.Event | None = None
        self._bucket = _Bucket(REQUESTS_PER_SECOND)
        self._waiting = 0

    @property
    def url(self) -> str:
        """Address of the page, without the token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def start(self) -> None:
        """Bind and serve.

        Raises
        ------
        ServerError
            The address cannot be bound.
        """
        self._thread.start()
        self._started.wait(START_TIMEOUT_S)
        if self._failure is not None or not self.port:
            raise ServerError(
                f"the dashboard cannot be served on {self.host}",
                found=str(self._failure or f"no answer within {START_TIMEOUT_S:g} s"),
                expected="an address of this machine",
                remedy="choose another with --bind, or PROMETHEUS_PORT=0 for no server",
            ) from self._failure

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(START_TIMEOUT_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - reaches the starting thread
            self._failure = error
        finally:
            self._started.set()
            self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            handle_signals=False,
            keepalive_timeout=30.0,
            max_line_size=4096,
            max_field_size=4096,
            shutdown_timeout=0.5,
        )
        await runner.setup()
        try:
            await self._bind(runner)
            self._started.set()
            watch = asyncio.create_task(self._cut_off(runner))
            await self._stopping.wait()
            watch.cancel()
        finally:
            await runner.cleanup()

    async def _bind(self, runner: web.AppRunner) -> None:
        """Bind the wanted port, or a free one where it is taken."""
        for port in dict.fromkeys((self.wanted_port, 0)):
            site = web.TCPSite(runner, self.host, port, backlog=MAX_CONNECTIONS, reuse_port=False)
            try:
                await site.start()
            except OSError as error:
                if error.errno not in {errno.EADDRINUSE, errno.EACCES} or port == 0:
                    raise
                continue
            self.port = int(runner.addresses[-1][1])
            return

    async def _cut_off(self, runner: web.AppRunner) -> None:
        """Close the oldest connections beyond the bound."""
        while True:
            await asyncio.sleep(0.2)
            server = runner.server
            connections = list(server.connections) if server is not None else []
            for connection in connections[: max(0, len(connections) - MAX_CONNECTIONS)]:
                connection.force_close()
                if connection.transport is not None:
                    connection.transport.abort()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=1024, middlewares=[self._guard])
        for path in PAGE_FILES:
            app.router.add_get(path, self._file)
        for path, handler in (
            ("/metrics", self._metrics),
            ("/graph", self._graph),
            ("/api/run", self._api_run),
            ("/api/decisions", self._api_decisions),
            ("/healthz", self._healthz),
            ("/readyz", self._readyz),
        ):
            app.router.add_get(path, handler)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not await self._admit():
            return _problem(429, "too many requests", "ask less often")
        if request.method not in {"GET", "HEAD"}:
            return _problem(405, f"{request.method} is refused", "this server only reads; use GET")
        if not self._authorised(request):
            return _problem(401, "a token is needed", "Authorization: Bearer TOKEN")
        if _foreign_host(request, self.host):
            return _problem(403, "the Host header names another machine", "open the address as printed")
        try:
            response = await asyncio.wait_for(handler(request), SLOW_CLIENT_S)
        except web.HTTPException as error:
            return _problem(error.status, error.reason, "GET / is the page")
        except TimeoutError:
            return _problem(503, "no answer in time", "try again")
        except Exception as error:  # noqa: BLE001 - one broken answer must not end the server
            return _problem(500, f"{type(error).__name__}: {error}", "this is a defect of the dashboard")
        response.headers.update(_HEADERS)
        if self._token and request.query.get("token"):
            response.set_cookie("crupto_token", self._token, httponly=True, samesite="Strict")
        return response

    async def _admit(self) -> bool:
        """Slow a flood down; refuse when too many wait already."""
        delay = self._bucket.delay()
        if delay <= 0.0:
            return True
        if self._waiting >= MAX_WAITING:
            await asyncio.sleep(1.0)
            return False
        self._waiting += 1
        try:
            await asyncio.sleep(delay)
        finally:
            self._waiting -= 1
        return True

    def _authorised(self, request: web.Request) -> bool:
        if not self._token:
            return True
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        given = given or request.query.get("token", "") or request.cookies.get("crupto_token", "")
        return hmac.compare_digest(given.encode(), self._token.encode())

    async def _file(self, request: web.Request) -> web.Response:
        name, kind = PAGE_FILES[request.path]
        data = files("dashboards").joinpath("page", name).read_bytes()
        return web.Response(body=data, content_type=kind, charset="utf-8")

    async def _metrics(self, _: web.Request) -> web.Response:
        text = await asyncio.to_thread(self.source.metrics)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    async def _graph(self, _: web.Request) -> web.Response:
        return _json(self.source.graph())

    async def _api_run(self, _: web.Request) -> web.Response:
        return _json(self.source.run())

    async def _api_decisions(self, request: web.Request) -> web.Response:
        query = _decision_query(request)
        if isinstance(query, str):
            return _problem(400, query, _DECISION_PARAMETERS)
        return _json(await asyncio.to_thread(self.source.decisions, query))

    async def _healthz(self, _: web.Request) -> web.Response:
        health = self.source.health()
        return _json({"alive": health.alive, "reason": health.reason}, 200 if health.alive else 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        health = self.source.health()
        return _json({"ready": health.ready, "reason": health.reason}, 200 if health.ready else 503)


class _Bucket:
    """Allows so many requests a second on average; says how long one beyond that waits."""

    def __init__(self, rate: float) -> None:
        self._rate, self._level, self._at = rate, 0.0, time.monotonic()

    def delay(self) -> float:
        now = time.monotonic()
        self._level = max(0.0, self._level - (now - self._at) * self._rate) + 1.0
        self._at = now
        return max(0.0, (self._level - self._rate) / self._rate)


def _decision_query(request: web.Request) -> DecisionQuery | str:
    given = request.query
    unknown = set(given) - {"limit", "before", "strategy", "instrument", "reason", "token"}
    if unknown:
        return f"unknown parameter {', '.join(sorted(unknown))}"
    limit, before = given.get("limit", "50"), given.get("before", "")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:6]) <= MAX_DECISIONS:
        return f"limit was {limit[:20]!r}"
    if before and not (before.isascii() and before.isdigit() and len(before) <= 19):
        return f"before was {before[:30]!r}"
    if sum(bool(given.get(name)) for name in ("strategy", "instrument", "reason")) > 1:
        return "more than one of strategy, instrument and reason"
    return DecisionQuery(
        int(limit),
        int(before) if before else None,
        given.get("strategy", ""),
        given.get("instrument", ""),
        given.get("reason", ""),
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _foreign_host(request: web.Request, bound: str) -> bool:
    """Whether a page of another name asks the loopback server (DNS rebinding)."""
    if not _is_loopback(bound):
        return False
    name = request.headers.get("Host", "").rsplit(":", 1)[0].strip("[]")
    return not _is_loopback(name)


def _json(value: object, status: int = 200) -> web.Response:
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return web.Response(text=text, status=status, content_type="application/json")


def _problem(status: int, error: str, remedy: str) -> web.Response:
    response = _json({"error": error, "remedy": remedy}, status)
    response.headers.update(_HEADERS)
    return response
