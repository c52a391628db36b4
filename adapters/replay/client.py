"""The replay client: plays instants into a live node, paced by the desk or by the clock.

Guarantees: the node sees OPEN, fine bars, funding and CLOSE of each moment exactly as a backtest does; at
speed 0 the feed is as fast as the desk allows, at speed x one second of event time takes 1/x seconds; an
error while playing reaches `failure`, so that the desk can end with a reason instead of waiting in silence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from nautilus_trader.live.clients import DataClientFactory, MarketDataClient
from nautilus_trader.live.providers import InstrumentProvider
from nautilus_trader.model import CryptoPerpetual, Venue

from adapters.live.gate import InstantGate
from adapters.live.mailbox import Mailbox
from adapters.live.quiet import Quiet
from adapters.live.stopwatch import Stopwatch
from catalog.feed import END, QUIET, EngineFeed, call_mark, mark, sequence
from risk.vocabulary import Instant

SECOND_NS = 1_000_000_000
TELL_EVERY = 100  # instants between two reports of progress
PROLOGUE_PAUSE_S = 0.02
BEHIND_PAUSE_S = 0.005


@dataclass(slots=True)
class Replay:
    """What is played: instants, the instruments they need, pace, and what went wrong."""

    instants: Iterable[Instant]
    feed: EngineFeed
    instruments: tuple[CryptoPerpetual, ...]
    gate: InstantGate
    speed: float = 0.0  # 0: as fast as the desk allows
    stopwatch: Stopwatch = field(default_factory=lambda: Stopwatch(ahead=True))
    max_seconds: float | None = None  # wall time
    max_cycles: int | None = None  # instants
    tell: Callable[[int], None] | None = None  # progress: the moment just emitted
    prologue: Iterable[Any] = ()  # engine data before the first instant: what a resumed run needs
    behind: Callable[[], bool] | None = None  # whether the replay should wait: the journal has to catch up
    mailbox: Mailbox = field(default_factory=Mailbox)
    played: int = 0  # instants
    failure: str = ""
    ended: str = ""  # why the feed came to its end; empty while it plays
    started: bool = False
    _end: str = ""  # why it shall end before the data does
    _wake: asyncio.Event | None = None
    _emit: Callable[[Any], None] | None = None

    def end(self, reason: str) -> bool:
        """End after the instant that was sent last; from any thread.  False if nothing plays."""

        def wish() -> None:
            self._end = self._end or reason
            if self._wake is not None:
                self._wake.set()

        return self._emit is not None and not self.ended and self.mailbox.post(wish)

    def call(self, work: Callable[[], None]) -> bool:
        """Have the desk call something between two instants; from any thread.  False if nothing plays."""
        emit = self._emit
        return (
            emit is not None
            and not self.ended
            and self.mailbox.post(lambda: emit(call_mark(time.time_ns(), work)))
        )

    async def play(self, emit: Callable[[Any], None]) -> None:
        """Emit everything, then END."""
        self._emit, self._wake = emit, asyncio.Event()
        first, last, cycles, began = 0, 0, 0, time.monotonic()
        ended = "completed"
        quiet = Quiet(lambda: emit(mark(last, QUIET)))
        try:
            for data in self.prologue:
                emit(data)
                await asyncio.sleep(PROLOGUE_PAUSE_S)  # each is handled before the next one
            for instant in self.instants:
                if self.max_cycles is not None and cycles >= self.max_cycles:
                    ended = f"max_cycles {self.max_cycles}"
                    break
                if self.max_seconds is not None and time.monotonic() - began >= self.max_seconds:
                    ended = f"max_seconds {self.max_seconds:g}"
                    break
                if self.speed > 0.0:
                    first = first or instant.ts_event
                    await self._until(began + (instant.ts_event - first) / SECOND_NS / self.speed)
                if self._end:
                    ended = self._end
                    break
                await self.gate.admit()
                while self.behind is not None and self.behind():
                    await asyncio.sleep(BEHIND_PAUSE_S)
                last, cycles = instant.ts_event, cycles + 1
                self.played = cycles
                self.stopwatch.sent(last)
                for data in sequence(self.feed, instant):
                    emit(data)
                if self.speed > 0.0:
                    quiet.begin()
                if self.tell is not None and cycles % TELL_EVERY == 0:
                    self.tell(last)
        except Exception as error:  # noqa: BLE001 - a task that raises is only logged by the engine
            self.failure = f"{type(error).__name__}: {error}"
        self.ended = ended
        quiet.over()
        emit(mark(last, END))

    async def _until(self, moment_s: float) -> None:
        """Sleep until a moment of the monotonic clock, or until the end is wished for."""
        left = moment_s - time.monotonic()
        if left > 0.0 and self._wake is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)


def replay_factory(replay: Replay) -> type[DataClientFactory]:
    """Return the factory that a node builder wants, bound to one replay."""

    class ReplayClient(MarketDataClient):
        """Plays once the desk has subscribed to the marks."""

        async def _connect(self) -> None:
            for instrument in replay.instruments:
                self._handle_instrument(instrument)
            replay.gate.open()
            replay.mailbox.open()

        async def _disconnect(self) -> None:
            return

        async def _subscribe_bars(self, command: Any) -> None:
            return

        async def _unsubscribe_bars(self, command: Any) -> None:
            return

        async def _unsubscribe(self, command: Any) -> None:
            return

        async def _subscribe(self, command: Any) -> None:
            if not replay.started:
                replay.started = True
                self.create_task(replay.play(self._handle_data), "replay")

    class Provider(InstrumentProvider):
        async def load_all_async(self, filters: Any = None) -> None:
            for instrument in replay.instruments:
                self.add(instrument)

    class Factory(DataClientFactory):
        @staticmethod
        def create(*, name: Any, config: Any, cache: Any, clock: Any) -> ReplayClient:
            return ReplayClient(
                name=name,
                config=config,
                cache=cache,
                clock=clock,
                venue=Venue(replay.feed.venue),
                instrument_provider=Provider(config.instrument_provider),
            )

    return Factory
