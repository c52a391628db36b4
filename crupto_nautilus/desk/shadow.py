"""Challengers in shadow: a whole desk of their own beside the real one, with one strategy and a book of its
own.

Guarantees: a shadow passes the same chain (regime, mandate, risk, execution) and its orders are filled by the
same simulated venue, in an engine of its own that no order of the desk and no state of it ever enters: a
challenger that copies a champion trades exactly as that champion alone would.  What the shadows did lies in
the run folder: `shadow/<id>/` is a whole run folder that `crupto why` and `crupto report --verify` read,
`shadow/<id>.parquet` are its trades, fills, funding and equity in one table.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actors.enable_map import Challenger
from catalog.feed import EngineFeed
from catalog.instants import run_instants
from crupto_nautilus.desk.assembly import Desk, DeskPlan
from crupto_nautilus.desk.challengers import challenger_spec
from crupto_nautilus.desk.engine import end_of_data, make_engine, stream
from crupto_nautilus.desk.facts import call_rows, run_facts, write_benchmark
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.outcome import DeskRun, account_balance, check_run
from crupto_nautilus.desk.plan import Prepared, make_plan
from crupto_nautilus.desk.window import chunk_span_ns
from crupto_nautilus.reports.build import build_report
from crupto_nautilus.reports.recording import Recording
from crupto_nautilus.reports.run_folder import RunWriter
from crupto_nautilus.reports.shadows import SHADOW, write_evidence
from risk.vocabulary import Instant


@dataclass(frozen=True, slots=True)
class ShadowDesk:
    """One challenger with everything its desk is built from."""

    challenger: Challenger
    prepared: Prepared
    options: BacktestOptions


def shadow_desks(prepared: Prepared, options: BacktestOptions) -> list[ShadowDesk]:
    """Return the desks of the challengers in shadow, each alone with its strategy and its regimes."""
    found = []
    for challenger in options.config.enable_map.shadows:
        spec = challenger_spec(challenger)
        alone = options.config.enable_map.only(challenger, spec.name)
        own = Prepared(prepared.catalog, prepared.choice, {spec.name: spec}, alone)
        found.append(ShadowDesk(challenger, own, quiet(options, challenger.id)))
    return found


def quiet(options: BacktestOptions, run_id: str) -> BacktestOptions:
    """Return what a shadow needs of a run's options: no journal, no progress, no secrets; picklable."""
    values: dict[str, Any] = {name: getattr(options, name) for name in BacktestOptions.__dataclass_fields__}
    runtime = options.config.runtime.model_copy(
        update=dict.fromkeys(("db_url", "bingx_api_key", "bingx_api_secret"))
    )
    config = replace(options.config, provenance=dict(options.config.provenance), runtime=runtime)
    own = {"run_id": run_id, "config": config, "journal_url": None, "progress": None}
    return BacktestOptions(**(values | own))


class ShadowRun:
    """A shadow desk in its engine: takes instants, and writes its folder at the end."""

    def __init__(self, shadow: ShadowDesk, plan: DeskPlan | None = None) -> None:
        self.shadow = shadow
        self._began = time.time_ns()
        self.plan = plan or make_plan(shadow.prepared, shadow.options)
        self.recording = Recording()
        self.desk = Desk(self.plan, self.recording)
        self._engine = make_engine(self.plan.rules, shadow.options.equity, charge=shadow.options.costs)
        self.desk.add_to(self._engine)
        self._feed = EngineFeed(self.plan.rules, self.plan.base_minutes)
        self._cpu = 0.0

    def play(self, instants: Iterable[Instant], *, last: bool) -> None:
        """Play instants that follow those before; `last` ends the run."""
        started = time.process_time()
        window = self.shadow.prepared.choice.window
        stream(self._engine, self._feed, instants, chunk_span_ns(window))
        if last:
            end_of_data(self._engine, self._feed, self.desk.router.last_ts)
        self._cpu += time.process_time() - started

    def write(self, runs: Path, *, mode: str, exit_reason: str) -> Path:
        """Check the run, write its folder below `runs` and its evidence beside it; return the folder."""
        shadow, window = self.shadow, self.shadow.prepared.choice.window
        balance = account_balance(self._engine.portfolio, window)
        self._engine.dispose()
        run = DeskRun(self.desk, self.recording, balance, self._cpu)
        check_run(run)
        note = f"challenger {shadow.challenger.id} in shadow: alone, a book of its own, no order was sent"
        if shadow.challenger.document is not None and not shadow.challenger.ledger_head:
            note += "; unproven: no ledger head"
        ended = replace(window, end_ns=max(self.desk.router.last_ts, window.start_ns + 1))
        prepared = replace(shadow.prepared, choice=replace(shadow.prepared.choice, window=ended))
        facts = run_facts(
            prepared, shadow.options, self.desk, wall_start_ns=self._began, mode=mode,
            exit_reason=exit_reason, notes=(note,),
        )  # fmt: skip
        facts = replace(facts, challenger=shadow.challenger.model_dump(mode="json"))
        shutil.rmtree(runs / shadow.options.run_id, ignore_errors=True)  # of an earlier session of the run
        with RunWriter(runs, shadow.options.run_id) as writer:
            writer.write_table("calls", call_rows(self.desk.tools))
            writer.write_recording(self.recording)
            write_benchmark(writer, prepared.catalog, prepared.choice)
            folder = writer.finish(facts)
        build_report(folder.path)
        write_evidence(folder, runs / f"{shadow.challenger.id}.parquet")
        return folder.path


def run_shadows(prepared: Prepared, options: BacktestOptions, folder: Path) -> None:
    """Play the window of a backtest once more for each challenger; the results go into the run's folder."""
    for shadow in shadow_desks(prepared, options):
        run = ShadowRun(shadow)
        run.play(run_instants(prepared.catalog, prepared.choice.window), last=True)
        run.write(folder / SHADOW, mode="shadow", exit_reason="completed")
