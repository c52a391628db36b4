"""The paper desk: the same components in a Nautilus live node, on a replay feed with sandbox execution.

Guarantees: the desk is assembled exactly as in a backtest and sees the same instants; a feed that fails ends
the run with its reason; SIGINT and SIGTERM end it cleanly, and what happened until then is written.  Not here
yet: a restart does not resume a run, and the feed is a catalog, not an exchange.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nautilus_trader.adapters.sandbox import SandboxExecutionClientConfig, SandboxExecutionClientFactory
from nautilus_trader.common import Environment, LoggerConfig, LogLevel
from nautilus_trader.live import DataClientConfig, LiveNode, LiveRiskEngineConfig
from nautilus_trader.model import TraderId, Venue

from adapters.replay.client import Replay, replay_factory
from adapters.replay.gate import InstantGate
from adapters.simulated import ORDER_RATE, DeskFeeModel, perpetual, venue_arguments
from catalog.feed import CLOSE, EngineFeed
from catalog.instants import run_instants
from catalog.symbols import parse_instrument
from crupto_nautilus.desk.assembly import Desk, DeskPlan
from crupto_nautilus.desk.facts import run_facts
from crupto_nautilus.desk.journalling import CollectedJournal
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.outcome import DeskRun, account_balance, check_run, finish
from crupto_nautilus.desk.plan import Prepared, make_plan, prepare
from crupto_nautilus.errors import CheckFailed
from crupto_nautilus.reports.recording import Recording
from crupto_nautilus.reports.run_folder import RunWriter

ACKNOWLEDGEMENT_WINDOW = 64  # instants that may be on their way; parity holds at any window


@dataclass(frozen=True, slots=True)
class PaperOptions(BacktestOptions):
    """What the user asked of a paper run; `speed` 0 is as fast as the desk allows, 1 is real time."""

    speed: float = 0.0
    max_seconds: float | None = None  # wall time
    max_cycles: int | None = None  # instants


def run_paper(options: PaperOptions) -> Path:
    """Run the desk in a live node and return its run folder.

    Raises
    ------
    UsageError
        Unknown symbols or strategies, an empty window.
    CatalogError
        The data is broken.
    CheckFailed
        The feed failed, a handler raised, or books and account disagree.
    """
    wall_start = time.time_ns()
    prepared = prepare(options)
    journal = CollectedJournal() if options.journal_url else None
    with RunWriter(options.out, options.run_id) as writer:
        plan = make_plan(prepared, options)
        gate = InstantGate(ACKNOWLEDGEMENT_WINDOW)
        recording = Recording()
        desk = Desk(plan, recording, journal, _acknowledge(gate))
        replay = _replay(prepared, plan, options, gate)
        started = time.process_time()
        node = build_node(plan, replay, charge=options.costs)
        desk.add_to(node)
        node.run()
        cpu = time.process_time() - started
        balance = account_balance(node.portfolio, prepared.choice.window)
        node.dispose()
        if replay.failure:
            raise CheckFailed(
                "the feed failed", found=replay.failure, expected="a feed that plays to its end"
            )
        run = DeskRun(desk, recording, balance, cpu)
        check_run(run, account_has_funding=False)
        facts = run_facts(
            prepared,
            options,
            desk,
            wall_start_ns=wall_start,
            mode="paper",
            exit_reason=replay.ended or "interrupted",
        )
        return finish(writer, prepared, run, facts, options, journal)


def _acknowledge(gate: InstantGate) -> Callable[[int], None]:
    return lambda phase: gate.passed() if phase == CLOSE else None


def _replay(prepared: Prepared, plan: DeskPlan, options: PaperOptions, gate: InstantGate) -> Replay:
    window = prepared.choice.window
    report, total = options.progress, window.end_ns - window.start_ns

    def tell(ts: int) -> None:
        if report is not None:
            report("paper", ts - window.start_ns, total)

    return Replay(
        instants=run_instants(prepared.catalog, window),
        feed=EngineFeed(plan.rules, window.base_minutes),
        instruments=tuple(
            perpetual(rules, parse_instrument(name).base) for name, rules in sorted(plan.rules.items())
        ),
        gate=gate,
        speed=options.speed,
        max_seconds=options.max_seconds,
        max_cycles=options.max_cycles,
        tell=tell,
    )


def build_node(plan: DeskPlan, replay: Replay, *, charge: bool) -> LiveNode:
    """Return a live node with the replay as its feed and the simulated venue as its sandbox."""
    venue = Venue(replay.feed.venue)
    arguments = venue_arguments(venue, plan.equity, DeskFeeModel(plan.rules, charge))
    arguments.pop("venue")
    balances = arguments.pop("starting_balances")
    sandbox = SandboxExecutionClientConfig(venue, balances, bar_execution=True, **arguments)
    limits = LiveRiskEngineConfig(max_order_submit_rate=ORDER_RATE, max_order_modify_rate=ORDER_RATE)
    return (
        LiveNode.builder("PAPER", TraderId("PAPER-001"), Environment.SANDBOX)
        .with_logging(LoggerConfig(stdout_level=LogLevel.ERROR))
        .with_delay_post_stop_secs(1)
        .with_timeout_disconnection_secs(2)
        .with_risk_engine_config(limits)
        .add_data_client(str(venue), replay_factory(replay), DataClientConfig())
        .add_simulated_exec_client(str(venue), SandboxExecutionClientFactory(), sandbox)
        .build()
    )
