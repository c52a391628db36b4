"""What a run looks at: from a catalog and the user's wishes to instruments, rules, window and warm-up.

Guarantees: every choice that the user did not make is made by a stated rule and recorded: the finest source
of each instrument inside the window drives it, coarser bars only warm it up; an empty window is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from catalog.instants import RunWindow
from catalog.loading import iso
from catalog.store import Catalog, Source
from catalog.timeframes import label
from crupto_nautilus.config import DeskConfig, resolve_instrument
from crupto_nautilus.errors import UsageError
from risk.vocabulary import DAY_NS, HOUR_NS, MINUTE_NS, InstrumentRules

FUNDING_HOURS = 8

ResolveSymbols = Callable[[Sequence[str], Sequence[str]], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class MarketChoice:
    """Instruments of a run with their rules, data and window."""

    window: RunWindow
    rules: Mapping[str, InstrumentRules]
    rules_source: Mapping[str, str]
    labels: Mapping[str, str]
    fingerprint: str


def choose_market(
    catalog: Catalog,
    instruments: Sequence[str],
    start_ns: int | None,
    end_ns: int | None,
    base: int | None,
    config: DeskConfig,
) -> MarketChoice:
    """Fix window, finest bars and venue rules of a run.

    Without bounds the window is what the finest sources of all instruments cover together; `base` (minutes)
    asks for one timeframe for all.

    Raises
    ------
    UsageError
        No instrument, several venues, or no bars in the window.
    """
    if not instruments:
        raise UsageError(
            "the catalog holds no instrument to trade",
            found=str(catalog.path),
            expected="imported bars",
            remedy="crupto catalog import PATH --catalog DIR, or crupto catalog sample --catalog DIR",
        )
    venues = sorted({name.rpartition(".")[2] for name in instruments})
    if len(venues) > 1:
        raise UsageError(
            "a run trades on one venue",
            found=", ".join(venues),
            expected="instruments of one venue",
            remedy="choose them with --symbols",
        )
    ohlcv = {name: _bars_of(catalog, name, base) for name in instruments}
    start, end = _bounds(ohlcv, start_ns, end_ns)
    base_minutes = {name: _finest(name, sources, start, end) for name, sources in ohlcv.items()}
    rules, origin, labels = {}, {}, {}
    for name in instruments:
        used = ohlcv[name]
        resolved = resolve_instrument(
            name,
            max(s.price_digits for s in used),
            max(s.size_digits for s in used),
            config,
        )
        rules[name] = resolved.rules
        origin[name] = "; ".join(dict.fromkeys(resolved.provenance.values()))
        labels[name] = ", ".join(sorted({s.label for s in used}))
    window = RunWindow(base_minutes, start, end)
    return MarketChoice(window, rules, origin, labels, catalog.fingerprint(tuple(instruments)))


def _bars_of(catalog: Catalog, name: str, base: int | None) -> list[Source]:
    sources = [s for s in catalog.sources(name) if s.kind == "ohlcv"]
    if base is not None:
        sources = [s for s in sources if s.minutes >= base]
    if not sources:
        raise UsageError(
            f"{name} has no bars" + (f" of {base} minutes or more" if base else ""),
            found="funding, marks or references only",
            expected="bars (OHLCV)",
            remedy="crupto catalog info --catalog DIR; leave the symbol out with --symbols",
        )
    return sources


def _bounds(ohlcv: Mapping[str, list[Source]], start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    """Return (start, end]: what the user asked for, else the span of the finest sources.

    A bar is known at its close: the window that holds the first one begins at its open.
    """
    finest = [min(sources, key=lambda s: s.minutes) for sources in ohlcv.values()]
    start = min(s.first_ns - s.minutes * MINUTE_NS for s in finest) if start_ns is None else start_ns
    end = max(s.last_ns for s in finest) if end_ns is None else end_ns
    if end <= start:
        raise UsageError("the window is empty", found=_span(start, end), expected="an end after the start")
    return start, end


def _finest(name: str, sources: list[Source], start: int, end: int) -> int:
    inside = [s for s in sources if s.last_ns > start and s.first_ns < end]
    if not inside:
        raise UsageError(
            f"{name} has no bars in the window",
            found=", ".join(f"{label(s.minutes)} {_span(s.first_ns, s.last_ns)}" for s in sources),
            expected=f"bars in {_span(start, end)}",
            remedy="choose other --start/--end, or leave the symbol out with --symbols",
        )
    return min(s.minutes for s in inside)


def _span(start_ns: int, end_ns: int) -> str:
    return f"{iso(start_ns)} .. {iso(end_ns)}"


def funding_expected(window: RunWindow) -> int:
    """Return the settlements that an 8 h schedule has in the window."""
    step = FUNDING_HOURS * HOUR_NS
    return window.end_ns // step - window.start_ns // step


def chunk_span_ns(window: RunWindow) -> int:
    """Return how much event time to load at once: less where bars are finer or instruments more."""
    finest = min(window.base_minutes.values())
    bars_a_day = len(window.base_minutes) * 1440 // finest
    return max(1, round(120_000 / max(1, bars_a_day))) * DAY_NS
