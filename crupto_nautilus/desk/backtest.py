"""A backtest: the desk in the Nautilus backtest engine, from a catalog to a run folder.

Guarantees: the same catalog, configuration and options give the same signals, decisions, fills and equity;
the run folder appears whole or not at all; the desk's own books are compared with the engine's account at
the end and a difference is an error, not a footnote.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.sinks import JournalSink
from catalog.feed import EngineFeed
from catalog.instants import run_instants
from crupto_nautilus.desk.assembly import Desk
from crupto_nautilus.desk.engine import make_engine, play
from crupto_nautilus.desk.facts import run_facts
from crupto_nautilus.desk.garbage import rare_collections
from crupto_nautilus.desk.journalling import CollectedJournal
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.outcome import DeskRun, account_balance, check_run, finish
from crupto_nautilus.desk.plan import Prepared, make_plan, prepare
from crupto_nautilus.desk.shadow import run_shadows
from crupto_nautilus.desk.window import chunk_span_ns
from crupto_nautilus.reports.recording import Recording
from crupto_nautilus.reports.run_folder import RunWriter

MONEY_TOLERANCE = 1e-6


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
    prepared = prepare(options)
    journal = CollectedJournal() if options.journal_url else None
    with RunWriter(options.out, options.run_id) as writer:
        run = simulate(prepared, options, journal)
        check_run(run)
        run_shadows(prepared, options, writer.path)
        facts = run_facts(prepared, options, run.desk, wall_start_ns=wall_start)
        return finish(writer, prepared, run, facts, options, journal)


def simulate(
    prepared: Prepared,
    options: BacktestOptions,
    journal: JournalSink | None = None,
    beside: Callable[[Desk], Any] | None = None,
) -> DeskRun:
    """Run the desk over the window in the backtest engine; `beside` makes an actor that joins it."""
    catalog, window = prepared.catalog, prepared.choice.window
    plan = make_plan(prepared, options)
    recording = Recording()
    desk = Desk(plan, recording, journal)
    engine = make_engine(plan.rules, options.equity, charge=options.costs)
    desk.add_to(engine)
    if beside is not None:
        engine.add_actor(beside(desk))
    feed = EngineFeed(plan.rules, window.base_minutes)
    instants = run_instants(catalog, window)
    started = time.process_time()
    with rare_collections():
        play(engine, feed, instants, chunk_span_ns(window), _progress(options, window))
    cpu = time.process_time() - started
    balance = account_balance(engine.portfolio, window)
    engine.dispose()
    return DeskRun(desk, recording, balance, cpu)


def _progress(options: BacktestOptions, window: Any) -> Callable[[int], None] | None:
    report = options.progress
    if report is None:
        return None
    total = window.end_ns - window.start_ns
    return lambda ts: report("backtest", ts - window.start_ns, total)


__all__ = ["BacktestOptions", "DeskRun", "run_backtest", "simulate"]
