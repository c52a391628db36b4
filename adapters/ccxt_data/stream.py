"""Prints and quotes of an exchange through ccxt's streams, watched over.

ccxt's receive loop ends without a word after a frame that it cannot read, and nobody there notices silence.
Guarantees: after `silence_s` without anything all sockets are opened anew; a subscription that fails is made
again with growing pauses; what cannot be read is counted and never handed on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from adapters.ccxt_data.config import CcxtSettings
from adapters.ccxt_data.exchange import CcxtSource, typed
from adapters.live.errors import MalformedAnswer, VenueError, VenueUnavailable

Heard = Callable[[Any], None]


class CcxtStream:
    """All subscriptions of one client; each is a task that waits for news and hands it on."""

    def __init__(self, source: CcxtSource, settings: CcxtSettings, tell: Callable[[str], None]) -> None:
        self._source, self._settings, self._tell = source, settings, tell
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._last = time.monotonic()
        self.news = 0
        self.bad = 0
        self.silences = 0
        self.failures = 0

    def watch(self, topic: str, wait: Callable[[], Awaitable[Any]], heard: Heard) -> None:
        """Wait for news of a topic for ever; a topic that is watched is not watched twice."""
        if topic in self._tasks:
            return
        if self._watcher is None:
            self._last = time.monotonic()
            self._watcher = asyncio.create_task(self._watch_silence())
        self._tasks[topic] = asyncio.create_task(self._follow(topic, wait, heard))

    def forget(self, topic: str) -> None:
        """Watch a topic no longer; ccxt keeps its subscription, which then nobody reads."""
        task = self._tasks.pop(topic, None)
        if task is not None:
            task.cancel()

    @property
    def topics(self) -> tuple[str, ...]:
        """What is watched."""
        return tuple(self._tasks)

    async def close(self) -> None:
        """End all tasks."""
        tasks = [*self._tasks.values(), *([self._watcher] if self._watcher is not None else [])]
        self._tasks, self._watcher = {}, None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def reconnect(self, reason: str) -> None:
        """Open all sockets anew: whoever waits is told and subscribes again."""
        self._last = time.monotonic()
        for client in list((self._source.exchange.clients or {}).values()):
            client.on_error(ConnectionError(reason))
            self._source.exchange.clients.pop(client.url, None)

    async def _follow(self, topic: str, wait: Callable[[], Awaitable[Any]], heard: Heard) -> None:
        pause = self._settings.first_pause_s
        while True:
            try:
                news = await wait()
            except asyncio.CancelledError:
                current = asyncio.current_task()
                if current is None or current.cancelling():
                    raise
                failure: VenueError = VenueUnavailable(f"{topic}: the socket was closed")
            except Exception as error:  # noqa: BLE001 - told, and subscribed again
                failure = typed(topic, error)
            else:
                self._last = time.monotonic()
                self.news += 1
                pause = self._settings.first_pause_s
                self._hand_on(topic, news, heard)
                continue
            self.failures += 1
            self._tell(f"stream: {failure}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._settings.last_pause_s)

    def _hand_on(self, topic: str, news: Any, heard: Heard) -> None:
        try:
            heard(news)
        except MalformedAnswer as error:
            self.bad += 1
            self._tell(f"malformed: {topic}: {error}")

    async def _watch_silence(self) -> None:
        limit = self._settings.silence_s
        while True:
            await asyncio.sleep(limit / 5)
            if self._tasks and time.monotonic() - self._last > limit:
                self.silences += 1
                self._tell(f"silence: no news for {limit:g} s, the sockets are opened anew")
                self.reconnect(f"no news for {limit:g} s")
