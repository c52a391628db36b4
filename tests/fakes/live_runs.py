"""Paper runs on a scripted venue that misbehaves, each in a process of its own.

A process holds one live node, and importing the engine takes longer than a run: `run_all` starts one driver,
which forks a child for each case; the child plays it, records it, replays the recording through the backtest
and says what happened.  The driver is a fresh process: threads of an engine do not survive a fork.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from catalog.arrivals import Gap
from catalog.store import Catalog
from crupto_nautilus.desk import edges, paper, parity
from crupto_nautilus.desk.feed_check import FeedCheck
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.desk.record import RecordFeed
from crupto_nautilus.desk.services import PaperContext
from crupto_nautilus.desk.window import choose_market
from crupto_nautilus.errors import CruptoError
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import verify_run
from risk.vocabulary import LONG, MINUTE_NS, Bar
from strategies import bus
from strategies.registry import StrategySpec
from tests.fakes.live_feed import Arrival, Script, ScriptedFeed
from tests.fakes.markets import START_NS
from tests.fakes.scenario import BO, VE, Scenario, scripted, wish
from tests.fakes.scenario_market import Tape, at, write_market

SECOND_NS = 1_000_000_000
BARS = 40
AT_ONCE = 3
PROJECT = Path(__file__).parents[2]
COINS = ("BTC", "ETH")
# BTC is bought at bars 5 and 30, ETH at bar 5; each may also be bought while a fault lasts (12 and 15).
BUYS = {("BTC", 5): wish(LONG), ("ETH", 5): wish(LONG), ("BTC", 12): wish(LONG), ("ETH", 12): wish(LONG)}
SLOW_BUYS = {("ETH", 15): wish(LONG), ("BTC", 30): wish(LONG)}


@dataclass
class LiveCase:
    """One run: how the venue delivers the bars, and what the market does at some of them."""

    name: str
    deliver: Deliver
    closes: dict[tuple[str, int], float] = field(default_factory=dict)  # (coin, bar) -> close, else 100
    backfill: bool = False
    give_up_s: float = 900.0
    end_bar: int = BARS
    connecting: Callable[[], Awaitable[None]] | None = None
    endless: bool = False
    check_s: float | None = None  # the time-out of the feed check; None: no check
    connect_s: int = paper.CONNECT_TIMEOUT_S
    feeds: list[ScriptedFeed] = field(default_factory=list)
    asked: list[tuple[str, int, int]] = field(default_factory=list)  # (coin, first bar, last bar)

    @property
    def run_id(self) -> str:
        """The name as the name of a run."""
        return self.name.replace(" ", "-")


@dataclass
class LiveRun:
    """What a run said of itself."""

    error: str = ""
    exit_code: int = 0
    exit_reason: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    decisions: list[tuple[str, int, str]] = field(default_factory=list)  # (coin, bar, reason or "")
    fills: list[tuple[str, int, str, float]] = field(default_factory=list)  # (coin, bar, role, price)
    alarms: list[tuple[str, str, str]] = field(default_factory=list)  # (kind, subject, detail)
    higher: list[tuple[str, int, int, int, float]] = field(default_factory=list)
    """(coin, minutes, bar at which it closes, bar at which it came, volume)"""
    instants: int = 0
    bars: int = 0
    unsettled: int = 0
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)  # of `report --verify`
    parity: dict[str, str] = field(
        default_factory=dict
    )  # table -> first difference to the replayed recording

    def reason(self, coin: str, k: int) -> str | None:
        """Return why a signal of a bar was refused, "" if it was approved, None if there was none."""
        return next((reason for c, bar, reason in self.decisions if (c, bar) == (coin, k)), None)

    def kinds(self, prefix: str = "feed_") -> list[str]:
        """Return the kinds of alarms of the feed."""
        return [kind for kind, _, _ in self.alarms if kind.startswith(prefix)]


def on_time(bars: Mapping[str, list[Bar]], seconds: float = 1.0) -> list[Arrival]:
    """Return every bar `seconds` after its close, in order of time and coin."""
    made = [Arrival(bar.ts_event + round(seconds * SECOND_NS), bar) for rows in bars.values() for bar in rows]
    return sorted(made, key=lambda a: (a.at_ns, a.what.instrument if isinstance(a.what, Bar) else ""))


def number(ts: int) -> int:
    """Return the number of the bar that closes at a time."""
    return (ts - START_NS) // MINUTE_NS


def specs() -> list[StrategySpec]:
    """Return the rules: one on minutes, one on 15 minutes."""
    return [
        scripted(BO, BUYS, minutes=1, base=1),
        scripted(VE, SLOW_BUYS, minutes=15, base=1),
    ]


class Listener(DataActor):
    """Keeps the higher bars as the desk sees them."""

    def setup(self, run: LiveRun) -> Listener:
        self.run = run
        return self

    def on_start(self) -> None:
        self.subscribe_topic(bus.INSTANT, self.on_instant, 3)

    def on_instant(self, message: Any) -> None:
        if message.warm_only:
            return
        for minutes, bars in message.bars.items():
            if minutes > 1:
                self.run.higher += [
                    (b.instrument[:3], minutes, number(b.ts_event), number(message.ts_event), b.volume)
                    for b in bars
                ]


class Listening:
    """The service that adds the listener."""

    name = "listening"

    def __init__(self, run: LiveRun) -> None:
        self._run = run

    def start(self, context: PaperContext) -> None:
        self._context = context
        actor = Listener(DataActorConfig(actor_id=ActorId("LISTENER-001")))
        context.node.add_actor(actor.setup(self._run))

    def stop(self, reason: str) -> None:
        router = self._context.desk.router
        self._run.instants, self._run.bars = router.instants, router.bars
        self._run.unsettled = router.unsettled


def play(case: LiveCase, folder: Path) -> LiveRun:
    """Play a case in this process."""
    run = LiveRun()
    scenario = Scenario({}, [], equity=10_000.0, minutes=1)
    scenario.write_config(folder / "config")
    config = scenario.load_config(folder / "config")
    tapes = {}
    for coin in COINS:
        tape = Tape()
        for k in range(1, BARS + 1):
            tape.to(case.closes.get((coin, k), 100.0))
        tapes[coin] = tape
    with patch("os.fsync"):
        catalog = write_market(folder / "catalog", tapes, {}, 1, {})
    choice = choose_market(catalog, catalog.instruments(), START_NS, at(case.end_bar, 1), None, config)
    bars = {
        name: list(catalog.bars(name, 1, START_NS, at(case.end_bar, 1)).bars(name, 1))
        for name in choice.window.instruments
    }
    # What the venue has not sent yet the catalog of the run must not know.
    before = _history(folder / "before", catalog)
    named = {spec.name: spec for spec in specs()}
    prepared = Prepared(before, replace(choice), named)
    options = PaperOptions(
        folder / "before", config, folder / "runs", case.run_id, equity=10_000.0, start_ns=START_NS,
        end_ns=at(case.end_bar, 1), unlock_after_hours=None, feed="scripted",
    )  # fmt: skip

    async def backfill(gap: Gap) -> list[Bar]:
        case.asked.append((gap.instrument[:3], number(gap.first_ns), number(gap.last_ns)))
        return [bar for bar in bars[gap.instrument] if gap.first_ns <= bar.ts_event <= gap.last_ns]

    script = Script(
        case.deliver(bars, case),
        at(case.end_bar, 1) + 10 * SECOND_NS,
        backfill=backfill if case.backfill else None,
        give_up_s=case.give_up_s,
        connecting=case.connecting,
        endless=case.endless,
        feeds=case.feeds,
    )
    edges.FEEDS["scripted"] = script
    recorded = Catalog.create(folder / "recorded")
    try:
        connect = patch.object(paper, "CONNECT_TIMEOUT_S", case.connect_s)
        with as_scripted(prepared), connect, patch("os.fsync"):
            check = [] if case.check_s is None else [FeedCheck(case.check_s, stop_s=4.0)]
            paper.run_paper(options, [*check, Listening(run), RecordFeed(recorded)])
    except CruptoError as error:
        run.error, run.exit_code = str(error), int(error.exit_code)
    if not case.feeds:
        return run
    (feed,) = case.feeds
    run.counts, run.restarts = asdict(feed.feed.assembler.counts), feed.feed.health().restarts
    run.asked = case.asked
    if (folder / "runs" / case.run_id).exists():
        _read(run, RunFolder(folder / "runs" / case.run_id), prepared, options, recorded)
    return run


@contextmanager
def as_scripted(prepared: Prepared) -> Iterator[None]:
    """Let `run_paper` take what was prepared instead of asking an exchange for history."""
    with (
        patch.object(paper, "prepare_paper", return_value=prepared),
        patch.object(paper, "until_now", side_effect=lambda given, *_: given),
    ):
        yield


def _history(path: Path, catalog: Catalog) -> Catalog:
    made = Catalog.create(path)
    for key in catalog.source_keys():
        for part, columns in catalog.raw_until(key, START_NS):
            made.add(*key, columns, label=part.label, source=part.source)
    return made


def _read(
    run: LiveRun, folder: RunFolder, prepared: Prepared, options: PaperOptions, recorded: Catalog
) -> None:
    run.exit_reason = folder.facts.exit_reason
    run.violations = list(verify_run(folder).violations)
    decisions, fills, alarms = (folder.table(name) for name in ("decisions", "fills", "alarms"))
    run.decisions = [
        (row.instrument[:3], number(row.ts_event), row.reason or "") for row in decisions.itertuples()
    ]
    run.fills = [
        (row.instrument[:3], number(row.ts_event), row.role, row.price) for row in fills.itertuples()
    ]
    run.alarms = [(row.kind, row.subject, row.detail) for row in alarms.itertuples()]
    recorded.reload()
    replayed = replace(prepared, catalog=recorded)
    with patch.object(parity, "prepare", return_value=replayed):
        again = parity.options_of(folder, catalog=recorded.path, config=options.config, out=options.out)
        found = parity.compare_run(folder, again)
    run.parity = {t.table: str(t) for t in found.tables if not t.same}


def run_all(module: str, folder: Path) -> dict[str, LiveRun]:
    """Play the `CASES` of a test module and return what they said."""
    driver = [sys.executable, "-m", "tests.fakes.live_runs", module, str(folder)]
    done = subprocess.run(driver, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, LiveRun] = {}
    for place in sorted(folder.iterdir()):
        if (place / "crash.txt").exists():
            raise AssertionError((place / "crash.txt").read_text())
        if not (place / "result.json").exists():  # the process was ended from outside of the node
            code = int((place / "exit_code.txt").read_text())
            found[place.name] = LiveRun((place / "stderr.txt").read_text(), code)
            continue
        raw = json.loads((place / "result.json").read_text())
        for name in ("decisions", "fills", "alarms", "higher", "asked"):
            raw[name] = [tuple(row) for row in raw[name]]
        found[place.name] = LiveRun(**raw)
    return found


def _forked(case: LiveCase, place: Path) -> int:
    """Play a case in a child and return the child's id."""
    if child := os.fork():
        return child
    sys.stderr = (place / "stderr.txt").open("w")
    try:
        (place / "result.json").write_text(json.dumps(asdict(play(case, place))))
    except BaseException:  # noqa: BLE001 - told by the parent
        (place / "crash.txt").write_text(traceback.format_exc())
    sys.stderr.flush()
    os._exit(0)


def drive(module: str, folder: Path) -> None:
    """Play the cases of a module, a few at a time: they mostly wait."""
    places: dict[int, Path] = {}

    def end_one() -> None:
        child, status = os.wait()
        (places.pop(child) / "exit_code.txt").write_text(str(os.waitstatus_to_exitcode(status)))

    for case in importlib.import_module(module).CASES:
        if len(places) == AT_ONCE:
            end_one()
        place = folder / case.name
        place.mkdir()
        places[_forked(case, place)] = place
    while places:
        end_one()


Deliver = Callable[[Mapping[str, list[Bar]], LiveCase], Iterable[Arrival]]

__all__ = ["BARS", "Deliver", "LiveCase", "LiveRun", "drive", "on_time", "play", "run_all"]

if __name__ == "__main__":
    # By its own name: the cases of the module are of that one's classes.
    importlib.import_module("tests.fakes.live_runs").drive(sys.argv[1], Path(sys.argv[2]))
