"""InstantFeed: what a venue's client hears becomes OPEN, bars, funding and CLOSE of whole instants.

A client keeps its own life: it hands over what arrives (`bar`, `quote`, ...), starts the feed when the desk
subscribes to the marks, and stays a normal data client for anybody else.

Guarantees: instants leave in time order, each once, also when nothing arrives (a timer closes them when their
grace period ends, so desk time goes on and silence is seen); a task of the client that raises is told,
counted and started again with growing pauses, and after `give_up_s` without a bar the feed ends with its
reason; gaps are asked for by request and never filled otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import asdict
from typing import Any

from adapters.live.clock import FeedClock, WallClock
from adapters.live.gate import InstantGate
from adapters.live.health import FeedHealth, Restarts
from adapters.live.quiet import Quiet
from adapters.live.stopwatch import Stopwatch
from catalog.arrivals import Gap
from catalog.assembler import InstantAssembler
from catalog.feed import CLOSE, END, QUIET, EngineFeed, mark, notice, sequence
from risk.vocabulary import Alarm, Bar, Funding, Instant, Quote

SECOND_NS = 1_000_000_000
GRACE_NS = 5 * SECOND_NS  # how long after its close a bar is waited for
GIVE_UP_S = 900.0  # without a single bar
REQUEST_TIMEOUT_S = 20.0
BACKFILL_PAUSES_S = (1.0, 5.0, 15.0, 60.0)  # between the attempts to fill a gap
ACKNOWLEDGEMENT_WINDOW = 64
SILENT_INSTANTS = 3  # late in a row before it is told

Spawn = Callable[[Coroutine[Any, Any, None], str], Any]
FEED_GAP = "feed_gap"
"""Kind of the alarm of bars that the venue does not have."""
UNSETTLED_END = "unsettled_end"
"""Kind of the alarm of a run that stopped while something was on its way to or from the venue."""

BeforeEnd = Callable[[], Awaitable[str]]
Backfill = Callable[[Gap], Awaitable[Iterable[Bar]]]


class InstantFeed:
    """The desk's side of a live data client.

    Parameters
    ----------
    assembler : InstantAssembler
        Makes the instants.
    engine_feed : EngineFeed
        Turns them into engine data.
    backfill : callable, optional
        Returns the closed bars of a gap that the venue has; an empty answer means that it has none.
    before_end : callable, optional
        Awaited when the feed ends, before the desk hears of it: lets a venue settle what is in flight.
        Returns what did not settle.
    prologue, before_first : iterable
        What the desk hears when it has subscribed, and what it hears before the first instant: an `Instant`
        among it is a moment of the market that it missed.
    """

    def __init__(
        self,
        assembler: InstantAssembler,
        engine_feed: EngineFeed,
        *,
        backfill: Backfill | None = None,
        clock: FeedClock | None = None,
        before_end: BeforeEnd | None = None,
        prologue: Iterable[Any] = (),
        before_first: Iterable[Any] = (),
        give_up_s: float = GIVE_UP_S,
        restarts: Restarts | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self.assembler, self.engine_feed = assembler, engine_feed
        self.gate = InstantGate(ACKNOWLEDGEMENT_WINDOW)
        self.stopwatch = stopwatch or Stopwatch()
        self.failure = ""
        self.ended = ""
        self.connected = False
        self._backfill, self._before_end = backfill, before_end
        self._prologue, self._before_first = list(prologue), iter(before_first)
        self._missed = 0  # moments that were missed and are on their way
        self._clock: FeedClock = clock or WallClock()
        self._give_up_ns = round(give_up_s * SECOND_NS)
        self._restarts = restarts or Restarts()
        self._emit: Callable[[Any], None] | None = None
        self._spawn: Spawn | None = None
        self._heard: dict[str, int] = {}
        self._heard_bar_ns = 0
        self._last_error = ""
        self._late_in_row: dict[str, int] = {}
        self._quiet = Quiet(lambda: self.say(mark(self.assembler.finished_ns, QUIET)))
        self._filling = False
        self._asked: dict[Gap, int] = {}

    # --- life ----------------------------------------------------------------------------------------------

    def start(self, emit: Callable[[Any], None], spawn: Spawn) -> None:
        """Begin to publish; `emit` is the client's `_handle_data`, `spawn` its `create_task`."""
        if self._emit is not None:
            return
        self._emit, self._spawn = emit, spawn
        self._heard_bar_ns = self._clock.now_ns()
        self.gate.open()
        for data in self._prologue:
            emit(data)
        spawn(self._keep_time(), "instants")

    def supervise(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task of the client for ever: one that raises or returns is started again after a pause."""
        if self._spawn is None:
            raise RuntimeError(f"the feed was not started, so {name} cannot be supervised")
        self._spawn(self._supervise(name, work), name)

    def end(self, reason: str) -> None:
        """End the feed: no instant comes any more, and the desk hears END once and stops."""
        if self.ended or self._emit is None:
            self.ended = self.ended or reason
            return
        self.ended = reason
        self._quiet.over()
        if self._before_end is None or self._spawn is None:
            self._emit(mark(self.assembler.finished_ns, END))
        else:
            self._spawn(self._end_settled(self._emit, self._before_end), "end")

    async def _end_settled(self, emit: Callable[[Any], None], before_end: BeforeEnd) -> None:
        ts = self.assembler.finished_ns
        try:
            unsettled = await before_end()
        except Exception as error:  # noqa: BLE001 - the end must come, whatever happened on the way
            unsettled = f"{type(error).__name__}: {error}"
        if unsettled:
            emit(notice(Alarm(ts, UNSETTLED_END, "venue", unsettled)))
        emit(mark(ts, END))

    @property
    def is_behind(self) -> bool:
        """Whether the desk goes through moments that it missed."""
        return self._missed > 0

    @property
    def is_started(self) -> bool:
        """Whether the desk has subscribed."""
        return self._emit is not None

    def say(self, data: Any) -> None:
        """Hand something to the desk between two instants (on the client's loop)."""
        if self._emit is not None and not self.ended:
            self._emit(data)

    def fail(self, reason: str) -> None:
        """End the feed because it cannot go on."""
        self.failure = self.failure or reason
        self.end(f"feed failed: {reason}")

    def on_phase(self, phase: int) -> None:
        """Take note that the desk has handled a mark."""
        if phase != CLOSE:
            return
        if self._missed:
            self._missed -= 1  # whatever followed from it, it was not late
        else:
            self.stopwatch.handled()
        self.gate.passed()

    # --- what arrives --------------------------------------------------------------------------------------

    def bar(self, bar: Bar) -> None:
        """Hand over a closed fine bar."""
        now = self._clock.now_ns()
        self._heard[bar.instrument] = self._heard_bar_ns = now
        finished = self.assembler.bar(bar, now)
        if not finished and self.assembler.awaits_others(bar):
            self.engine_feed.prepare(bar)
        self._publish(finished)

    def funding(self, funding: Funding) -> None:
        """Hand over a settled funding rate."""
        self._publish(self.assembler.funding(funding, self._clock.now_ns()))

    def mark_price(self, instrument: str, ts_event: int, price: float) -> None:
        """Hand over a mark price."""
        now = self._clock.now_ns()
        self._heard[instrument] = now
        self._publish(self.assembler.mark(instrument, ts_event, price, now))

    def reference(self, instrument: str, ts_event: int, price: float) -> None:
        """Hand over an index (else spot) price."""
        self._publish(self.assembler.reference(instrument, ts_event, price, self._clock.now_ns()))

    def quote(self, quote: Quote) -> None:
        """Hand over best bid and ask."""
        now = self._clock.now_ns()
        self._heard[quote.instrument] = now
        self._publish(self.assembler.quote(quote, now))

    def tell(self, kind: str, subject: str, detail: str) -> None:
        """Put an alarm of the feed on the desk's record."""
        if self._emit is not None and not self.ended:
            ts = self.assembler.finished_ns
            self._emit(notice(Alarm(ts, kind, subject, detail)))

    def health(self) -> FeedHealth:
        """Return how the feed is doing now."""
        now, assembler = self._clock.now_ns(), self.assembler
        names = assembler.base_minutes
        return FeedHealth(
            connected=self.connected,
            counts=assembler.counts,
            arrival_age_s={n: _age_s(now, self._heard.get(n)) for n in names},
            bar_age_s={n: _age_s(now, assembler.last_bar.get(n)) for n in names},
            missing_bars=sum(gap.bars for gap in assembler.gaps()),
            restarts=self._restarts.total,
            backlog=self.gate.backlog,
            last_error=self._last_error,
            failure=self.failure,
        )

    def figures(self) -> dict[str, Any]:
        """Return what arrived and what was wrong with it, for the summary of a run."""
        health = self.health()
        return {
            **asdict(health.counts), "restarts": health.restarts, "not_backfilled": health.missing_bars,
            "last_error": health.last_error,
        }  # fmt: skip

    def unready(self) -> str:
        """Return why trading may not begin yet, empty once all is well; safe to call from any thread."""
        if self.failure:
            return self.failure
        last = f"; last error: {self._last_error}" if self._last_error else ""
        if not self.connected:
            return f"not connected{last}"
        silent = [name for name in self.assembler.base_minutes if name not in self._heard]
        return f"nothing heard of {', '.join(silent)}{last}" if silent else ""

    # --- inside --------------------------------------------------------------------------------------------

    def _publish(self, instants: list[Instant]) -> None:
        for error in self.assembler.take_errors():
            self._last_error = f"{error.fault} {error.instrument}: {error.detail}"
            self.tell(f"feed_{error.fault}", error.instrument, error.detail)
        if self._emit is None or self.ended:
            return
        for instant in instants:
            for data in self._before_first:
                if isinstance(data, Instant):
                    self._missed += 1
                    self.gate.sent()
                    self._send(data)
                else:
                    self._emit(data)
            self.gate.sent()
            self.stopwatch.sent(instant.ts_event)
            self._send(instant)
            if instant.late or self._late_in_row:
                self._watch_silence(instant)
        if instants:
            self._quiet.begin()

    def _send(self, instant: Instant) -> None:
        assert self._emit is not None
        for data in sequence(self.engine_feed, instant):
            self._emit(data)

    def _watch_silence(self, instant: Instant) -> None:
        """Tell when an instrument has been late for some instants in a row, and when it is back."""
        rows = self._late_in_row
        for name in instant.late:
            rows[name] = rows.get(name, 0) + 1
            if rows[name] == SILENT_INSTANTS:
                self.tell("feed_silent", name, f"no bar in time for {SILENT_INSTANTS} instants")
        for name in [name for name in rows if name not in instant.late]:
            if rows.pop(name) >= SILENT_INSTANTS and any(
                bar.instrument == name for bars in instant.bars.values() for bar in bars
            ):
                self.tell("feed_recovered", name, "a bar came in time again")

    async def _keep_time(self) -> None:
        """Close instants when their grace period ends, ask for gaps, give up when nothing comes any more."""
        while not self.ended:
            await self._clock.sleep_until(self.assembler.deadline_ns)
            now = self._clock.now_ns()
            self._publish(self.assembler.on_time(now))
            silent_ns = now - self._heard_bar_ns
            if silent_ns > self._give_up_ns:
                reason = f"no bar for {silent_ns / 1e9:.0f} s"
                self.fail(f"{reason}; last error: {self._last_error}" if self._last_error else reason)
            elif self._backfill is not None and not self._filling and self._spawn is not None:
                gaps = [gap for gap in self.assembler.gaps() if self._asked.get(gap, 0) <= now]
                if gaps:
                    self._filling = True
                    self._spawn(self._fill(gaps), "backfill")

    async def _fill(self, gaps: list[Gap]) -> None:
        try:
            for gap in gaps:
                await self._fill_one(gap)
        finally:
            self._filling = False

    async def _fill_one(self, gap: Gap) -> None:
        assert self._backfill is not None
        for pause_s in (*BACKFILL_PAUSES_S, None):
            try:
                bars = list(await asyncio.wait_for(self._backfill(gap), REQUEST_TIMEOUT_S))
            except Exception as error:  # noqa: BLE001 - told, and asked again
                self._last_error = f"backfill of {gap.instrument}: {type(error).__name__}: {error}"
            else:
                for bar in bars:
                    self.bar(bar)
                left = [g for g in self.assembler.gaps() if _overlap(g, gap)]
                if not left:
                    self.tell("feed_backfilled", gap.instrument, f"{gap.bars} bars")
                    return
            if pause_s is not None:
                await self._clock.sleep_until(self._clock.now_ns() + round(pause_s * SECOND_NS))
        for left_gap in [g for g in self.assembler.gaps() if _overlap(g, gap)]:
            self.assembler.accept(left_gap)
            self.tell(FEED_GAP, gap.instrument, f"{left_gap.bars} bars that the venue does not have")

    async def _supervise(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while not self.ended:
            try:
                await work()
                reason = "it returned"
            except Exception as error:  # noqa: BLE001 - a task that raises is only logged by the engine
                reason = f"{type(error).__name__}: {error}"
            if self.ended:
                return
            self.connected = False
            self._last_error = f"{name}: {reason}"
            pause_s = self._restarts.wait_s(self._clock.now_ns() / SECOND_NS)
            self.tell("feed_restart", name, f"{reason}; again in {pause_s:.1f} s")
            await self._clock.sleep_until(self._clock.now_ns() + round(pause_s * SECOND_NS))


def _age_s(now_ns: int, then_ns: int | None) -> float | None:
    return None if then_ns is None else (now_ns - then_ns) / SECOND_NS


def _overlap(a: Gap, b: Gap) -> bool:
    return a.instrument == b.instrument and a.first_ns <= b.last_ns and b.first_ns <= a.last_ns
