"""What a desk on a live feed knows before its first bar: history from the venue, and where it begins.

Guarantees: the catalog holds the closed bars that the strategies warm up with, straight from the venue, up to
the minute before the start; the run begins at a whole minute; what the catalog held before is kept and not
asked for again; a venue whose price or size grid is finer or coarser than the table's is refused before
anything is traded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from adapters.bingx.config import DataSettings
from adapters.bingx.download import BingxHistory
from adapters.ccxt_data.config import PREFIX, CcxtSettings
from adapters.ccxt_data.exchange import make
from adapters.live.rows import Contract
from adapters.live.source import FeedSettings
from catalog.downloader import Request, download
from catalog.instants import RunWindow
from catalog.recording import import_recording, recordings
from catalog.schema import Kind
from catalog.store import Catalog
from catalog.venues import instrument_at
from crupto_nautilus.config import DeskConfig
from crupto_nautilus.desk.assembly import warm_up_needs
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.plan import Prepared, chosen_specs, prepare
from crupto_nautilus.desk.window import choose_market
from crupto_nautilus.errors import EnvironmentProblem, SafetyRefusal, UsageError
from risk.vocabulary import DAY_NS, MINUTE_NS, InstrumentRules

BASE_MINUTES = 1
FUNDING_MINUTES = 480  # the usual interval; what a venue settles more often comes all the same
SETTLED_NS = 12 * 10**9  # a bar is downloaded when it is older than this
OPEN_END_NS = 3_650 * DAY_NS
MARGIN_BARS = 4


def prepare_paper(options: PaperOptions) -> Prepared:
    """Return what a paper run is prepared with: from its catalog, or from the venue of a live feed."""
    if options.feed == "replay":
        return prepare(options)
    settings = options.data_settings
    if settings is None:
        raise UsageError(f"the feed {options.feed} needs settings of its venue", found="none")
    names = live_instruments(options)
    with _history(settings) as history:
        return prepare_live(options, history, names, began_ns=options.start_ns if options.resume else None)


@contextmanager
def _history(settings: FeedSettings) -> Iterator[Any]:
    """Open the venue for requests of history (a blocking exchange, as the downloader asks one)."""
    if isinstance(settings, CcxtSettings):
        yield make(settings, "ccxt")
        return
    if not isinstance(settings, DataSettings):
        raise TypeError(f"there is no history for {type(settings).__name__}")
    with BingxHistory(settings.endpoints, settings.timebase) as history:
        yield history


def live_instruments(options: PaperOptions) -> tuple[str, ...]:
    """Return the instruments of a live run: what was asked for, else the coins of symbols.yaml."""
    asked = options.symbols or options.config.symbols.names
    venue = options.feed.removeprefix(PREFIX)
    return tuple(sorted(name if "." in name else instrument_at(venue, name) for name in asked))


def prepare_live(
    options: PaperOptions, history: Any, names: tuple[str, ...], *, began_ns: int | None = None
) -> Prepared:
    """Fetch history and return catalog, instruments and window of a run that begins now.

    `began_ns` is when a run began that goes on now: its window, with what the market did meanwhile.

    Raises
    ------
    EnvironmentProblem
        The venue has no bars of an instrument.
    SafetyRefusal
        Table and venue disagree on the grid of prices or sizes.
    """
    catalog = Catalog.create(options.catalog)
    for left in recordings(catalog.path):  # what a session that was killed has heard, in its order
        import_recording(catalog, left)
    specs = chosen_specs(options.strategies)
    base = dict.fromkeys(names, BASE_MINUTES)
    needs = warm_up_needs(specs, base, options.config.governance.correlation_window_bars)
    funding_days = max((spec.warmup_funding_days for spec in specs.values()), default=0)
    for name in names:
        _fetch(catalog, history, name, needs, funding_days)
    start = (history.fetch_time() * 10**6 - SETTLED_NS) // MINUTE_NS * MINUTE_NS
    since = min(began_ns or start, start) - 120 * MINUTE_NS
    for name in names:  # the minutes that passed meanwhile
        download(catalog, history, Request(name, BASE_MINUTES, since, start))
        if began_ns is not None:  # and what was settled in them
            download(catalog, history, Request(name, FUNDING_MINUTES, since, start, Kind.FUNDING))
    catalog = Catalog(options.catalog)
    choice = choose_market(catalog, names, start - 120 * MINUTE_NS, start, BASE_MINUTES, options.config)
    window = RunWindow(choice.window.base_minutes, began_ns or start, start + OPEN_END_NS)
    return Prepared(catalog, replace(choice, window=window), specs, live_ns=start)


def _fetch(catalog: Catalog, history: Any, name: str, needs: Mapping[int, int], funding_days: int) -> None:
    now = history.fetch_time() * 10**6
    for minutes, bars in sorted(needs.items()):
        begin = now - (bars + MARGIN_BARS) * minutes * MINUTE_NS
        report = download(catalog, history, Request(name, minutes, begin, now))
        if not report.rows and not report.pages_held:
            raise EnvironmentProblem(
                f"{name}: the venue sent no bars to warm up with",
                found=f"0 bars of {minutes} minutes",
                expected=f"{bars}",
                remedy="choose other instruments with --symbols",
            )
    if funding_days:
        download(
            catalog, history, Request(name, FUNDING_MINUTES, now - funding_days * DAY_NS, now, Kind.FUNDING)
        )


@dataclass(frozen=True, slots=True)
class GridProblem:
    """A figure of the table that the venue does not accept."""

    instrument: str
    what: str
    table: str
    venue: str


def grid_problems(rules: Mapping[str, InstrumentRules], found: Mapping[str, Contract]) -> list[GridProblem]:
    """Return where the desk would send prices or sizes that the venue cuts off or refuses."""
    problems = []
    for name, rule in sorted(rules.items()):
        contract = found[name.rpartition(".")[0]]
        for what, ours, theirs in (
            ("tick", Decimal(repr(rule.tick)), contract.tick),
            ("step", Decimal(repr(rule.step)), contract.step),
        ):
            if ours % theirs:
                problems.append(GridProblem(name, what, f"{ours:f}", f"{theirs:f}"))
        smallest = Decimal(repr(rule.min_quantity))
        if smallest < contract.min_quantity:
            problems.append(GridProblem(name, "min_quantity", f"{smallest:f}", f"{contract.min_quantity:f}"))
    return problems


def require_grid(rules: Mapping[str, InstrumentRules], found: Mapping[str, Contract]) -> None:
    """Refuse to trade with a table that the venue disagrees with."""
    problems = grid_problems(rules, found)
    if problems:
        rows = [
            f"{c.asset}: {{tick: {c.tick:f}, step: {c.step:f}, min_quantity: {c.min_quantity:f}}}"
            for c in (
                found[name.rpartition(".")[0]] for name in dict.fromkeys(p.instrument for p in problems)
            )
        ]
        raise SafetyRefusal(
            f"instruments.yaml and the venue disagree on {len(problems)} figures",
            found=", ".join(f"{p.instrument} {p.what} {p.table}" for p in problems),
            expected=", ".join(p.venue for p in problems),
            remedy=f"put into an instruments.yaml of your own (--config DIR): {'; '.join(rows)}",
        )


def until_now(prepared: Prepared, last_ns: int, config: DeskConfig) -> Prepared:
    """Return the preparation of a live run that has ended: its window closes with its last instant."""
    window = prepared.choice.window
    closed = RunWindow(window.base_minutes, window.start_ns, max(last_ns, window.start_ns + MINUTE_NS))
    catalog = Catalog(prepared.catalog.path)
    fingerprint = catalog.fingerprint(window.instruments)
    return replace(
        prepared, catalog=catalog, choice=replace(prepared.choice, window=closed, fingerprint=fingerprint)
    )
