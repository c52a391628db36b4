"""A backtest: the desk in the Nautilus backtest engine, from a catalog to a run folder.

Guarantees: the same catalog, configuration and options give the same signals, decisions, fills and equity;
the run folder appears whole or not at all; the desk's own books are compared with the engine's account at
the end and a difference is an error, not a footnote.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nautilus_trader.model import Venue

from actors.sinks import JournalSink
from adapters.simulated import USDT
from catalog.feed import EngineFeed
from catalog.instants import open_bucket_bars, run_instants, warm_instants
from catalog.store import Catalog
from crupto_nautilus.desk.assembly import Desk, DeskPlan, timeframes_of, warm_up_needs
from crupto_nautilus.desk.engine import make_engine, play
from crupto_nautilus.desk.facts import call_rows, run_facts, write_benchmark
from crupto_nautilus.desk.journalling import CollectedJournal
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.window import MarketChoice, choose_market, chunk_span_ns
from crupto_nautilus.errors import CheckFailed
from crupto_nautilus.reports.build import build_report
from crupto_nautilus.reports.recording import Recording
from crupto_nautilus.reports.run_folder import RunWriter
from risk.vocabulary import Alarm, InstrumentRules
from strategies.guarded import HANDLER_ERROR
from strategies.registry import REGISTRY, StrategySpec, get

MONEY_TOLERANCE = 1e-6


@dataclass(slots=True)
class BacktestRun:
    """A finished engine run, before its folder is written."""

    desk: Desk
    recording: Recording
    engine_balance: float
    cpu_seconds: float


def run_backtest(options: BacktestOptions) -> Path:
    """Run a backtest and return its run folder.

    Raises
    ------
    UsageError
        Unknown symbols or strategies, an empty window.
    CatalogError
        The data is broken.
    CheckFailed
        The desk's books and the engine's account disagree.
    """
    wall_start = time.time_ns()
    catalog = Catalog(options.catalog)
    specs = chosen_specs(options.strategies)
    choice = choose_market(
        catalog,
        options.symbols or catalog.instruments(),
        options.start_ns,
        options.end_ns,
        options.base_minutes,
        options.config,
    )
    journal = CollectedJournal() if options.journal_url else None
    with RunWriter(options.out, options.run_id) as writer:
        run = simulate(catalog, choice, specs, options, journal)
        check_run(run)
        writer.write_table("calls", call_rows(run.desk.tools))
        writer.write_recording(run.recording)
        write_benchmark(writer, catalog, choice)
        folder = writer.finish(run_facts(catalog, choice, specs, options, run.desk, wall_start_ns=wall_start))
    build_report(folder.path)
    if journal is not None and options.journal_url:
        journal.store(options.journal_url, folder.facts, folder.read_json("summary.json"))
    return folder.path


def chosen_specs(names: tuple[str, ...] | None) -> dict[str, StrategySpec]:
    """Return the chosen strategies in registry order; an unknown name raises."""
    if names is None:
        return dict(REGISTRY)
    wanted = {get(name).name for name in names}
    return {name: spec for name, spec in REGISTRY.items() if name in wanted}


def make_plan(
    catalog: Catalog, choice: MarketChoice, specs: dict[str, StrategySpec], options: BacktestOptions
) -> DeskPlan:
    """Return the desk's plan with its warm-up from the catalog."""
    window = choice.window
    needs = warm_up_needs(specs, window.base_minutes, options.config.governance.correlation_window_bars)
    frames = timeframes_of(specs)
    funding_days = max((spec.warmup_funding_days for spec in specs.values()), default=0)
    rules = choice.rules
    if not options.costs:
        rules = {name: _free(r) for name, r in rules.items()}
    return DeskPlan(
        options.run_id,
        options.config,
        rules,
        window.base_minutes,
        specs,
        options.equity,
        warm_instants(catalog, window.instruments, window.start_ns, needs, funding_days),
        open_bucket_bars(catalog, window, max(frames)),
        options.unlock_after_hours,
    )


def _free(rules: InstrumentRules) -> InstrumentRules:
    from dataclasses import replace

    return replace(rules, maker_fee=0.0, taker_fee=0.0)


def simulate(
    catalog: Catalog,
    choice: MarketChoice,
    specs: dict[str, StrategySpec],
    options: BacktestOptions,
    journal: JournalSink | None = None,
) -> BacktestRun:
    """Run the desk over the window in the backtest engine."""
    window = choice.window
    plan = make_plan(catalog, choice, specs, options)
    recording = Recording()
    desk = Desk(plan, recording, journal)
    engine = make_engine(plan.rules, options.equity, charge=options.costs)
    desk.add_to(engine)
    feed = EngineFeed(plan.rules, window.base_minutes)
    started = time.process_time()
    with rare_collections():
        play(engine, feed, run_instants(catalog, window), chunk_span_ns(window), _progress(options, window))
    cpu = time.process_time() - started
    venue = Venue(window.instruments[0].rpartition(".")[2])
    account = engine.portfolio.account(venue=venue)
    total = account.balance_total(USDT) if account is not None else None
    engine.dispose()
    if total is None:
        raise CheckFailed("the engine has no account after the run", found=f"venue {venue}")
    return BacktestRun(desk, recording, total.as_double(), cpu)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect cyclic garbage rarely while a run goes on: nearly all it makes is records that stay."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _progress(options: BacktestOptions, window: Any) -> Callable[[int], None] | None:
    report = options.progress
    if report is None:
        return None
    total = window.end_ns - window.start_ns
    return lambda ts: report("backtest", ts - window.start_ns, total)


def check_run(run: BacktestRun) -> None:
    """Refuse a run in which a handler raised, or whose books differ from the engine's account."""
    alarms = run.recording.rows("alarms")
    errors = [a for a in alarms if isinstance(a, Alarm) and a.kind == HANDLER_ERROR]
    if errors:
        raise CheckFailed(
            f"{len(errors)} handlers of the desk raised during the run",
            found=f"{errors[0].subject}: {errors[0].detail}",
            expected="none: a run with a broken part proves nothing",
            remedy="this is a defect of the desk: please report it with the run's command and data",
        )
    books = run.desk.risk_desk.books
    difference = abs(books.balance - run.engine_balance)
    if difference > MONEY_TOLERANCE:
        raise CheckFailed(
            "the desk's books and the engine's account disagree",
            found=f"books {books.balance:.8f} USDT, account {run.engine_balance:.8f} USDT",
            expected=f"a difference of at most {MONEY_TOLERANCE}",
            remedy="this is a defect of the desk: please report it with the run's command and data",
        )


__all__ = ["BacktestOptions", "BacktestRun", "run_backtest", "simulate"]
