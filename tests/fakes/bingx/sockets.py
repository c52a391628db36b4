"""One WebSocket connection: its topics, its queue of frames, pings, and what faults do to them."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.bingx.stream_faults import StreamFaults


def packed(payload: dict[str, Any] | str) -> bytes:
    """Return a frame as the venue sends it: gzip, also of the plain text `Ping`."""
    text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
    return gzip.compress(text.encode(), 1)


class Connection:
    """A socket with its own sending task, so that a slow reader holds up nobody else."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, faults: StreamFaults) -> None:
        self.socket = socket
        self.request = request
        self.faults = faults
        self.listen_key = request.query.get("listenKey")
        self.topics: set[str] = set()
        self.pongs = 0
        self.last_pong = time.monotonic()
        self.sent = 0
        self._queue: asyncio.Queue[tuple[float, bytes | str]] = asyncio.Queue()
        self._held: list[bytes | str] = []
        self._tasks = [asyncio.ensure_future(self._send())]

    @property
    def private(self) -> bool:
        return self.listen_key is not None

    def push(self, frame: bytes) -> None:
        """Queue a data frame, after whatever the faults make of it."""
        if not self.faults.data:
            return
        for one in self._faulty(frame):
            wanted = self.faults.reorder.get("private" if self.private else "public", 0)
            if wanted or self._held:
                self._held.append(one)
                if len(self._held) >= max(wanted, 1):
                    held, self._held = self._held[::-1], []
                    self.faults.reorder.pop("private" if self.private else "public", None)
                    self.faults.counts["frame reorder"] += 1
                    for late in held:
                        self._put(late)
            else:
                self._put(one)

    def control(self, payload: dict[str, Any] | str) -> None:
        """Queue an acknowledgement or a ping, which faults of data frames leave alone."""
        self._queue.put_nowait((0.0, packed(payload)))

    def _put(self, frame: bytes | str) -> None:
        self._queue.put_nowait((self.faults.frame_delay_s(), frame))

    def _faulty(self, frame: bytes) -> list[bytes | str]:
        match self.faults.draw(self.private):
            case "bad_gzip":
                return [b"\x1f\x8b\x08\x00not gzip"]
            case "bad_json":
                return [packed('{"code":0,"data":[')]
            case "truncate":
                return [frame[: len(frame) // 2]]
            case "text":
                return [gzip.decompress(frame).decode()]
            case "duplicate":
                return [frame, frame]
            case "drop":
                return []
            case _:
                return [frame]

    async def _send(self) -> None:
        while True:
            delay, frame = await self._queue.get()
            if delay:
                await asyncio.sleep(delay)
            with contextlib.suppress(ConnectionError, RuntimeError):
                if isinstance(frame, str):
                    await self.socket.send_str(frame)
                else:
                    await self.socket.send_bytes(frame)
                self.sent += 1

    def keep_alive(self, ping_s: float, limit_s: float) -> None:
        """Ping every `ping_s`; drop a client that has not answered for `limit_s` without a close frame."""

        async def run() -> None:
            while True:
                await asyncio.sleep(ping_s)
                if time.monotonic() - self.last_pong > limit_s:
                    self.reset()
                    return
                if self.faults.ping:
                    self.control("Ping")

        self._tasks.append(asyncio.ensure_future(run()))

    async def received(self) -> dict[str, Any] | str | None:
        """Return the next message of the client: its JSON, `Pong` or other text; None when it left."""
        while not self.faults.reading:
            await asyncio.sleep(0.01)
        message = await self.socket.receive()
        if message.type is not WSMsgType.TEXT:
            return None if message.type is not WSMsgType.BINARY else ""
        if message.data == "Pong":
            self.pongs += 1
            self.last_pong = time.monotonic()
            return "Pong"
        try:
            parsed = json.loads(message.data)
        except json.JSONDecodeError:
            return str(message.data)
        return parsed if isinstance(parsed, dict) else str(message.data)

    async def close(self, code: int) -> None:
        """Close with a frame that says why."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.socket.close(code=code)

    def reset(self) -> None:
        """Break the connection without a word."""
        transport = self.request.transport
        if transport is not None:
            transport.abort()

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()
