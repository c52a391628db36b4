"""A fake Bybit in a thread, and the settings of data at its own speed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from adapters.ccxt_data.config import CcxtSettings
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Source
from tests.fakes.bingx.threaded import in_thread
from tests.fakes.bybit.server import FakeBybit
from tests.fakes.recorded_paper import ClockTime

PATIENCE_S = 30.0


class ThreadedBybit:
    """A running fake seen from another thread; touch `fake` only through `call`."""

    def __init__(self, fake: FakeBybit, loop: asyncio.AbstractEventLoop) -> None:
        self.fake, self._loop = fake, loop

    def call[T](self, function: Callable[[FakeBybit], T]) -> T:
        """Run a function in the exchange's thread."""

        async def run() -> T:
            return function(self.fake)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE_S)

    def drop(self) -> None:
        """Close every socket."""
        asyncio.run_coroutine_threadsafe(self.fake.drop(), self._loop).result(PATIENCE_S)


@contextmanager
def running(settings: Settings, source: Source | None = None) -> Iterator[ThreadedBybit]:
    """Run a fake Bybit until the block ends."""
    with in_thread(lambda: FakeBybit(settings, source)) as (fake, loop):
        yield ThreadedBybit(fake, loop)


def data_of(fake: FakeBybit, **changes: Any) -> CcxtSettings:
    """Return settings whose addresses and clock are the fake's."""
    found = CcxtSettings(
        exchange="bybit",
        rest=fake.rest_url,
        stream=fake.ws_url,
        timebase=ClockTime(fake.clock),
        timeout_s=3.0,
        poll_s=30.0,
        instant_grace_s=40.0,  # of venue time, which runs fast
        first_pause_s=0.05,
    )
    return replace(found, **changes)
