"""Instants as engine data: mark OPEN, the fine bars, funding, mark CLOSE, all with the same `ts`.

The CLOSE mark carries the whole `Instant` by reference, so the desk acts on exactly the values that the venue
has just matched, without converting engine bars back.  Backtest, replay and live clients emit this sequence.

Guarantees: engine bars are built from the very rows of the instant; a funding settlement is preceded by a
mark price equal to the price the desk's ledger uses (the mark of that moment, else the last close), so engine
and ledger settle the same amount; funding carries its own interval boundary, never shifted by a period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from nautilus_trader.model import (
    Bar as EngineBar,
)
from nautilus_trader.model import (
    BarType,
    ClientId,
    CustomData,
    DataType,
    FundingRateUpdate,
    InstrumentId,
    MarkPriceUpdate,
    Price,
    Quantity,
)

from risk.vocabulary import MINUTE_NS, Alarm, Bar, Instant, InstrumentRules

OPEN: Final = 0
CLOSE: Final = 1
END: Final = 2
NOTICE: Final = 3  # something the desk's record must know of the feed; no moment of the market
RESTORE: Final = 4  # before the first instant of a resumed run: load the state, open again what was held
RESTORED: Final = 5  # the venue has done what RESTORE asked for
CALL: Final = 6  # between two instants: call something on the node's thread
QUIET: Final = 7  # after an instant nothing has come for a moment

MARK_TYPE: Final = DataType("InstantMark")

_UNITS = {1: "1-MINUTE", 5: "5-MINUTE", 15: "15-MINUTE", 60: "1-HOUR", 240: "4-HOUR"}
_FUNDING_INTERVALS_MINUTES = (480, 240, 120, 60, 1)


class InstantMark:
    """Custom data of the engine: the beginning or the end of an instant, or what stands between two."""

    __slots__ = ("alarm", "call", "instant", "phase", "ts_event", "ts_init")

    def __init__(
        self,
        ts_event: int,
        phase: int,
        instant: Instant | None = None,
        alarm: Alarm | None = None,
        call: Callable[[], None] | None = None,
    ) -> None:
        self.ts_event = ts_event
        self.call = call
        # The engine settles funding when its time moves past the settlement: the desk decides after that.
        self.ts_init = ts_event + 1 if phase == CLOSE and instant and instant.funding else ts_event
        self.phase = phase
        self.instant = instant
        self.alarm = alarm


def feed_client(venue: str) -> ClientId:
    """Return the data client that emits the marks: the one of the venue."""
    return ClientId(venue)


def mark(ts: int, phase: int, instant: Instant | None = None) -> CustomData:
    """Return a mark as engine data."""
    return CustomData(MARK_TYPE, InstantMark(ts, phase, instant))


def notice(alarm: Alarm) -> CustomData:
    """Return an alarm of the feed as engine data: the router puts it on the desk's bus."""
    return CustomData(MARK_TYPE, InstantMark(alarm.ts_event, NOTICE, alarm=alarm))


def call_mark(ts: int, call: Callable[[], None]) -> CustomData:
    """Return the mark that has the router call something between two instants."""
    return CustomData(MARK_TYPE, InstantMark(ts, CALL, call=call))


def bar_type(instrument: str, minutes: int) -> BarType:
    """Return the engine's type of our own closed bars."""
    return BarType.from_str(f"{instrument}-{_UNITS[minutes]}-LAST-EXTERNAL")


class EngineFeed:
    """Turns instants into engine data; remembers the last price of each instrument for funding."""

    def __init__(self, rules: Mapping[str, InstrumentRules], base_minutes: Mapping[str, int]) -> None:
        self._digits = {name: (r.price_digits, r.size_digits) for name, r in rules.items()}
        self._ids = {name: InstrumentId.from_str(name) for name in rules}
        self._types = {name: bar_type(name, minutes) for name, minutes in base_minutes.items()}
        self._last: dict[str, float] = {}
        self._ready: dict[str, tuple[Bar, EngineBar]] = {}
        self.venue = min(rules).rpartition(".")[2]

    def engine_bar(self, bar: Bar, ts_init: int) -> EngineBar:
        """Return the engine's bar of a fine bar (prices on the grid of the instrument).

        `ts_init` is the instant that brings it: later than the bar's close if the bar came late.
        """
        price_digits, size_digits = self._digits[bar.instrument]
        return EngineBar(
            self._types[bar.instrument],
            Price(bar.open, price_digits),
            Price(bar.high, price_digits),
            Price(bar.low, price_digits),
            Price(bar.close, price_digits),
            Quantity(round(bar.volume, size_digits), size_digits),
            bar.ts_event,
            ts_init,
        )

    def prepare(self, bar: Bar) -> None:
        """Make the engine's bar ahead: of a bar that waits for the others of its moment."""
        self._ready[bar.instrument] = (bar, self.engine_bar(bar, bar.ts_event))

    def prepared(self, bar: Bar, ts_init: int) -> EngineBar:
        """Return `engine_bar`, the one that was prepared if it is the one."""
        ready = self._ready.pop(bar.instrument, None)
        if ready is not None and ready[0] is bar and ts_init == bar.ts_event:
            return ready[1]
        return self.engine_bar(bar, ts_init)

    def settlement(self, instant: Instant) -> list[Any]:
        """Return mark price and funding updates of an instant; call it for every instant, in order."""
        last = self._last
        for bars in instant.bars.values():
            for bar in bars:
                last[bar.instrument] = bar.close
        for name, price in instant.marks:
            last[name] = price
        updates: list[Any] = []
        ts = instant.ts_event
        for funding in instant.funding:
            if funding.instrument not in last:
                continue  # nothing can be held on an instrument without a price
            price = last[funding.instrument]
            iid, digits = self._ids[funding.instrument], self._digits[funding.instrument][0]
            updates.append(MarkPriceUpdate(iid, Price(price, digits), ts, ts))
            updates.append(
                FundingRateUpdate(
                    iid, Decimal(str(funding.rate)), ts, ts, interval=_interval(ts), next_funding_ns=None
                )
            )
        return updates


def sequence(feed: EngineFeed, instant: Instant) -> Iterator[Any]:
    """Yield what a live data client emits for an instant: OPEN, fine bars, funding, CLOSE."""
    ts = instant.ts_event
    yield mark(ts, OPEN)
    for bars in instant.bars.values():
        for bar in bars:
            yield feed.prepared(bar, ts)
    yield from feed.settlement(instant)
    yield mark(ts, CLOSE, instant)


def _interval(ts: int) -> int:
    """Return the longest usual interval on whose boundary `ts` lies: the engine settles at that boundary."""
    return next(m for m in _FUNDING_INTERVALS_MINUTES if ts % (m * MINUTE_NS) == 0)


def in_chunks(instants: Iterable[Instant], span_ns: int) -> Iterator[list[Instant]]:
    """Yield lists of instants that span at most `span_ns`, so that engine data need not exist all at once."""
    chunk: list[Instant] = []
    for instant in instants:
        if chunk and instant.ts_event - chunk[0].ts_event >= span_ns:
            yield chunk
            chunk = []
        chunk.append(instant)
    if chunk:
        yield chunk
