"""From a catalog to the instants of a run: one assembly for backtest, replay and warm-up.

Guarantees: bars of one instant are ordered by instrument id whatever the catalog's order; funding, marks and
references lie at the instant at which they became known; an instant exists for every moment with a bar or a
settlement, and holds the newest quote of each instrument since the instant before; what a recorded feed
delivered late comes in the instant that brought it; warm-up instants end at the start of the run.  Higher
timeframes of the run itself are built by the router, not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from catalog.deliveries import as_delivered, deliveries
from catalog.schema import Kind, QuoteArrays
from catalog.store import Catalog
from catalog.timeframes import BarArrays, Ints
from risk.vocabulary import DAY_NS, MINUTE_NS, Bar, Funding, Instant, Quote

WARM_MARGIN_BARS = 5
ROLLING_DAY_NS = DAY_NS + 60 * MINUTE_NS  # the market view wants 24 h of fine bars


@dataclass(frozen=True, slots=True)
class RunWindow:
    """What a run looks at: instruments with their finest bars, and (start, end] by bar close."""

    base_minutes: Mapping[str, int]
    start_ns: int
    end_ns: int
    quotes: Mapping[str, tuple[Quote, ...]] = field(default_factory=dict)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Instrument ids in order."""
        return tuple(sorted(self.base_minutes))


@dataclass(slots=True)
class _Extras:
    """Everything but bars, keyed by the moment at which it became known."""

    funding: dict[int, list[Funding]] = field(default_factory=dict)
    marks: dict[int, list[tuple[str, float]]] = field(default_factory=dict)
    references: dict[int, list[tuple[str, float]]] = field(default_factory=dict)
    quotes: dict[str, QuoteArrays] = field(default_factory=dict)  # by instrument, in time order
    moments: set[int] = field(default_factory=set)  # at which an instant must exist all the same


def run_instants(catalog: Catalog, window: RunWindow) -> Iterator[Instant]:
    """Yield the instants of the run: fine bars, settled funding, marks, references and quotes."""
    arrays = {
        (name, minutes): catalog.bars(name, minutes, window.start_ns, window.end_ns)
        for name, minutes in window.base_minutes.items()
    }
    extras = _extras(catalog, window.instruments, window.start_ns, window.end_ns)
    for name in window.instruments:
        extras.quotes[name] = _quotes_of(catalog, window, name)
    found = deliveries(catalog, window.base_minutes, window.start_ns, window.end_ns)
    extras.moments = {ts for ts in found.moments if ts <= window.end_ns}
    instants = _assemble(arrays, extras, warm_only=False)
    return as_delivered(instants, found) if found else instants


def warm_instants(
    catalog: Catalog,
    instruments: tuple[str, ...],
    start_ns: int,
    bars_needed: Mapping[int, int],
    funding_days: int,
) -> Iterator[Instant]:
    """Yield the instants before a start that fill the windows of rules, regimes and the market view.

    Parameters
    ----------
    bars_needed : mapping of int to int
        Timeframe in minutes -> closed bars wanted of it before the start.
    funding_days : int
        Days of settled funding wanted before the start.
    """
    arrays: dict[tuple[str, int], BarArrays] = {}
    held = {name: [s for s in catalog.sources(name) if s.kind == Kind.OHLCV] for name in instruments}
    for minutes, count in bars_needed.items():
        for name in instruments:
            first = [source.first_ns for source in held[name] if minutes % source.minutes == 0]
            if first:
                arrays[name, minutes] = _last_bars(catalog, name, minutes, count, start_ns, min(first))
    hours = bars_needed.get(60, 0) + WARM_MARGIN_BARS
    since = start_ns - max(funding_days * DAY_NS, hours * 60 * MINUTE_NS)
    return _assemble(arrays, _extras(catalog, instruments, since, start_ns), warm_only=True)


def _last_bars(
    catalog: Catalog, name: str, minutes: int, count: int, end_ns: int, first_ns: int
) -> BarArrays:
    """Return at least `count` bars before a moment if there are as many, however wide the gaps between."""
    span = (count + WARM_MARGIN_BARS) * minutes * MINUTE_NS
    while True:
        bars = catalog.bars(name, minutes, end_ns - span, end_ns)
        if len(bars) >= count or end_ns - span <= first_ns:
            return bars
        span *= 2


def open_bucket_bars(catalog: Catalog, window: RunWindow, largest_minutes: int) -> dict[str, list[Bar]]:
    """Return the fine bars before the start whose largest bucket is open at the start, by instrument."""
    frame = largest_minutes * MINUTE_NS
    begin = window.start_ns // frame * frame
    return {
        name: list(catalog.bars(name, minutes, begin, window.start_ns).bars(name, minutes))
        for name, minutes in window.base_minutes.items()
    }


def _extras(catalog: Catalog, instruments: tuple[str, ...], start_ns: int, end_ns: int) -> _Extras:
    extras = _Extras()
    for name in instruments:
        settled = catalog.funding(name, start_ns, end_ns)
        for ts, rate in zip(settled.ts_event.tolist(), settled.rate.tolist(), strict=True):
            extras.funding.setdefault(ts, []).append(Funding(name, ts, rate))
        for series, into in (
            (catalog.marks(name, start_ns, end_ns), extras.marks),
            (catalog.references(name, start_ns, end_ns), extras.references),
        ):
            for ts, price in zip(series.ts_event.tolist(), series.price.tolist(), strict=True):
                into.setdefault(ts, []).append((name, price))
    return extras


def _quotes_of(catalog: Catalog, window: RunWindow, name: str) -> QuoteArrays:
    given = [q for q in window.quotes.get(name, ()) if window.start_ns < q.ts_event <= window.end_ns]
    if not given:
        return catalog.quotes(name, window.start_ns, window.end_ns)
    _, stamps, bids, asks = zip(*sorted(given, key=lambda quote: quote.ts_event), strict=True)
    return QuoteArrays(np.array(stamps, np.int64), np.array(bids), np.array(asks))


def _newest_quotes(quotes: Mapping[str, QuoteArrays], moments: Ints) -> dict[int, tuple[Quote, ...]]:
    """Return for each moment the newest quote of each instrument since the moment before it."""
    newest: dict[int, list[Quote]] = {}
    for name, held in sorted(quotes.items()):
        at = np.searchsorted(moments, held.ts_event, side="left")
        last = np.flatnonzero(np.append(at[1:] != at[:-1], True)) if len(at) else at
        last = last[at[last] < len(moments)]
        for row, moment in zip(last.tolist(), moments[at[last]].tolist(), strict=True):
            quote = Quote(name, int(held.ts_event[row]), float(held.bid[row]), float(held.ask[row]))
            newest.setdefault(moment, []).append(quote)
    return {moment: tuple(rows) for moment, rows in newest.items()}


def _assemble(
    arrays: Mapping[tuple[str, int], BarArrays], extras: _Extras, *, warm_only: bool
) -> Iterator[Instant]:
    keys = sorted(arrays, key=lambda key: (-key[1], key[0]))  # slowest first, then by instrument id
    keys = [key for key in keys if len(arrays[key])]
    stamps = np.concatenate([arrays[key].ts_event for key in keys]) if keys else np.empty(0, np.int64)
    which = np.repeat(np.arange(len(keys)), [len(arrays[key]) for key in keys])
    order = np.lexsort((which, stamps))
    columns = [
        np.concatenate([getattr(arrays[key], name) for key in keys])[order].tolist() if keys else []
        for name in ("open", "high", "low", "close", "volume")
    ]
    sorted_stamps = stamps[order]
    names = [keys[k][0] for k in which[order].tolist()]
    frames = [keys[k][1] for k in which[order].tolist()]
    apart = {*extras.funding, *extras.marks, *extras.references, *extras.moments}
    alone = sorted(apart - set(sorted_stamps.tolist()))
    moments = np.union1d(sorted_stamps, np.array(alone, np.int64)) if extras.quotes else sorted_stamps
    quotes = _newest_quotes(extras.quotes, moments)
    bars = list(map(Bar._make, zip(names, frames, sorted_stamps.tolist(), *columns, strict=True)))
    cuts = np.flatnonzero(np.diff(sorted_stamps)) + 1
    begins = [0, *cuts.tolist()] if bars else []
    ends = [*cuts.tolist(), len(bars)] if bars else []
    pending = iter(alone)
    waiting = next(pending, None)
    for begin, end in zip(begins, ends, strict=True):
        ts = bars[begin].ts_event
        while waiting is not None and waiting < ts:
            yield _instant(waiting, {}, extras, quotes, warm_only)
            waiting = next(pending, None)
        yield _instant(ts, _by_minutes(bars, begin, end), extras, quotes, warm_only)
    while waiting is not None:
        yield _instant(waiting, {}, extras, quotes, warm_only)
        waiting = next(pending, None)


def _by_minutes(bars: list[Bar], begin: int, end: int) -> dict[int, tuple[Bar, ...]]:
    first, last = bars[begin].minutes, bars[end - 1].minutes
    if first == last:
        return {first: tuple(bars[begin:end])}
    grouped: dict[int, list[Bar]] = {}
    for bar in bars[begin:end]:
        grouped.setdefault(bar.minutes, []).append(bar)
    return {minutes: tuple(group) for minutes, group in grouped.items()}


def _instant(
    ts: int,
    bars: dict[int, tuple[Bar, ...]],
    extras: _Extras,
    quotes: Mapping[int, tuple[Quote, ...]],
    warm_only: bool,
) -> Instant:
    return Instant(
        ts,
        bars,
        tuple(extras.funding.get(ts, ())),
        tuple(extras.marks.get(ts, ())),
        tuple(extras.references.get(ts, ())),
        quotes.get(ts, ()),
        (),
        warm_only,
    )
