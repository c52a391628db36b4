"""Housekeeping of a live node: finished orders and closed positions leave the engine's cache.

The engine keeps 15 to 24 kB for each order it has ever seen; the desk keeps its own record of all of them, so
a node that runs for weeks drops what is over.  The engine's own purge goes by wall time in steps of minutes,
which an accelerated replay outruns; this one is driven by settled instants.
"""

from __future__ import annotations

from typing import Any

from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from crupto_nautilus.desk.services import PaperContext
from risk.vocabulary import MINUTE_NS
from strategies import bus

INTERVAL_NS = 15 * MINUTE_NS  # of desk time
KEEP_S = 3600  # of wall time at real speed: a venue may still speak of an order that has just ended
KEEP_ACCELERATED_S = 2


class HousekeeperActor(DataActor):
    """Purges the cache; not an agent: it hears nothing but that an instant has settled."""

    def setup(self, keep_s: int) -> HousekeeperActor:
        """Hand over how long finished orders are kept, seconds of wall time."""
        self._keep_s = keep_s
        self._last_ns = 0
        self.purges = 0
        return self

    def on_start(self) -> None:
        """Listen after everyone else."""
        self.subscribe_topic(bus.SETTLED, self.on_settled, 0)

    def on_settled(self, ts: Any) -> None:
        """Purge at intervals of desk time."""
        if ts - self._last_ns < INTERVAL_NS:
            return
        self._last_ns = ts
        now = self.clock.timestamp_ns()
        self.cache.purge_closed_orders(now, self._keep_s)
        self.cache.purge_closed_positions(now, self._keep_s)
        self.cache.purge_account_events(now, self._keep_s)
        self.purges += 1


class Housekeeping:
    """The service that adds the housekeeper to a run's node."""

    name = "housekeeping"

    def start(self, context: PaperContext) -> None:
        """Add the actor before the node runs."""
        speed = context.options.speed
        accelerated = context.options.feed == "replay" and speed != 1.0
        actor = HousekeeperActor(DataActorConfig(actor_id=ActorId("desk-housekeeper-001")))
        context.node.add_actor(actor.setup(KEEP_ACCELERATED_S if accelerated else KEEP_S))

    def stop(self, reason: str) -> None:
        """Leave the actor to the node."""
