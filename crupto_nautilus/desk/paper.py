"""The paper desk: the same components in a Nautilus live node, between a feed and a venue.

Guarantees: the desk is assembled exactly as in a backtest and sees the same instants; a feed that fails ends
the run with its reason; SIGINT and SIGTERM end it cleanly, and what happened until then is written.  What
surrounds the run (status, control, telemetry, journal) are services: see `services`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from nautilus_trader.common import Environment, LoggerConfig, LogLevel
from nautilus_trader.live import LiveNode, LiveRiskEngineConfig
from nautilus_trader.model import TraderId

from adapters.simulated import ORDER_RATE
from crupto_nautilus.desk import funding_check
from crupto_nautilus.desk.assembly import Desk
from crupto_nautilus.desk.control import Control
from crupto_nautilus.desk.early_end import ends_at_once, without_an_instant
from crupto_nautilus.desk.edges import VENUES, Feed, Venue, make_feed
from crupto_nautilus.desk.facts import run_facts
from crupto_nautilus.desk.garbage import rare_collections
from crupto_nautilus.desk.gentle_end import EndGently, Signals
from crupto_nautilus.desk.housekeeping import Housekeeping
from crupto_nautilus.desk.journalling import LiveJournal
from crupto_nautilus.desk.latency import Latency
from crupto_nautilus.desk.live_history import prepare_paper, until_now
from crupto_nautilus.desk.lock import account_lock, run_lock
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.outcome import DeskRun, account_balance, check_run, finish
from crupto_nautilus.desk.plan import make_plan
from crupto_nautilus.desk.reopening import reopening_difference
from crupto_nautilus.desk.resume import Previous, previous_run, resume_point
from crupto_nautilus.desk.services import PaperContext, RunEnding, RunService, running
from crupto_nautilus.errors import CheckFailed, EnvironmentProblem
from crupto_nautilus.reports.recording import Recording
from crupto_nautilus.reports.run_folder import RunWriter

CONNECT_TIMEOUT_S = 50  # a client that hangs keeps the node from obeying until then

__all__ = ["PaperOptions", "build_node", "run_paper"]


def run_paper(options: PaperOptions, services: Sequence[RunService] = ()) -> Path:
    """Run the desk in a live node, with services around it, and return its run folder.

    With `options.resume` the run goes on from its newest checkpoint.

    Raises
    ------
    UsageError
        Unknown symbols or strategies, an empty window; a run of that name exists, or none to resume.
    CatalogError
        The data is broken.
    SafetyRefusal
        Another desk has the run or the account; the limits are not those the run began with.
    Interrupted
        A signal came before the first instant; there is no folder.
    EnvironmentProblem
        The run ended for another reason before its first instant.
    CheckFailed
        The feed failed, a handler raised, or books and account disagree.
    """
    with ends_at_once(), run_lock(options.out, options.run_id):
        previous = previous_run(options) if options.resume else None
        with (
            _journal(options, previous) as journal,
            RunWriter(options.out, options.run_id, resume=previous is not None) as writer,
        ):
            return _play(options, services, previous, journal, writer)


def _journal(options: PaperOptions, previous: Previous | None) -> AbstractContextManager[LiveJournal | None]:
    if options.journal_url is None:
        return nullcontext()
    return LiveJournal(options.journal_url, options.run_id, resume=previous is not None)


def _play(
    options: PaperOptions,
    services: Sequence[RunService],
    previous: Previous | None,
    journal: LiveJournal | None,
    writer: RunWriter,
) -> Path:
    wall_start = time.time_ns()
    prepared = prepare_paper(options)
    plan = make_plan(prepared, options, resume_point(previous, prepared, options))
    feed = make_feed(prepared, plan, options)
    venue = VENUES[options.execution](plan, options)
    options, plan = replace(options, netted=venue.nets), replace(plan, netted=venue.nets)
    feed.settle_first(venue.settle)
    venue.when_quiet(lambda: feed.call(_nothing))  # a call between two instants settles and checkpoints
    last_row = previous.last_row if previous is not None else 0
    recording = Recording(last_row + 1)
    desk = Desk(plan, recording, journal, feed.on_phase, venue.account_funding)
    feed.attach(desk)
    node = build_node(feed, venue)
    desk.add_to(node)
    ending = RunEnding()
    context = PaperContext(
        options, prepared, plan, desk, recording, feed, node, writer.path, ending, journal,
        opening_balance=venue.opening,
    )  # fmt: skip
    if journal is not None and previous is not None:
        _take_totals(journal, context)
    own: list[RunService] = [Signals(), Housekeeping(), Latency()]
    if journal is not None:
        feed.wait_for(lambda: journal.is_behind)
        own.insert(0, journal)
    own.append(Control(journal))
    started = time.process_time()
    with account_lock(venue.account, options.run_id), running((*own, *services), context) as failures:
        stop = EndGently(feed.end, ending, node.handle().stop)
        ending.bind(stop)
        with rare_collections():
            _run_node(node, context)
        stop.over()
    cpu = time.process_time() - started
    if not desk.router.last_ts:
        raise without_an_instant(_exit_reason(feed, ending))
    balance = _own_balance(venue, context)
    node.dispose()
    context.measured["feed"] = feed.figures()
    earlier = journal.rows_before(last_row) if journal is not None and last_row else None
    if venue.account_has_funding:
        _compare_funding(venue, context, (earlier or {}).get("funding", ()))
    run = DeskRun(desk, recording, balance, cpu)
    check_run(run, account_has_funding=venue.account_has_funding, tolerance=venue.money_tolerance)
    if options.feed != "replay" or (feed.ended != "completed" and desk.router.last_ts):
        prepared = until_now(prepared, desk.router.last_ts, options.config)
    facts = run_facts(
        prepared,
        options,
        desk,
        wall_start_ns=wall_start,
        mode="paper",
        exit_reason=_exit_reason(feed, ending),
        notes=context.notes,
        measured=context.measured,
    )
    path = finish(writer, prepared, run, facts, options, journal, earlier)
    if feed.failure:
        raise CheckFailed(
            "the feed failed", found=feed.failure, expected="a feed that plays to its end",
            remedy=f"what happened until then is in {path}",
        )  # fmt: skip
    if failures:
        raise failures[0]
    return path


def _nothing() -> None:
    pass


def _take_totals(journal: LiveJournal, context: PaperContext) -> None:
    try:
        context.earlier = journal.sessions_before()
    except Exception as error:  # noqa: BLE001 - what is only shown must not keep a desk from going on
        context.notes.append(f"totals of earlier sessions are not shown: {error}".splitlines()[0])


def _own_balance(venue: Venue, context: PaperContext) -> float:
    """Return the account's balance as the desk counts it; read before the node is disposed of."""
    node = context.node
    balance = venue.own_balance(account_balance(node.portfolio, context.prepared.choice.window))
    return balance - reopening_difference(node.cache, context.desk) if venue.opens_again else balance


def _compare_funding(venue: Venue, context: PaperContext, earlier: Sequence[Mapping[str, Any]]) -> None:
    """Compare the funding in the books with all that the venue paid since the run began."""
    if venue.funding is None:
        context.notes.append(f"funding is not compared with the venue's: {venue.funding_problem}")
        return
    booked = funding_check.booked(context.recording.rows("funding"), earlier)
    found = context.measured["venue_funding"] = funding_check.figures(booked, venue.funding)
    context.notes.append(funding_check.in_words(found))


def _exit_reason(feed: Feed, ending: RunEnding) -> str:
    failed = f"feed failed: {feed.failure}" if feed.failure else ""
    return failed or ending.reason or feed.ended or "interrupted"


def _run_node(node: LiveNode, context: PaperContext) -> None:
    """Run a node to its end; one that did not come to life has its reason."""
    try:
        node.run()
    except RuntimeError as error:
        context.abort = context.abort or EnvironmentProblem(
            "the node did not start",
            found=str(error),
            expected="a feed and a venue that connect",
            remedy="check the network and the exchange's status",
        )
    if context.abort is not None:
        raise context.abort


def build_node(feed: Feed, venue: Venue) -> LiveNode:
    """Return a live node between a feed and a venue."""
    builder = (
        LiveNode.builder("PAPER", TraderId("PAPER-001"), Environment.SANDBOX)
        .with_logging(LoggerConfig(stdout_level=LogLevel.ERROR))
        .with_delay_post_stop_secs(1)
        .with_timeout_connection(CONNECT_TIMEOUT_S)
        .with_timeout_disconnection_secs(2)
        .with_risk_engine_config(
            LiveRiskEngineConfig(max_order_submit_rate=ORDER_RATE, max_order_modify_rate=ORDER_RATE)
        )
    )
    node: LiveNode = venue.add_to(feed.add_to(builder)).build()
    return node
