"""A scripted venue: what it sends, when, in virtual time, through the real live feed into a real node.

The script is a sequence of `Arrival`s; a day of them passes in seconds, and two runs of one script are equal.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nautilus_trader.live import DataClientConfig
from nautilus_trader.live.clients import DataClientFactory, MarketDataClient
from nautilus_trader.live.providers import InstrumentProvider
from nautilus_trader.model import Venue as EngineVenue

from adapters.live.feed import GRACE_NS, Backfill, BeforeEnd, InstantFeed
from adapters.live.gate import InstantGate
from adapters.live.stopwatch import Stopwatch
from adapters.simulated import perpetual
from catalog.assembler import InstantAssembler
from catalog.feed import EngineFeed, call_mark
from catalog.symbols import parse_instrument
from crupto_nautilus.desk.assembly import Desk, DeskPlan
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.plan import Prepared
from risk.vocabulary import Bar, Funding, Quote

SETTLE_ROUNDS = 3  # turns of the event loop in which a woken task acts before time goes on


class VirtualClock:
    """A clock that shows what the script says; whoever sleeps is woken at its own time, in order."""

    def __init__(self, now_ns: int) -> None:
        self._now = now_ns
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def now_ns(self) -> int:
        """Return virtual time."""
        return self._now

    async def sleep_until(self, ts_ns: int) -> None:
        """Wait for virtual time."""
        if ts_ns <= self._now:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (ts_ns, self._count, future))
        await future

    def jump(self, ts_ns: int) -> None:
        """Show another time at once, as after a machine has slept: nobody is woken on the way."""
        self._now = max(self._now, ts_ns)

    @property
    def next_due_ns(self) -> int | None:
        """When the first sleeper is to be woken, None if nobody sleeps."""
        return self._waiting[0][0] if self._waiting else None

    async def advance(self, ts_ns: int) -> None:
        """Let time pass until `ts_ns`."""
        while self._waiting and self._waiting[0][0] <= ts_ns:
            due, _, future = heapq.heappop(self._waiting)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
            for _ in range(SETTLE_ROUNDS):
                await asyncio.sleep(0)
        self._now = max(self._now, ts_ns)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What comes at a time: a bar, quote, funding, mark, reference, or something the script does."""

    at_ns: int
    what: Bar | Quote | Funding | tuple[str, str, float] | Callable[[], None]
    ts_event: int = 0  # of a mark or reference price

    def deliver(self, feed: InstantFeed) -> None:
        """Hand it to the feed as a client would; a callable may raise, as a connection does."""
        what = self.what
        match what:
            case Bar():
                feed.bar(what)
            case Quote():
                feed.quote(what)
            case Funding():
                feed.funding(what)
            case ("mark", name, price):
                feed.mark_price(name, self.ts_event, price)
            case ("reference", name, price):
                feed.reference(name, self.ts_event, price)
            case _:
                assert callable(what)
                what()


@dataclass
class Script:
    """What a venue does in one run; `arrivals` are in time order."""

    arrivals: Iterable[Arrival]
    end_ns: int
    backfill: Backfill | None = None
    window: int = 1  # instants ahead of the desk
    grace_ns: int = GRACE_NS
    give_up_s: float = 900.0
    on_instant: Callable[[InstantFeed], None] | None = None  # when the desk has finished one
    connecting: Callable[[], Awaitable[None]] | None = None  # what the venue does to a connection
    endless: bool = False  # after the script nothing comes, and no end either
    feeds: list[ScriptedFeed] = field(default_factory=list)

    def __call__(self, prepared: Prepared, plan: DeskPlan, options: PaperOptions) -> ScriptedFeed:
        """Make the feed of a run: the form of an entry of `edges.FEEDS`."""
        self.feeds.append(ScriptedFeed(self, prepared, plan))
        return self.feeds[-1]


class ScriptedFeed:
    """An edge of a paper run: a live data client that plays a script."""

    def __init__(self, script: Script, prepared: Prepared, plan: DeskPlan) -> None:
        window = prepared.choice.window
        self.script, self.plan = script, plan
        self.clock = VirtualClock(window.start_ns)
        self.engine_feed = EngineFeed(plan.rules, window.base_minutes)
        self.feed = InstantFeed(
            InstantAssembler(window.base_minutes, script.grace_ns, window.start_ns),
            self.engine_feed,
            backfill=script.backfill,
            clock=self.clock,
            give_up_s=script.give_up_s,
            stopwatch=Stopwatch(ahead=script.window > 1),
        )
        self.feed.gate = InstantGate(script.window)
        self._left: Iterator[Arrival] = iter(script.arrivals)
        self._playing = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def failure(self) -> str:
        """Why the feed broke down."""
        return self.feed.failure

    @property
    def ended(self) -> str:
        """Why the feed came to its end."""
        return self.feed.ended

    @property
    def stopwatch(self) -> Stopwatch:
        """When each instant was handed to the node."""
        return self.feed.stopwatch

    def figures(self) -> dict[str, Any]:
        """What arrived and what was wrong with it."""
        return self.feed.figures()

    def unready(self) -> str:
        """Why trading may not begin yet."""
        return self.feed.unready()

    def on_phase(self, phase: int) -> None:
        """Tell feed and script what the desk has handled."""
        self.feed.on_phase(phase)
        if self.script.on_instant is not None:
            self.script.on_instant(self.feed)

    def end(self, reason: str) -> bool:
        """End after the instant under way; called from any thread."""
        return self._post(lambda: self.feed.end(reason))

    def call(self, work: Callable[[], None]) -> bool:
        """Have the desk call something between two instants."""
        return self._post(lambda: self.feed.say(call_mark(self.clock.now_ns(), work)))

    def _post(self, work: Callable[[], None]) -> bool:
        if self._loop is None or self.ended:
            return False
        self._loop.call_soon_threadsafe(work)
        return True

    def wait_for(self, behind: Callable[[], bool]) -> None:
        """A live market waits for nobody."""

    async def play(self) -> None:
        """Deliver what is left of the script; called again after it raised."""
        self.feed.connected = self._playing = True
        self._loop = asyncio.get_running_loop()
        try:
            for arrival in self._left:
                await self.clock.advance(arrival.at_ns)
                arrival.deliver(self.feed)
                await self.feed.gate.room()
            if self.script.endless:
                await asyncio.Event().wait()
            await self.clock.advance(self.script.end_ns)
            self.feed.end("completed")
        finally:
            self._playing = False
            self._driver = asyncio.ensure_future(self._time_goes_on())

    async def _time_goes_on(self) -> None:
        """Let time pass while the script is broken off: to whatever somebody waits for next."""
        while not self._playing and not self.feed.ended:
            for _ in range(SETTLE_ROUNDS):
                await asyncio.sleep(0)
            due = self.clock.next_due_ns
            if due is not None and not self._playing:
                await self.clock.advance(due)

    def attach(self, desk: Desk) -> None:
        """The script says what is missed."""

    def settle_first(self, settle: BeforeEnd | None) -> None:
        """The sandbox has nothing in flight between two instants."""

    def add_to(self, builder: Any) -> Any:
        """Add the client to a node's builder."""
        return builder.add_data_client(self.engine_feed.venue, _factory(self), DataClientConfig())


def _factory(edge: ScriptedFeed) -> type[DataClientFactory]:
    instruments = [
        perpetual(rules, parse_instrument(name).base) for name, rules in sorted(edge.plan.rules.items())
    ]

    class Client(MarketDataClient):
        async def _connect(self) -> None:
            if edge.script.connecting is not None:
                await edge.script.connecting()
            for instrument in instruments:
                self._handle_instrument(instrument)

        async def _disconnect(self) -> None:
            edge.feed.connected = False

        async def _subscribe_bars(self, command: Any) -> None:
            return

        async def _unsubscribe_bars(self, command: Any) -> None:
            return

        async def _unsubscribe(self, command: Any) -> None:
            return

        async def _subscribe(self, command: Any) -> None:
            edge.feed.start(self._handle_data, self.create_task)
            edge.feed.supervise("script", edge.play)

    class Provider(InstrumentProvider):
        async def load_all_async(self, filters: Any = None) -> None:
            for instrument in instruments:
                self.add(instrument)

    class Factory(DataClientFactory):
        @staticmethod
        def create(*, name: Any, config: Any, cache: Any, clock: Any) -> Client:
            return Client(
                name=name,
                config=config,
                cache=cache,
                clock=clock,
                venue=EngineVenue(edge.engine_feed.venue),
                instrument_provider=Provider(config.instrument_provider),
            )

    return Factory
