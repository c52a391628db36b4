"""The router on its own: what it publishes between the marks of a feed, and what it alarms."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from nautilus_trader.common import DataActorConfig
from nautilus_trader.model import ActorId

from actors.router import RouterActor
from actors.toolbox import ToolRegistry
from catalog.feed import CLOSE, END, OPEN, QUIET, mark
from risk.clock import DeskClock
from risk.vocabulary import MINUTE_NS, Alarm, Bar, Funding, Instant
from strategies import bus

BTC, ETH, SOL = (f"{coin}USDT-PERP.BINANCE" for coin in ("BTC", "ETH", "SOL"))
NOON = 1_704_110_400_000_000_000  # 2024-01-01 12:00 UTC


class Router(RouterActor):
    """A router without an engine: it keeps what it says, and orders in flight are what the test says."""

    def play(
        self, *base: tuple[str, int], timeframes: tuple[int, ...] = (240, 60, 15), **rest: Any
    ) -> Router:
        self.said: list[tuple[str, Any]] = []
        self.orders: list[Any] = []
        self.clock_at: list[int] = []
        self.connect("run", DeskClock(), ToolRegistry())
        self.setup(dict(base), timeframes, **rest)
        return self

    @property
    def cache(self) -> Any:
        return SimpleNamespace(
            orders_inflight_count=lambda: len(self.orders), orders_inflight=lambda: self.orders
        )

    def publish_message(self, topic: str, message: Any) -> None:
        self.said.append((topic, message))
        self.clock_at.append(self.desk_clock.now_ns)

    def hear_instant(self, instant: Instant) -> Instant | None:
        """Feed OPEN and CLOSE of an instant; return what was published for it."""
        self.on_data(mark(instant.ts_event, OPEN))
        self.on_data(mark(instant.ts_event, CLOSE, instant))
        found = [message for topic, message in self.said if topic == bus.INSTANT and not message.warm_only]
        return found[-1] if found else None

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.said]


def router(*base: tuple[str, int], **rest: Any) -> Router:
    return Router(DataActorConfig(actor_id=ActorId("ROUTER-001"))).play(*base, **rest)


def bar(name: str, minutes: int, after: int, close: float = 1.0, volume: float = 1.0) -> Bar:
    """Return a bar that closes `after` minutes past noon."""
    return Bar(name, minutes, NOON + after * MINUTE_NS, close, close, close, close, volume)


def instant(after: int, *bars: Bar, **rest: Any) -> Instant:
    grouped: dict[int, list[Bar]] = {}
    for each in bars:
        grouped.setdefault(each.minutes, []).append(each)
    return Instant(NOON + after * MINUTE_NS, {m: tuple(group) for m, group in grouped.items()}, **rest)


def test_timeframes_that_close_together_come_slowest_first_and_ordered_by_instrument() -> None:
    r = router((SOL, 15), (BTC, 15), (ETH, 60))
    for after in range(15, 240, 15):
        r.hear_instant(instant(after, bar(BTC, 15, after), bar(SOL, 15, after)))
    last = r.hear_instant(instant(240, bar(BTC, 15, 240), bar(SOL, 15, 240), bar(ETH, 60, 240)))
    assert last is not None
    assert list(last.bars) == [240, 60, 15]
    # ETH's own 1h bar stands among the ones that were built.
    assert [b.instrument for b in last.bars[60]] == [BTC, ETH, SOL]
    assert [b.instrument for b in last.bars[240]] == [BTC, ETH, SOL]
    assert {b.ts_event for group in last.bars.values() for b in group} == {last.ts_event}
    assert (r.instants, r.bars) == (16, 33)


def test_an_instant_in_which_nothing_closes_is_published_as_it_came() -> None:
    r = router((BTC, 5))
    given = instant(5, bar(BTC, 5, 5), marks=((BTC, 2.0),))
    assert r.hear_instant(given) is given


def test_buckets_left_open_by_silence_come_with_their_own_time_before_the_bars_of_now() -> None:
    r = router((BTC, 5))
    r.hear_instant(instant(5, bar(BTC, 5, 5, volume=2.0)))
    late = r.hear_instant(instant(75, bar(BTC, 5, 75)))
    assert late is not None
    assert [(b.minutes, (b.ts_event - NOON) // MINUTE_NS) for m in late.bars for b in late.bars[m]] == [
        (60, 60), (15, 15), (15, 75), (5, 75),
    ]  # fmt: skip
    assert late.bars[15][0].volume == 2.0


def test_an_instant_without_bars_closes_what_is_due() -> None:
    r = router((BTC, 5))
    r.hear_instant(instant(5, bar(BTC, 5, 5)))
    settled = r.hear_instant(instant(15, funding=(Funding(BTC, NOON, 0.0001),)))
    assert settled is not None
    assert [b.minutes for b in settled.bars[15]] == [15]
    assert settled.funding


def test_a_bar_that_comes_after_its_bucket_was_published_changes_nothing_published() -> None:
    r = router((BTC, 5))
    for after in (5, 10, 15):
        r.hear_instant(instant(after, bar(BTC, 5, after)))
    r.hear_instant(instant(20, bar(BTC, 5, 20), bar(BTC, 5, 10, volume=50.0)))
    second = r.hear_instant(instant(30, bar(BTC, 5, 30)))
    assert second is not None
    assert [(b.ts_event, b.volume) for b in second.bars[15]] == [(NOON + 30 * MINUTE_NS, 2.0)]
    assert r.higher.late == 1


def test_the_desk_clock_is_set_at_open_before_anything_of_the_instant() -> None:
    r = router((BTC, 5))
    r.on_data(mark(NOON, OPEN))
    assert r.desk_clock.now_ns == NOON
    assert r.said == []


def test_what_was_executed_is_settled_at_the_next_open_and_at_the_end() -> None:
    r = router((BTC, 5))
    r.hear_instant(instant(5, bar(BTC, 5, 5)))
    r.hear_instant(instant(10, bar(BTC, 5, 10)))
    r.on_data(mark(NOON + 10 * MINUTE_NS, END))
    assert r.topics() == [bus.INSTANT, bus.SETTLED, bus.INSTANT, bus.SETTLED]
    assert [m for t, m in r.said if t == bus.SETTLED] == [NOON + 5 * MINUTE_NS, NOON + 10 * MINUTE_NS]
    assert r.clock_at[1] == NOON + 5 * MINUTE_NS  # settled in the time of what it settles


def test_in_the_quiet_after_an_instant_it_is_settled_at_once_unless_an_order_is_in_flight() -> None:
    r = router((BTC, 5))
    r.on_data(mark(NOON, QUIET))  # before the first instant there is nothing to settle
    r.hear_instant(instant(5, bar(BTC, 5, 5)))
    r.orders = [SimpleNamespace(parent_order_id=None, is_open=False)]
    r.on_data(mark(NOON + 5 * MINUTE_NS, QUIET))
    assert r.topics() == [bus.INSTANT]
    r.orders = []
    r.on_data(mark(NOON + 5 * MINUTE_NS, QUIET))
    assert r.said[1:] == [(bus.SETTLED, NOON + 5 * MINUTE_NS), (bus.QUIET, NOON + 5 * MINUTE_NS)]
    assert r.unsettled == 0


def test_orders_in_flight_at_the_next_open_are_counted_and_alarmed() -> None:
    r = router((BTC, 5))
    r.orders = [SimpleNamespace(parent_order_id=None, is_open=False)] * 2
    r.hear_instant(instant(5, bar(BTC, 5, 5)))
    assert r.unsettled == 0  # nothing was asked for before the first instant
    r.hear_instant(instant(10, bar(BTC, 5, 10)))
    assert r.unsettled == 2
    alarms = [message for topic, message in r.said if topic == bus.ALARM]
    assert [(a.kind, a.subject) for a in alarms if isinstance(a, Alarm)] == [("unsettled", "router")]


def test_a_stop_that_waits_for_its_entry_is_not_in_flight() -> None:
    r = router((BTC, 5))
    r.orders = [SimpleNamespace(parent_order_id="entry", is_open=False)]
    r.hear_instant(instant(5, bar(BTC, 5, 5)))
    r.hear_instant(instant(10, bar(BTC, 5, 10)))
    assert r.unsettled == 0
    assert bus.ALARM not in r.topics()


def test_warm_up_comes_once_in_its_own_time_and_before_the_first_instant() -> None:
    warm = [instant(-10, bar(BTC, 5, -10), warm_only=True), instant(-5, bar(BTC, 5, -5), warm_only=True)]
    r = router((BTC, 5), warm_up=iter(warm))
    r.hear_instant(instant(5, bar(BTC, 5, 5)))
    r.hear_instant(instant(10, bar(BTC, 5, 10)))
    heard = [message.ts_event for topic, message in r.said if topic == bus.INSTANT]
    assert heard == [NOON + k * MINUTE_NS for k in (-10, -5, 5, 10)]
    assert r.clock_at[0] == NOON - 10 * MINUTE_NS
    assert (r.instants, r.first_ts) == (2, NOON + 5 * MINUTE_NS)  # warm-up is not counted


def test_bars_before_the_start_fill_the_open_buckets_and_closed_ones_are_not_published_again() -> None:
    # Noon opens a 4h bucket; the run starts at 12:50, so 12:15 to 12:45 closed before it.
    seed = {BTC: [bar(BTC, 5, after, volume=1.0) for after in range(5, 55, 5)]}
    r = router((BTC, 5), seed=seed, start_ns=NOON + 50 * MINUTE_NS)
    first = r.hear_instant(instant(55, bar(BTC, 5, 55)))
    assert first is not None
    assert list(first.bars) == [5]
    hour = r.hear_instant(instant(60, bar(BTC, 5, 60)))
    assert hour is not None
    assert [(b.minutes, b.volume) for m in (60, 15) for b in hour.bars[m]] == [(60, 12.0), (15, 3.0)]


def test_a_feed_of_slow_bars_alone_builds_only_what_is_slower() -> None:
    r = router((BTC, 60))
    for after in (60, 120, 180):
        r.hear_instant(instant(after, bar(BTC, 60, after)))
    last = r.hear_instant(instant(240, bar(BTC, 60, 240)))
    assert last is not None
    assert list(last.bars) == [240, 60]
