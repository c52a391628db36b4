"""The exchange in a thread of its own, for tests whose client owns the main loop (a live node, the CLI)."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from tests.fakes.bingx.server import FakeBingx
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Source

_PATIENCE_S = 60.0


class ThreadedBingx:
    """A running exchange seen from another thread; touch `fake` only through `call` and `do`."""

    def __init__(self, fake: FakeBingx, loop: asyncio.AbstractEventLoop) -> None:
        self.fake = fake
        self._loop = loop

    @property
    def rest_url(self) -> str:
        return self.fake.rest_url

    @property
    def ws_url(self) -> str:
        return self.fake.ws_url

    @property
    def control_url(self) -> str:
        return self.fake.control_url

    def do(self, command: str, **arguments: Any) -> Any:
        """Run a command of `Control` and return its result."""
        request = self.fake.control.apply({"do": command, **arguments})
        return asyncio.run_coroutine_threadsafe(request, self._loop).result(_PATIENCE_S).get("result")

    def call[T](self, function: Callable[[FakeBingx], T]) -> T:
        """Run a function in the exchange's thread, between two of its steps."""

        async def run() -> T:
            self.fake.catch_up()
            return function(self.fake)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_PATIENCE_S)


class Server(Protocol):
    """A fake exchange that can be started and stopped."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@contextmanager
def in_thread[S: Server](make: Callable[[], S]) -> Iterator[tuple[S, asyncio.AbstractEventLoop]]:
    """Run a fake exchange in a thread until the block ends; touch it on its loop only."""
    # Garbage of earlier tests may hold engine objects, which must not be dropped on the exchange's thread.
    gc.collect()
    gc.disable()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-exchange", daemon=True)
    thread.start()

    async def start() -> S:
        fake = make()
        await fake.start()
        return fake

    fake = asyncio.run_coroutine_threadsafe(start(), loop).result(_PATIENCE_S)
    try:
        yield fake, loop
    finally:
        asyncio.run_coroutine_threadsafe(fake.stop(), loop).result(_PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE_S)
        loop.close()
        gc.enable()


@contextmanager
def running(settings: Settings | None = None, source: Source | None = None) -> Iterator[ThreadedBingx]:
    """Run a fake BingX in a thread until the block ends."""
    with in_thread(lambda: FakeBingx(settings, source)) as (fake, loop):
        yield ThreadedBingx(fake, loop)
