"""A venue as the feed of a paper run: what its data client hears becomes the instants of the desk.

Guarantee: the desk is fed by the same instants as in a replay; a venue's own part is a class with its name,
its settings and the factory of its data client.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import chain
from typing import Any

from nautilus_trader.live import DataClientConfig
from nautilus_trader.live.clients import DataClientFactory

from adapters.live.data_client import VenueDataClient
from adapters.live.feed import BeforeEnd, InstantFeed
from adapters.live.source import FeedSettings
from adapters.live.stopwatch import Stopwatch
from adapters.live.venue_clock import VenueClock, VenueFeedClock
from adapters.simulated import perpetual
from catalog.arrivals import Gap
from catalog.assembler import InstantAssembler
from catalog.feed import CLOSE, EngineFeed, call_mark
from catalog.symbols import parse_instrument
from crupto_nautilus.desk.assembly import Desk, DeskPlan
from crupto_nautilus.desk.downtime import Downtime
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.desk.reopening import reopening_marks
from risk.vocabulary import Bar


class LiveFeed:
    """Market data of a venue as instants.

    Attributes
    ----------
    place : str
        The venue part of its instrument names.
    told : tuple
        The instruments that the engine is told: those of the desk's rules.
    """

    place: str

    def __init__(
        self, prepared: Prepared, plan: DeskPlan, options: PaperOptions, settings: FeedSettings
    ) -> None:
        window = prepared.choice.window
        self.clock = VenueClock(settings.timebase)
        grace_ns = round(settings.instant_grace_s * 1e9)
        self._downtime = Downtime(prepared, plan)
        engine_feed, marks = EngineFeed(plan.rules, window.base_minutes), []
        if plan.resume is not None:
            marks = reopening_marks(plan.resume, plan.rules, window.base_minutes, engine_feed)
        self.instants = InstantFeed(
            InstantAssembler(window.base_minutes, grace_ns, prepared.live_ns or window.start_ns),
            engine_feed,
            prologue=marks[:-1],
            before_first=chain(marks[-1:], self._downtime.data()),  # the venue has answered by then
            backfill=self._backfill,
            before_end=self._settle,
            clock=VenueFeedClock(self.clock, settings.timebase),
            stopwatch=Stopwatch(),
        )
        self.told = tuple(
            perpetual(rules, parse_instrument(name).base) for name, rules in sorted(plan.rules.items())
        )
        self.client: VenueDataClient | None = None
        self._settle_venue: BeforeEnd | None = None
        self._cycles, self._max_cycles = 0, options.max_cycles

    def _factory(self) -> type[DataClientFactory]:
        """Return the factory of the data client; it is told `_made`."""
        raise NotImplementedError

    @property
    def failure(self) -> str:
        """Why the feed broke down."""
        return self.instants.failure

    @property
    def ended(self) -> str:
        """Why the feed came to its end."""
        return self.instants.ended

    @property
    def stopwatch(self) -> Stopwatch:
        """When each instant was handed to the node."""
        return self.instants.stopwatch

    def unready(self) -> str:
        """Why trading may not begin yet."""
        return self.instants.unready()

    def figures(self) -> dict[str, Any]:
        """What arrived and what was wrong with it."""
        return self.instants.figures()

    def on_phase(self, phase: int) -> None:
        """The desk has handled a mark."""
        behind = self.instants.is_behind
        self.instants.on_phase(phase)
        if phase == CLOSE and not behind:
            self._cycles += 1
            if self._cycles == self._max_cycles:
                self.end(f"max_cycles {self._max_cycles}")

    def end(self, reason: str) -> bool:
        """End after the instant under way, when the venue has settled what is in flight."""
        if self.instants.ended and self.instants.is_started:
            return True  # it is ending
        return self._post(lambda: self.instants.end(reason))

    def attach(self, desk: Desk) -> None:
        """Hand over the desk, which hears of what it missed."""
        self._downtime.attach(desk)

    def settle_first(self, settle: BeforeEnd | None) -> None:
        """Have something awaited on the client's loop before the desk hears of the end."""
        self._settle_venue = settle

    async def _settle(self) -> str:
        return "" if self._settle_venue is None else await self._settle_venue()

    def call(self, work: Callable[[], None]) -> bool:
        """Have the desk call something between two instants."""
        return self._post(lambda: self.instants.say(call_mark(time.time_ns(), work)))

    def _post(self, work: Callable[[], None]) -> bool:
        loop = None if self.client is None else self.client.loop
        if loop is None or self.ended or not self.instants.is_started:
            return False
        loop.call_soon_threadsafe(work)
        return True

    def wait_for(self, behind: Callable[[], bool]) -> None:
        """A live market waits for nobody."""

    def add_to(self, builder: Any) -> Any:
        """Add the data client."""
        return builder.add_data_client(self.place, self._factory(), DataClientConfig())

    def _made(self, client: VenueDataClient) -> None:
        self.client = client

    async def _backfill(self, gap: Gap) -> list[Bar]:
        return [] if self.client is None else await self.client.backfill(gap)
