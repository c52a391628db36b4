"""How a recorded feed delivered its data: what was late, and in which instant it came at last.

A catalog keeps every bar and settlement at its own time.  A recording adds in which instants an instrument
was stale and what came after its instant, so that a replay or backtest of it decides on what was known then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from catalog.store import Catalog
from risk.vocabulary import Bar, Funding, Instant


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Of one window: stale instruments by instant, and (instrument, own time) -> the instant of delivery."""

    late: dict[int, tuple[str, ...]] = field(default_factory=dict)
    bars: dict[tuple[str, int], int] = field(default_factory=dict)
    funding: dict[tuple[str, int], int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.late or self.bars or self.funding)

    @property
    def moments(self) -> set[int]:
        """Every instant that must exist for them."""
        return {*self.late, *self.bars.values(), *self.funding.values()}


def deliveries(catalog: Catalog, base_minutes: Mapping[str, int], start_ns: int, end_ns: int) -> Deliveries:
    """Return what a catalog says of late data; empty for one that was imported or downloaded."""
    found = Deliveries()
    late: dict[int, list[str]] = {}
    for name, minutes in sorted(base_minutes.items()):
        for ts in catalog.late_moments(name, start_ns, end_ns).tolist():
            late.setdefault(ts, []).append(name)
        for own, at in catalog.delays(name, minutes, start_ns, end_ns).items():
            found.bars[name, own] = at
        for own, at in catalog.delays(name, 0, start_ns, end_ns).items():
            found.funding[name, own] = at
    found.late.update({ts: tuple(names) for ts, names in late.items()})
    return found


def as_delivered(instants: Iterable[Instant], found: Deliveries) -> Iterator[Instant]:
    """Yield instants with each late bar and settlement in the instant that brought it.

    What would have come after the last instant never came in this window and is left out.
    """
    bars_at: dict[int, list[Bar]] = {}
    funding_at: dict[int, list[Funding]] = {}
    newest: dict[str, int] = {}
    for instant in instants:
        ts = instant.ts_event
        here: list[Bar] = bars_at.pop(ts, [])
        for bars in instant.bars.values():
            for bar in bars:
                at = found.bars.get((bar.instrument, bar.ts_event), ts)
                (here if at == ts else bars_at.setdefault(at, [])).append(bar)
        settled: list[Funding] = funding_at.pop(ts, [])
        for one in instant.funding:
            at = found.funding.get((one.instrument, one.ts_event), ts)
            (settled if at == ts else funding_at.setdefault(at, [])).append(one)
        fresh, backfilled = place(here, newest)
        yield instant._replace(
            bars=fresh,
            funding=tuple(sorted(settled, key=lambda f: (f.ts_event, f.instrument))),
            late=found.late.get(ts, ()),
            backfilled=backfilled,
        )


def place(
    arrived: Iterable[Bar], newest: dict[str, int]
) -> tuple[dict[int, tuple[Bar, ...]], tuple[Bar, ...]]:
    """Separate the bars of an instant that are newer than all of their instrument from those that are not.

    Returns the newer ones by timeframe (slowest first; by time and instrument id) and the backfilled ones;
    `newest` (instrument -> close of its newest bar) is brought up to date.
    """
    fresh: dict[int, list[Bar]] = {}
    backfilled: list[Bar] = []
    for bar in sorted(arrived, key=_by_time_and_name):
        if bar.ts_event > newest.get(bar.instrument, 0):
            newest[bar.instrument] = bar.ts_event
            fresh.setdefault(bar.minutes, []).append(bar)
        else:
            backfilled.append(bar)
    return {m: tuple(fresh[m]) for m in sorted(fresh, reverse=True)}, tuple(backfilled)


def _by_time_and_name(bar: Bar) -> tuple[int, str]:
    return bar.ts_event, bar.instrument
