"""A scenario in the live node, in a process of its own, which can be killed at any mark of the feed.

    python -m tests.fakes.paper_scenario FOLDER [--resume] [--at N --signal KILL|TERM [--written]] ...

Marks are counted over one session: OPEN and CLOSE of every instant, from 1.  Desk, node, journal, feed and
run folder are the real ones; market and rules are planted (see `scenario`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nautilus_trader.common import DataActorConfig
from nautilus_trader.model import ActorId, OrderSide, StrategyId
from nautilus_trader.trading import Strategy, StrategyConfig
from pydantic import ValidationError

from adapters.replay.client import Replay
from catalog.store import Catalog
from crupto_nautilus.config import DeskConfig
from crupto_nautilus.desk import journalling, paper
from crupto_nautilus.desk.assembly import Desk
from crupto_nautilus.desk.edges import ReplayFeed
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.retention import DailyRetention
from crupto_nautilus.desk.services import PaperContext, RunService
from crupto_nautilus.desk.status import StatusReader
from crupto_nautilus.desk.telemetry.service import DashboardService
from crupto_nautilus.errors import CruptoError
from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.writer import JournalWriter
from risk.vocabulary import LONG, SHORT, EntryStyle
from strategies.registry import StrategySpec
from tests.fakes.markets import START_NS
from tests.fakes.scenario import BO, RR, VE, Scenario, StageHand, scripted, wish
from tests.fakes.scenario_market import Tape, at, write_market

BARS = 140


def eventful() -> Scenario:
    """Return a run with a state of each kind that a restart can meet (bars of 15 minutes).

    SOL takes half at 1 R and holds the rest; BNB trails; LTC rests, fills late and rests again in vain; XRP
    is entered in slices; ADA loses so much that the day is locked; AVAX is held while an operator halts, and
    closed when he flattens.
    """
    rest = EntryStyle.POST_ONLY
    tapes = {
        "SOL": Tape().hold(8).to(100.6, 101.2).hold(34).to(101.8, 102.4).hold(BARS - 46),
        "BNB": Tape().to(*(round(100.0 - 0.05 * k, 2) for k in range(1, 41))).to(99.4).hold(BARS - 41),
        "LTC": Tape().hold(14).to(99.8, 99.6).hold(10).to(100.2).hold(20).to(98.0).hold(BARS - 48),
        "XRP": Tape(volume=1_000.0).hold(20).to(100.1, 100.2, 100.3).hold(30).to(101.5).hold(BARS - 54),
        "ADA": Tape(volume=80_000.0).hold(59).gap(98.7).hold(BARS - 60),
        "AVAX": Tape().hold(100).to(100.4, 100.2).hold(BARS - 102),
    }
    halves: dict[str, Any] = {"targets_r": (1.0, 2.0)}
    specs = [
        scripted(
            BO,
            {
                ("SOL", 2): wish(LONG, **halves),
                ("XRP", 20): wish(LONG, **halves),
                ("ADA", 56): wish(LONG, 0.5),
                ("SOL", 70): wish(LONG),
                ("SOL", 102): wish(LONG),
                ("AVAX", 99): wish(LONG, **halves),
                ("XRP", 112): wish(SHORT),
            },
        ),
        scripted(
            VE,
            {("BNB", 4): wish(SHORT, 1.0, trail_atr=1.0), ("LTC", 98): wish(SHORT, time_stop_bars=5)},
            atr=0.6,
        ),
        scripted(
            RR,
            {("LTC", 12): wish(LONG, style=rest, **halves), ("LTC", 52): wish(SHORT, style=rest)},
            minutes=60,
        ),
    ]
    return Scenario(
        tapes,
        specs,
        governance={"max_portfolio_r_pct": 4.0, "max_net_exposure_pct": 300.0, "max_daily_loss_pct": 0.8},
        funding={"SOL": {32: 0.0003}, "AVAX": {128: -0.0002}},
        cues={
            108: _halt("look at the news"),
            114: lambda desk: desk.brain.unlock("news understood"),
            126: _halt("end of the session", flatten=True),
        },
    )


def _halt(detail: str, *, flatten: bool = False) -> Callable[[Desk], None]:
    return lambda desk: desk.brain.halt(detail, flatten=flatten)


def meddled() -> Scenario:
    """Return the eventful run in which somebody tries to change the limits while it goes on."""
    scenario = eventful()
    return replace(scenario, cues={**scenario.cues, 5: _meddle})


def _meddle(desk: Desk) -> None:
    governance = desk.plan.config.governance
    for name in ("leverage_cap", "max_daily_loss_pct"):
        try:
            setattr(governance, name, 50.0)
        except ValidationError:
            continue
        raise AssertionError(f"{name} could be assigned")
    FOLDER[0].joinpath("config", "governance.yaml").write_text("max_daily_loss_pct: 0.01\n")
    os.environ |= {"VIRTUAL_EQUITY": "1", "USE_VIRTUAL_TRADING": "true", "MODE": "live"}


def full_disk() -> Scenario:
    """Return the eventful run whose journal cannot be written from bar 10 to bar 75."""
    scenario = eventful()
    held: list[sqlite3.Connection] = []

    def lock(_: Desk) -> None:
        held.append(sqlite3.connect(FOLDER[0] / "runs" / "journal.db", isolation_level=None))
        held[0].execute("BEGIN EXCLUSIVE")

    def release(_: Desk) -> None:
        held[0].execute("ROLLBACK")
        held[0].close()
        time.sleep(3.0)  # longer than the writer's longest pause

    journalling.BACKLOG = 6  # type: ignore[misc]
    return replace(scenario, cues={**scenario.cues, 10: lock, 75: release})


def intruded() -> Scenario:
    """Return a run in which somebody else sells what the desk holds, at bar 10."""
    script = {("SOL", 2): wish(LONG), ("SOL", 20): wish(LONG), ("BNB", 20): wish(LONG)}
    tapes = {"SOL": Tape().hold(9).to(100.2).hold(20), "BNB": Tape().hold(30)}
    return Scenario(tapes, [scripted(BO, script)], cues={10: lambda _: INTRUDER.sell("SOL-USDT.TEST")})


class Intruder(Strategy):
    """Trades the desk's account without the desk."""

    def sell(self, name: str) -> None:
        """Sell at market what is held."""
        held = next(p for p in self.cache.positions_open() if str(p.instrument_id) == name)
        self.submit_order(self.order_factory.market(held.instrument_id, OrderSide.SELL, held.quantity))


INTRUDER = Intruder(StrategyConfig(strategy_id=StrategyId("INTRUDER-009")))
FOLDER = [Path()]  # of the run, for cues

SCENARIOS: Mapping[str, Callable[[], Scenario]] = {
    "eventful": eventful,
    "meddled": meddled,
    "full_disk": full_disk,
    "intruded": intruded,
}


class Stage:
    """The service that carries out the cues of a scenario."""

    name = "stage"

    def __init__(self, scenario: Scenario) -> None:
        self._cues = {at(k, scenario.minutes): cue for k, cue in scenario.cues.items()}

    def start(self, context: PaperContext) -> None:
        """Add the stage hand to the node."""
        self._hand = StageHand(DataActorConfig(actor_id=ActorId("STAGE-001"))).setup(context.desk, self._cues)
        context.node.add_actor(self._hand)
        context.node.add_strategy(INTRUDER)

    def stop(self, reason: str) -> None:
        """Raise what a cue raised."""
        if self._hand.error is not None:
            raise self._hand.error


class Watch:
    """Writes what page and live status show at the end of a session to `watched.json`."""

    name = "watch"

    def __init__(self, dashboard: DashboardService, retention: DailyRetention) -> None:
        self._dashboard, self._retention = dashboard, retention

    def start(self, context: PaperContext) -> None:
        """Read the run from here on."""
        self._context, self._status = context, StatusReader(context)

    def stop(self, reason: str) -> None:
        """Look a last time, once the daily job has worked."""
        until = time.monotonic() + 20.0
        while not self._retention.times and time.monotonic() < until:
            time.sleep(0.02)
        board, telemetry = self._dashboard.board, self._dashboard.telemetry
        assert board is not None
        assert telemetry is not None
        telemetry.on_pulse(None)
        status = asdict(self._status.read())
        shown = {"run": board.run(), "status": status, "archived": self._retention.rows}
        FOLDER[0].joinpath("watched.json").write_text(json.dumps(shown, default=str))


def play(
    folder: Path, name: str = "eventful", *, run_id: str = "run", resume: bool = False,
    config: DeskConfig | None = None, max_cycles: int | None = None, speed: float = 0.0,
    accept: bool = False, watched: bool = False,
) -> Path:  # fmt: skip
    """Play a scenario in the live node and return the run folder."""
    FOLDER[0] = folder
    scenario = SCENARIOS[name]()
    market = folder / "catalog"
    if not market.exists():
        prepare(folder, scenario)
    specs: dict[str, StrategySpec] = {spec.name: spec for spec in scenario.specs}
    options = PaperOptions(
        market,
        config or scenario.load_config(folder / "config"),
        folder / "runs",
        run_id,
        equity=scenario.equity,
        start_ns=START_NS,
        unlock_after_hours=scenario.unlock_after_hours,
        journal_url=default_url(folder / "runs"),
        resume=resume,
        max_cycles=max_cycles,
        speed=speed,
        accept_governance_change=accept,
    )
    with (
        patch("crupto_nautilus.desk.plan.chosen_specs", lambda *_: specs),
        patch(
            "crupto_nautilus.desk.edges.ACKNOWLEDGEMENT_WINDOW", 1
        ),  # a signal ends a session where it comes
        patch("crupto_nautilus.desk.facts.git_revision", return_value="scenario"),
    ):
        return paper.run_paper(options, [*(_watchers() if watched else []), Stage(scenario)])


def _watchers() -> list[RunService]:
    dashboard, retention = DashboardService(port=0), DailyRetention(30.0, first_s=0.0)
    return [retention, dashboard, Watch(dashboard, retention)]


def prepare(folder: Path, scenario: Scenario) -> Catalog:
    """Write market and configuration of a scenario."""
    scenario.write_config(folder / "config")
    with patch("os.fsync"):
        return write_market(
            folder / "catalog", scenario.tapes, scenario.past, scenario.minutes, scenario.funding
        )


def strike(after: int, number: signal.Signals, written: bool) -> None:
    """Have the process send itself a signal when the desk has handled so many marks.

    `written`: the journal has them all by then; otherwise it has what its thread had the time for.
    """
    handled, put = ReplayFeed.on_phase, JournalWriter.put
    writers: list[JournalWriter] = []
    count = 0

    def remembering(writer: JournalWriter, *entry: Any) -> bool:
        writers[:] = [writer]
        return put(writer, *entry)

    JournalWriter.put = remembering  # type: ignore[method-assign]

    def on_phase(feed: ReplayFeed, phase: int) -> None:
        nonlocal count
        handled(feed, phase)
        count += 1
        if count == after:
            if written and not all(writer.flush() for writer in writers):
                raise AssertionError("the journal could not be written")
            os.kill(os.getpid(), number)

    ReplayFeed.on_phase = on_phase  # type: ignore[method-assign]


def strike_while_preparing(number: signal.Signals) -> None:
    """Have the process send itself a signal when the data is there and the node is not."""
    make = paper.make_plan

    def struck(*given: Any) -> Any:
        os.kill(os.getpid(), number)
        return make(*given)

    paper.make_plan = struck


def strike_while_connecting(number: signal.Signals) -> None:
    """Have the process send itself a signal when the node connects: it has its own handlers by then."""
    play_on = Replay.play

    async def struck(replay: Replay, emit: Callable[[Any], None]) -> None:
        os.kill(os.getpid(), number)
        await asyncio.sleep(0.2)
        await play_on(replay, emit)

    Replay.play = struck  # type: ignore[method-assign]


def main() -> int:
    """Play as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenario", default="eventful")
    parser.add_argument("--run-id", default="run")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--at", type=int)
    parser.add_argument("--early", choices=["preparing", "connecting"])
    parser.add_argument("--signal", choices=["KILL", "TERM", "INT"], default="KILL")
    parser.add_argument("--written", action="store_true")
    parser.add_argument("--max-cycles", type=int)
    parser.add_argument("--speed", type=float, default=0.0)
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("--watched", action="store_true")
    given = parser.parse_args()
    if given.early:
        early = {"preparing": strike_while_preparing, "connecting": strike_while_connecting}
        early[given.early](signal.Signals[f"SIG{given.signal}"])
    if given.at:
        strike(given.at, signal.Signals[f"SIG{given.signal}"], given.written)
    try:
        play(
            given.folder, given.scenario, run_id=given.run_id, resume=given.resume,
            max_cycles=given.max_cycles, speed=given.speed, accept=given.accept,
            watched=given.watched,
        )  # fmt: skip
    except CruptoError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
