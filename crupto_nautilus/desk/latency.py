"""From bar to order: how long the node takes, all agents in between, measured beside the decisions.

The clock starts when the feed hands an instant to the node and stops when a strategy submits an order in it.
Orders that answer a fill of the instant are counted with the others and apart from entries.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from adapters.live.stopwatch import Stopwatch
from crupto_nautilus.desk.services import PaperContext
from risk.clock import DeskClock
from risk.vocabulary import OrderEvent, Role
from strategies import bus


class LatencyActor(DataActor):
    """Takes the time of every order at the moment of its submission."""

    def setup(self, stopwatch: Stopwatch, clock: DeskClock) -> LatencyActor:
        """Hand over the feed's stopwatch and the desk's clock, which names the instant."""
        self._stopwatch, self._desk_clock = stopwatch, clock
        self._entries, self._others = array("q"), array("q")
        return self

    def on_start(self) -> None:
        """Hear of orders before the recorders do: their time is not the order's."""
        self.subscribe_topic(bus.order("*"), self.on_order, 100)

    def on_order(self, event: Any) -> None:
        """Stop the clock for a submission; anything else is of no interest."""
        if not isinstance(event, OrderEvent) or event.action != "submit":
            return
        elapsed = self._stopwatch.elapsed_ns(self._desk_clock.now_ns)
        if elapsed is not None:
            (self._entries if event.role == Role.ENTRY else self._others).append(elapsed)

    def figures(self) -> dict[str, Any]:
        """Return p50, p99 and the largest, microseconds, of all orders and of entries."""
        return {"orders": figures_of(self._entries + self._others), "entries": figures_of(self._entries)}


class Latency:
    """The service that measures; its figures go into the run's summary."""

    name = "latency"

    def start(self, context: PaperContext) -> None:
        """Add the actor before the node runs."""
        self._context = context
        actor = LatencyActor(DataActorConfig(actor_id=ActorId("desk-latency-001")))
        self._actor = actor.setup(context.feed.stopwatch, context.desk.clock)
        context.node.add_actor(self._actor)

    def stop(self, reason: str) -> None:
        """Hand the figures over."""
        self._context.measured["latency"] = self._actor.figures()


def figures_of(elapsed_ns: array[int]) -> Mapping[str, float | int | None]:
    """Return how many times there are, their p50, p99 and largest in microseconds (None without any)."""
    if not elapsed_ns:
        return {"count": 0, "p50_us": None, "p99_us": None, "max_us": None}
    values = np.frombuffer(elapsed_ns, dtype=np.int64) / 1000.0
    p50, p99 = np.percentile(values, [50, 99])
    return {
        "count": len(values),
        "p50_us": round(float(p50), 1),
        "p99_us": round(float(p99), 1),
        "max_us": round(float(values.max()), 1),
    }
