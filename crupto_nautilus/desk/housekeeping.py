"""Housekeeping of a live node: finished orders and closed positions leave the engine's cache, garbage goes.

The engine keeps 15 to 24 kB for each order it has ever seen; the desk keeps its own record of all of them, so
a node that runs for weeks drops what is over.  The engine's own purge goes by wall time in steps of minutes,
which an accelerated replay outruns; this one is driven by settled instants.
"""

from __future__ import annotations

from typing import Any

from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from crupto_nautilus.desk.garbage import QuietCollector
from crupto_nautilus.desk.services import PaperContext
from risk.vocabulary import MINUTE_NS
from strategies import bus

INTERVAL_NS = 15 * MINUTE_NS  # of desk time
KEEP_NS = 60 * MINUTE_NS  # of desk time: a venue may still speak of an order that has just ended
LEAST_KEEP_S = 2  # of wall time


class HousekeeperActor(DataActor):
    """Purges the cache; not an agent: it hears nothing but that an instant has settled."""

    def setup(self) -> HousekeeperActor:
        """Make it ready to be added to a node."""
        self._began: tuple[int, int] | None = None  # desk and wall time of the first settled instant
        self._last_ns = 0
        self.purges = 0
        self._garbage = QuietCollector()
        return self

    def on_start(self) -> None:
        """Listen after everyone else."""
        self.subscribe_topic(bus.SETTLED, self.on_settled, 0)
        self.subscribe_topic(bus.QUIET, self.on_quiet, 0)

    def on_settled(self, ts: Any) -> None:
        """Purge at intervals of desk time."""
        if ts - self._last_ns < INTERVAL_NS:
            return
        self._last_ns = ts
        now = self.clock.timestamp_ns()
        if self._began is None:
            self._began = ts, now
            return
        keep_s = keep_seconds(ts - self._began[0], now - self._began[1])
        self.cache.purge_closed_orders(now, keep_s)
        self.cache.purge_closed_positions(now, keep_s)
        self.cache.purge_account_events(now, keep_s)
        self.purges += 1

    def on_quiet(self, ts: Any) -> None:
        """Collect garbage while no order can be held up by it."""
        self._garbage.collect()


def keep_seconds(desk_ns: int, wall_ns: int) -> int:
    """Return the wall time in which `KEEP_NS` of desk time pass, at the pace of the run so far.

    The engine stamps orders with wall time, and an accelerated replay lives an hour in a second.
    """
    real = KEEP_NS // 1_000_000_000
    return max(LEAST_KEEP_S, min(real, round(real * wall_ns / max(1, desk_ns))))


class Housekeeping:
    """The service that adds the housekeeper to a run's node."""

    name = "housekeeping"

    def start(self, context: PaperContext) -> None:
        """Add the actor before the node runs."""
        actor = HousekeeperActor(DataActorConfig(actor_id=ActorId("desk-housekeeper-001")))
        context.node.add_actor(actor.setup())

    def stop(self, reason: str) -> None:
        """Leave the actor to the node."""
