"""RouterActor: the only component that hears market data; it makes the desk act on whole instants.

Guarantees: the desk clock is set at OPEN, before any fill of the instant; at CLOSE one `Instant` with all
timeframes that close now is published, when the venue has matched every bar; a higher bar depends on its
fine bars alone, never on when they arrived: while the last fine bar of an instrument is late its higher bars
wait for it, or for the next one that comes; at OPEN nothing may still be in flight, what is gets counted
and alarmed.  In the quiet after an instant of a live market what it did is settled at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from actors.agent import DeskAgent
from actors.merging import merged, silent_instruments
from catalog.feed import (
    CALL,
    CLOSE,
    END,
    MARK_TYPE,
    NOTICE,
    OPEN,
    QUIET,
    RESTORE,
    RESTORED,
    bar_type,
    feed_client,
)
from catalog.panel import TimeframePanel
from risk.vocabulary import Alarm, Bar, Instant
from strategies import bus
from strategies.guarded import guarded


class RouterActor(DeskAgent):
    """Collects what the feed emits between OPEN and CLOSE and publishes it as one instant."""

    agent: ClassVar[str] = "router"

    def setup(
        self,
        base_minutes: Mapping[str, int],
        timeframes: Sequence[int],
        warm_up: Iterable[Instant] = (),
        seed: Mapping[str, list[Bar]] | None = None,
        start_ns: int = 0,
        on_phase: Callable[[int], None] | None = None,
        catch_up: Iterable[Instant] = (),
        restore: Callable[[], None] | None = None,
    ) -> RouterActor:
        """Hand over the finest timeframe of each instrument, the timeframes wanted, and the warm-up.

        `seed` are the fine bars before the start (`start_ns`) whose largest bucket is still open there; the
        smaller buckets among them that closed before the start belong to the warm-up and are not published.
        `on_phase` makes the router one of a live node: it subscribes to the fine bars, so that the venue gets
        them, tells after each mark that it was handled, and ends the node at the end of the feed.
        `catch_up` are the instants of a resumed run until its last checkpoint: they warm up as the rest did,
        bucket by bucket, before `restore` loads the state after them.
        """
        self._fine_bars = [bar_type(name, minutes) for name, minutes in sorted(base_minutes.items())]
        self._on_phase = on_phase
        self.higher = TimeframePanel(base_minutes, timeframes)
        self._venue = min(base_minutes).rpartition(".")[2]
        self._warm_up, self._seed, self._start_ns = warm_up, seed or {}, start_ns
        self._catch_up, self._restore = catch_up, restore
        self._next_close_ns = 0
        self._waiting = False  # whether a higher bar waits for a late fine bar
        self._started = False
        self.bars = 0
        self.instants = 0
        self.unsettled = 0
        self.first_ts = 0
        self.last_ts = 0
        return self

    def on_start(self) -> None:
        """Subscribe to the instant marks; everyone else has subscribed by now."""
        if self._on_phase is not None:
            for fine in self._fine_bars:
                self.subscribe_bars(fine)
        self.subscribe_data(MARK_TYPE, feed_client(self._venue))

    @guarded
    def on_data(self, data: Any) -> None:
        """Handle a mark."""
        mark = data.data
        if mark.phase == OPEN:
            self._settle()
            if not self._started:
                self._warm()
            self.desk_clock.now_ns = mark.ts_event
        elif mark.phase == CLOSE:
            self._publish(mark.instant)
        elif mark.phase == END:
            self._settle()
        else:
            self._between_instants(mark)
        if self._on_phase is not None:
            self._on_phase(mark.phase)
            if mark.phase == END:
                self.shutdown_system("the feed has ended")

    def _between_instants(self, mark: Any) -> None:
        if mark.phase == NOTICE:
            self.publish_message(bus.ALARM, mark.alarm)
        elif mark.phase == CALL:
            self._settle()  # what the call changes belongs to a checkpoint of its own
            mark.call()
        elif mark.phase == QUIET:
            self._rest()
        elif mark.phase == RESTORE:
            self._warm()
            for instant in self._catch_up:
                self.desk_clock.now_ns = instant.ts_event
                self._publish(instant._replace(warm_only=True))
            self._catch_up = ()
            if self._restore is not None:
                self._restore()
        elif mark.phase == RESTORED:
            self.publish_message(bus.RESTORED, self.last_ts)

    def _rest(self) -> None:
        """Do ahead what the next instant needs, and settle early where nothing is in flight.

        At a venue that takes its time the next OPEN settles.
        """
        self.higher.take_in()
        if self.last_ts and not self._in_flight():
            self.publish_message(bus.SETTLED, self.last_ts)
            self.publish_message(bus.QUIET, self.last_ts)

    def _settle(self) -> None:
        """Everything of the previous instant has been executed; nothing may still be in flight."""
        if not self.last_ts:
            return
        in_flight = self._in_flight()
        if in_flight:
            self.unsettled += in_flight
            detail = f"{in_flight} orders in flight at the next instant"
            self.publish_message(bus.ALARM, Alarm(self.desk_clock.now_ns, "unsettled", "router", detail))
        self.publish_message(bus.SETTLED, self.last_ts)

    def _in_flight(self) -> int:
        """Count the orders whose fate the venue has not told yet."""
        if not self.cache.orders_inflight_count():
            return 0
        return sum(not _waits_for_its_entry(order) for order in self.cache.orders_inflight())

    def _warm(self) -> None:
        self._started = True
        for instant in self._warm_up:
            self.desk_clock.now_ns = instant.ts_event
            self.publish_message(bus.INSTANT, instant)
        self._warm_up = ()
        self.higher.seed(self._seed, self._start_ns)

    def _publish(self, fine: Instant) -> None:
        ts = fine.ts_event
        for bars in fine.bars.values():
            self.bars += len(bars)
        self.bars += len(fine.backfilled)
        higher = self.higher
        higher.push(fine)
        instant, step_ns = fine, higher.step_ns
        if step_ns and (ts >= self._next_close_ns or self._waiting):
            silent = silent_instruments(fine) if fine.late else frozenset()
            built = higher.close_until(ts, silent)
            self._next_close_ns = ts - ts % step_ns + step_ns
            self._waiting = bool(silent)
            if built:
                instant = fine._replace(bars=merged(fine.bars, built))
        self.first_ts = self.first_ts or ts
        self.last_ts = ts
        self.instants += 1
        self.publish_message(bus.INSTANT, instant)


def _waits_for_its_entry(order: Any) -> bool:
    """Whether a stop is with the venue already, to be activated when the entry it is attached to fills."""
    return order.parent_order_id is not None and not order.is_open
