"""From what a live feed delivers, in whatever order, to whole instants in time order.

Guarantees: an instant is closed once, when every bar expected at its moment is in or when the grace period
after it ends, and instants come in time order; each bar is used at most once and none is invented; nothing
newer than its moment is in an instant, however late it is closed.  A bar that comes too late is counted and
its instrument is named in the `late` of that instant; it enters the next one if it is newer than all of its
instrument that were published, else it is `backfilled` and only completes higher timeframes.  What cannot be
used is reported, never dropped in silence.  No clock of its own: the time of arrival is handed in, so a
recorded hour can be assembled again in a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from catalog.arrivals import (
    CLOCK_TOLERANCE_NS,
    REMEMBERED_NS,
    FeedCounts,
    FeedError,
    FeedFault,
    Gap,
    bar_problem,
    coalesce,
)
from catalog.deliveries import place
from risk.vocabulary import MINUTE_NS, Bar, Funding, Instant, Quote

KEPT_ERRORS = 1000
KEPT_SETTLEMENTS = 16
_HOUR_NS = 60 * MINUTE_NS

Newest = dict[int, dict[str, tuple[int, float]]]  # moment -> instrument -> (ts_event, price)


class InstantAssembler:
    """Assembles instants; every method that takes something returns the instants it has finished.

    Parameters
    ----------
    base_minutes : Mapping[str, int]
        Fine timeframe of each instrument; all are multiples of the smallest.
    grace_ns : int
        How long after a moment its bars are waited for; a bar that arrives later is late.
    start_ns : int
        The first moment is the first one after it; what is older is counted as expired.
    """

    def __init__(self, base_minutes: Mapping[str, int], grace_ns: int, start_ns: int) -> None:
        if not base_minutes:
            raise ValueError("no instruments to assemble, expected at least one")
        if grace_ns <= 0:
            raise ValueError(f"grace_ns was {grace_ns}, expected a positive number of nanoseconds")
        finest = min(base_minutes.values())
        odd = {name: m for name, m in base_minutes.items() if m % finest}
        if odd:
            raise ValueError(f"timeframes were {odd}, expected multiples of the finest ({finest} minutes)")
        self.base_minutes = dict(sorted(base_minutes.items()))
        self.grace_ns = grace_ns
        self.counts = FeedCounts()
        self.finished_ns = start_ns
        self.last_bar: dict[str, int] = {}  # instrument -> close of its newest bar used
        self._start_ns = start_ns
        self._step_ns = finest * MINUTE_NS
        self._moment = self._moment_of(start_ns + 1)
        self._expected_at: dict[int, frozenset[str]] = {}  # by residue of the moment
        self._waiting: dict[int, dict[str, tuple[Bar, int]]] = {}
        self._belated: list[Bar] = []
        self._seen: dict[str, dict[int, Bar]] = {name: {} for name in base_minutes}
        self._missing: dict[str, set[int]] = {name: set() for name in base_minutes}
        self._funding: list[Funding] = []
        self._settled: dict[str, dict[int, float]] = {}
        self._marks: Newest = {}
        self._references: Newest = {}
        self._quotes: dict[int, dict[str, Quote]] = {}
        self._errors: list[FeedError] = []
        self._next_forgotten = 0  # index of the instrument whose turn it is

    # --- what arrives --------------------------------------------------------------------------------------

    def bar(self, bar: Bar, arrived_ns: int) -> list[Instant]:
        """Take a closed fine bar over."""
        name, ts = bar.instrument, bar.ts_event
        if self.base_minutes.get(name) != bar.minutes:
            self._refuse(FeedFault.UNKNOWN, name, ts, arrived_ns, f"{name} at {bar.minutes} minutes")
            return []
        problem = bar_problem(bar)
        if problem:
            self._refuse(FeedFault.MALFORMED, name, ts, arrived_ns, problem)
            return []
        if ts > arrived_ns + CLOCK_TOLERANCE_NS:
            ahead = (ts - arrived_ns) / 1e9
            self._refuse(FeedFault.FORMING, name, ts, arrived_ns, f"closes {ahead:.1f} s after its arrival")
            return []
        known = self._seen[name].get(ts)
        if known is not None:
            self._repeated(known, bar, arrived_ns)
            return []
        if ts <= max(self._start_ns, self._moment - self._step_ns - REMEMBERED_NS):
            self.counts.expired += 1
            return []
        self._seen[name][ts] = bar
        if ts < self._moment:
            self._take_late(bar)
            return []
        self._waiting.setdefault(ts, {})[name] = (bar, arrived_ns)
        return self._complete()

    def funding(self, funding: Funding, arrived_ns: int) -> list[Instant]:
        """Take a settled rate over; its stamp is moved onto the settlement's minute."""
        name, ts = funding.instrument, _settlement(funding.ts_event)
        if name not in self.base_minutes:
            self._refuse(FeedFault.UNKNOWN, name, ts, arrived_ns, f"funding of {name}")
        elif not math.isfinite(funding.rate):
            self._refuse(FeedFault.MALFORMED, name, ts, arrived_ns, f"funding rate {funding.rate}")
        elif ts > arrived_ns + CLOCK_TOLERANCE_NS:
            self._refuse(FeedFault.FORMING, name, ts, arrived_ns, "funding that is not settled yet")
        elif ts <= max(self._start_ns, self.finished_ns - REMEMBERED_NS):
            self.counts.expired += 1
        else:
            self._take_funding(funding._replace(ts_event=ts), arrived_ns)
        return []

    def mark(self, instrument: str, ts_event: int, price: float, arrived_ns: int) -> list[Instant]:
        """Take a mark price over; the newest one not after a moment belongs to it."""
        self._take_price(self._marks, "mark price", instrument, ts_event, price, arrived_ns)
        return []

    def reference(self, instrument: str, ts_event: int, price: float, arrived_ns: int) -> list[Instant]:
        """Take an index (else spot) price over."""
        self._take_price(self._references, "index price", instrument, ts_event, price, arrived_ns)
        return []

    def quote(self, quote: Quote, arrived_ns: int) -> list[Instant]:
        """Take best bid and ask over; the newest quote not after a moment belongs to it."""
        name, ts, bid, ask = quote
        if name not in self.base_minutes:
            self._refuse(FeedFault.UNKNOWN, name, ts, arrived_ns, f"quote of {name}")
            return []
        if not (0.0 < bid <= ask < math.inf):
            self._refuse(FeedFault.MALFORMED, name, ts, arrived_ns, f"bid {bid}, ask {ask}")
            return []
        self.counts.quotes += 1
        if ts <= self.finished_ns:
            self.counts.quotes_late += 1
            return []
        at = self._quotes.setdefault(self._moment_of(ts), {})
        known = at.get(name)
        if known is None or ts >= known.ts_event:
            at[name] = quote
        return []

    def on_time(self, now_ns: int) -> list[Instant]:
        """Close every moment whose grace period has ended."""
        done: list[Instant] = []
        while self._moment + self.grace_ns <= now_ns:
            done.append(self._close())
            done += self._complete()
        return done

    @property
    def deadline_ns(self) -> int:
        """When `on_time` has something to close next."""
        return self._moment + self.grace_ns

    def awaits_others(self, bar: Bar) -> bool:
        """Say whether a bar was taken and its moment is still open."""
        waiting = self._waiting.get(bar.ts_event, {}).get(bar.instrument)
        return waiting is not None and waiting[0] is bar

    # --- what is reported ----------------------------------------------------------------------------------

    def gaps(self) -> list[Gap]:
        """Return the bars that are missing and may still be backfilled, by instrument and time."""
        oldest = self._moment - self._step_ns - REMEMBERED_NS
        found: list[Gap] = []
        for name, minutes in self.base_minutes.items():
            missing = self._missing[name]
            missing.difference_update([ts for ts in missing if ts <= oldest])
            found += coalesce(name, minutes, sorted(missing))
        return found

    def accept(self, gap: Gap) -> None:
        """Take note that a venue has no bars for a gap: it is not reported again."""
        step = gap.minutes * MINUTE_NS
        self._missing[gap.instrument].difference_update(range(gap.first_ns, gap.last_ns + 1, step))

    def take_errors(self) -> list[FeedError]:
        """Return what was refused since the last call; at most `KEPT_ERRORS`, the count says how many."""
        errors, self._errors = self._errors, []
        return errors

    # --- inside --------------------------------------------------------------------------------------------

    def _moment_of(self, ts: int) -> int:
        return -(-ts // self._step_ns) * self._step_ns

    def _expected(self, moment: int) -> frozenset[str]:
        residue = moment % _DAY_NS
        names = self._expected_at.get(residue)
        if names is None:
            names = frozenset(n for n, m in self.base_minutes.items() if moment % (m * MINUTE_NS) == 0)
            self._expected_at[residue] = names
        return names

    def _complete(self) -> list[Instant]:
        done: list[Instant] = []
        while len(self._waiting.get(self._moment, ())) == len(self._expected(self._moment)) > 0:
            done.append(self._close())
        return done

    def _close(self) -> Instant:
        moment, counts = self._moment, self.counts
        arrived = self._waiting.pop(moment, {})
        deadline = moment + self.grace_ns
        late = []
        for name in sorted(self._expected(moment)):
            if name not in arrived:
                self._missing[name].add(moment)
                counts.missing += 1
                late.append(name)
            elif arrived[name][1] > deadline:
                counts.late += 1
                late.append(name)
            else:
                counts.bars += 1
        here = [*self._belated, *(bar for bar, _ in arrived.values())]
        bars, backfilled = place(here, self.last_bar)
        counts.backfilled += len(backfilled)
        funding, self._funding = _split(self._funding, moment)
        instant = Instant(
            moment,
            bars,
            tuple(funding),
            _prices(self._marks, moment),
            _prices(self._references, moment),
            tuple(quote for _, quote in sorted(self._quotes.pop(moment, {}).items())),
            tuple(late),
            False,
            backfilled,
        )
        self._belated = []
        self.finished_ns = moment
        self._moment = moment + self._step_ns
        counts.instants += 1
        self._forget()
        return instant

    def _take_late(self, bar: Bar) -> None:
        self._missing[bar.instrument].discard(bar.ts_event)
        self.counts.late += 1
        self._belated.append(bar)

    def _take_funding(self, funding: Funding, arrived_ns: int) -> None:
        settled = self._settled.setdefault(funding.instrument, {})
        known = settled.get(funding.ts_event)
        if known is None:
            settled[funding.ts_event] = funding.rate
            while len(settled) > KEPT_SETTLEMENTS:
                del settled[min(settled)]
            self._funding.append(funding)
            self.counts.funding += 1
        elif known == funding.rate:
            self.counts.duplicate += 1
        else:
            self._refuse(
                FeedFault.CONFLICT, funding.instrument, funding.ts_event, arrived_ns,
                f"funding rate {funding.rate} after {known}; the first one stands",
            )  # fmt: skip

    def _take_price(self, into: Newest, what: str, name: str, ts: int, price: float, arrived_ns: int) -> None:
        if name not in self.base_minutes:
            self._refuse(FeedFault.UNKNOWN, name, ts, arrived_ns, f"{what} of {name}")
        elif not (0.0 < price < math.inf):
            self._refuse(FeedFault.MALFORMED, name, ts, arrived_ns, f"{what} {price}")
        elif ts > self.finished_ns:
            at = into.setdefault(self._moment_of(ts), {})
            if name not in at or ts >= at[name][0]:
                at[name] = (ts, price)

    def _repeated(self, known: Bar, bar: Bar, arrived_ns: int) -> None:
        if known == bar:
            self.counts.duplicate += 1
            return
        differing = next(f for f, a, b in zip(Bar._fields, known, bar, strict=True) if a != b)
        self._refuse(
            FeedFault.CONFLICT, bar.instrument, bar.ts_event, arrived_ns,
            f"{differing} {getattr(bar, differing)} after {getattr(known, differing)}; the first one stands",
        )  # fmt: skip

    def _refuse(self, fault: FeedFault, name: str, ts: int, arrived_ns: int, detail: str) -> None:
        self.counts.refused += 1
        if len(self._errors) < KEPT_ERRORS:
            self._errors.append(FeedError(fault, name, ts, arrived_ns, detail))

    def _forget(self) -> None:
        """Drop bars that nothing can repeat or complete: of one instrument, lest a moment wait for it."""
        names = list(self._seen)
        name = names[self._next_forgotten % len(names)]
        self._next_forgotten += 1
        oldest = self.finished_ns - REMEMBERED_NS
        self._seen[name] = {ts: bar for ts, bar in self._seen[name].items() if ts > oldest}


_DAY_NS = 24 * _HOUR_NS


def _split(settled: list[Funding], moment: int) -> tuple[list[Funding], list[Funding]]:
    now = sorted((f for f in settled if f.ts_event <= moment), key=lambda f: (f.ts_event, f.instrument))
    return now, [f for f in settled if f.ts_event > moment]


def _prices(newest: Newest, moment: int) -> tuple[tuple[str, float], ...]:
    return tuple((name, price) for name, (_, price) in sorted(newest.pop(moment, {}).items()))


def _settlement(ts: int) -> int:
    """Return the stamp on its hour when within a minute of it, else on the nearest minute."""
    hour = (ts + _HOUR_NS // 2) // _HOUR_NS * _HOUR_NS
    if abs(ts - hour) <= MINUTE_NS:
        return hour
    return (ts + MINUTE_NS // 2) // MINUTE_NS * MINUTE_NS
