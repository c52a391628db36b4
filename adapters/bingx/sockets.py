"""One WebSocket of BingX with its own receive loop: decodes, answers pings, subscribes, notices silence.

Guarantees: a frame that cannot be decoded, or a handler that raises, is counted and never ends the loop; a
socket without any frame for `silence_s` is closed and opened again; after every reconnect all topics are
subscribed again and `on_up` is called, so that the owner can fetch what it missed; a topic counts only once
the venue has acknowledged it, and frames of others are not handed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from adapters.bingx.config import StreamSettings
from adapters.bingx.errors import BingxError, VenueRefused
from adapters.bingx.limits import Priority, PriorityLimiter
from adapters.bingx.transport import Connection, ConnectionLost, Transport

Frame = dict[str, Any]
CLOSING_SECONDS = 1.0
GZIP = 31  # zlib's window bits for a gzip member
_PING = b"Ping"
_PONG = "Pong"


class SocketCounters:
    """What happened on a socket since it was made."""

    __slots__ = ("bad", "connects", "frames", "handler_errors", "last_error", "pings", "silences", "unrouted")

    def __init__(self) -> None:
        self.frames = self.pings = self.bad = self.unrouted = 0
        self.connects = self.silences = self.handler_errors = 0
        self.last_error = ""


class BingxSocket:
    """A socket that stays up until it is closed.

    Parameters
    ----------
    url : callable
        Returns the address for each connect (a user stream has a key in it that changes).
    on_frame : callable
        Gets frames without a topic of this socket: user events.
    on_up : callable
        Called after each connect, when all topics are subscribed.
    on_refused : callable
        Called with the HTTP status of a refused handshake.
    """

    def __init__(
        self,
        name: str,
        url: Callable[[], Awaitable[str]],
        transport: Transport,
        settings: StreamSettings,
        pacer: PriorityLimiter,
        *,
        on_frame: Callable[[Frame], None] | None = None,
        on_up: Callable[[tuple[str, ...]], Awaitable[None]] | None = None,
        on_refused: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self._url, self._transport, self._settings = url, transport, settings
        self._pacer, self._on_frame, self._on_up, self._on_refused = pacer, on_frame, on_up, on_refused
        self.handlers: dict[str, Callable[[Frame], None]] = {}  # every wanted topic
        self._live: dict[str, Callable[[Frame], None]] = {}  # acknowledged ones
        self._acks: dict[str, asyncio.Future[tuple[int, str]]] = {}
        self._connection: Connection | None = None
        self._serial = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._up: asyncio.Task[None] | None = None
        self._closed = False
        self._last = 0.0
        self.counters = SocketCounters()
        self.refused: dict[str, VenueRefused] = {}

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open now."""
        return self._connection is not None

    @property
    def silent_s(self) -> float:
        """How long ago the last frame came, in real seconds."""
        return time.monotonic() - self._last

    def start(self) -> None:
        """Begin to connect; it goes on until `close`."""
        self._spawn(self._run())
        self._spawn(self._watch())

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Close the socket and end its tasks."""
        self._closed = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await self.reconnect()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def reconnect(self) -> None:
        """Close the connection; unless the socket is closed it is opened again."""
        if self._connection is not None:
            await self._connection.close()

    async def subscribe(self, topic: str, handler: Callable[[Frame], None]) -> None:
        """Want a topic; returns when it is acknowledged, or at once while the socket is down.

        Raises
        ------
        VenueRefused
            The venue does not offer the topic, or the socket is full.
        """
        self.handlers[topic] = handler
        if self._connection is not None:
            await self._send_subscription(topic)

    async def unsubscribe(self, topic: str) -> None:
        """Want a topic no more."""
        self.handlers.pop(topic, None)
        self.refused.pop(topic, None)
        if self._live.pop(topic, None) is not None and self._connection is not None:
            try:
                await self._send(topic, "unsub")
            except (ConnectionLost, TimeoutError):
                return  # a new connection does not subscribe to it

    async def _send_subscription(self, topic: str) -> None:
        try:
            code, message = await self._send(topic, "sub")
        except (ConnectionLost, TimeoutError) as error:
            self.counters.last_error = f"{topic}: no acknowledgement ({type(error).__name__})"
            await self.reconnect()
            return
        if code != 0:
            refusal = VenueRefused(f"subscription to {topic}", code, message)
            self.refused[topic] = refusal
            self.handlers.pop(topic, None)
            raise refusal
        if topic in self.handlers:
            self._live[topic] = self.handlers[topic]

    async def _send(self, topic: str, kind: str) -> tuple[int, str]:
        await self._pacer.admit("subscribe", Priority.DATA)
        connection = self._connection
        if connection is None:
            raise ConnectionLost("not connected")
        self._serial += 1
        serial = f"{self.name}-{self._serial}"
        future: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._acks[serial] = future
        try:
            await connection.send(orjson.dumps({"id": serial, "reqType": kind, "dataType": topic}).decode())
            return await asyncio.wait_for(future, self._settings.ack_timeout_s)
        finally:
            self._acks.pop(serial, None)

    # --- the loop ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        backoff = self._settings.first_backoff_s
        while not self._closed:
            wait = 0.0
            try:
                self._connection = await self._transport.connect(await self._url())
                self.counters.connects += 1
                self._last = time.monotonic()
                backoff = self._settings.first_backoff_s
                self._up = self._spawn(self._bring_up())
                await self._receive(self._connection)
            except ConnectionLost as lost:
                self.counters.last_error, wait = str(lost), lost.retry_after_s
                if lost.status and self._on_refused is not None:
                    self._on_refused(lost.status)
            except BingxError as error:  # the listen key could not be fetched
                self.counters.last_error = str(error)
            finally:
                broken = self._connection
                self._down()
                if broken is not None:  # a broken connection is not released by itself
                    with contextlib.suppress(Exception):
                        await asyncio.wait_for(broken.close(), CLOSING_SECONDS)
            if not self._closed:
                await asyncio.sleep(max(wait, backoff * random.uniform(0.7, 1.3)))  # noqa: S311 - jitter
                backoff = min(2 * backoff, self._settings.last_backoff_s)

    def _down(self) -> None:
        self._connection = None
        self._live.clear()
        if self._up is not None:
            self._up.cancel()
        for future in self._acks.values():
            if not future.done():
                future.set_exception(ConnectionLost("closed"))

    async def _bring_up(self) -> None:
        """Subscribe to everything again, then tell the owner."""
        for topic in list(self.handlers):
            if topic not in self._live:
                try:
                    await self._send_subscription(topic)
                except VenueRefused as refusal:
                    self.counters.last_error = str(refusal)
        if self._on_up is not None and self._connection is not None:
            await self._on_up(tuple(self._live))

    async def _watch(self) -> None:
        limit = self._settings.silence_s
        while True:
            await asyncio.sleep(limit / 5)
            if self._connection is not None and self.silent_s > limit:
                self.counters.silences += 1
                self.counters.last_error = f"no frame for {limit:g} s"
                await self.reconnect()

    async def _receive(self, connection: Connection) -> None:
        counters, live, now = self.counters, self._live, time.monotonic
        receive, loads, inflate = connection.receive, orjson.loads, zlib.decompress
        while True:
            raw = await receive()
            self._last = now()
            try:
                data = inflate(raw, GZIP) if isinstance(raw, bytes) else raw.encode()
                if data == _PING:
                    counters.pings += 1
                    await connection.send(_PONG)
                    continue
                frame = loads(data)
                topic = frame.get("dataType")
            except (zlib.error, ValueError, AttributeError) as error:
                counters.bad += 1
                counters.last_error = f"a frame that cannot be read ({type(error).__name__})"
                continue
            counters.frames += 1
            if topic and isinstance(topic, str):
                handler = live.get(topic)
                if handler is None:
                    counters.unrouted += 1
                    continue
            elif "id" in frame:
                self._acknowledge(frame)
                continue
            else:
                handler = self._on_frame
                if handler is None:
                    counters.unrouted += 1
                    continue
            try:
                handler(frame)
            except Exception as error:  # noqa: BLE001 - the loop survives whatever a handler does
                counters.handler_errors += 1
                counters.last_error = f"{topic or 'user event'}: {type(error).__name__}: {error}"

    def _acknowledge(self, frame: Frame) -> None:
        future = self._acks.get(frame["id"]) if isinstance(frame["id"], str) else None
        code = frame.get("code")
        if future is None or future.done() or not isinstance(code, int):
            self.counters.unrouted += 1
            return
        message = frame.get("msg")
        future.set_result((code, message if isinstance(message, str) else ""))
