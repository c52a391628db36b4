"""Scenarios: the whole desk on a planted market, with rules that speak when the script says so.

Everything is real (engine, venue, agents, risk, ledger, run folder) but two things: the market, which is
written bar by bar, and the rules, which emit planted setups.  Every run is checked before it is handed back:
books against the engine's account, and the run folder by the checker of `crupto report --verify`.

Bars are counted from 1 (see `scenario_market`).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import yaml
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId, Venue

from adapters.simulated import USDT
from catalog.feed import EngineFeed
from catalog.instants import run_instants
from crupto_nautilus.config import DeskConfig, load_config
from crupto_nautilus.config.load import DEFAULTS
from crupto_nautilus.desk.assembly import Desk
from crupto_nautilus.desk.engine import make_engine, play
from crupto_nautilus.desk.facts import call_rows, run_facts
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.outcome import DeskRun, check_run
from crupto_nautilus.desk.plan import Prepared, make_plan
from crupto_nautilus.desk.window import choose_market, chunk_span_ns
from crupto_nautilus.reports.recording import Recording
from crupto_nautilus.reports.run_folder import RunFolder, RunWriter
from crupto_nautilus.reports.verify import VerifyReport, verify_run
from risk.vocabulary import MINUTE_NS, Bar, EntryStyle, ExitSpec, Instant, Quote, RegimeLabel
from strategies import bus
from strategies.registry import REGISTRY, StrategySpec
from strategies.rule import Condition, Rule, Setup
from tests.fakes.markets import START_NS
from tests.fakes.scenario_market import BASE, Past, Tape, at, instrument, write_market

BO, VE, RR, FR = REGISTRY  # breakout_4h, volatility_expansion_15m, range_reversion_5m, funding_reversion

Script = Mapping[tuple[str, int], Setup | Exception]  # (coin, bar) -> what the rule says, or raises, there
Cues = Mapping[int, Callable[[Desk], None]]  # bar -> what somebody does before the desk looks at it


# --- the rules --------------------------------------------------------------------------------------------


def wish(
    side: int,
    distance: float = 1.0,
    *,
    confidence: float = 1.0,
    atr: float = 2.0,
    style: EntryStyle = EntryStyle.MARKET,
    **exits: Any,
) -> Setup:
    """Return a setup; at a price of 100 confidence 1 and ATR 2 leave the risk budget as it is."""
    return Setup(side, ExitSpec(distance, **exits), confidence, atr, style, ())


class ScriptedRule(Rule):
    """Says what its script has for a bar, and nothing else."""

    script: ClassVar[Mapping[tuple[str, int], Setup | Exception]]
    leave: ClassVar[Mapping[tuple[str, int], str]]
    measured_atr: ClassVar[Mapping[int, float] | float | None]

    def __init__(self) -> None:
        super().__init__()
        self._key = ("", 0)

    def update(self, bar: Bar) -> Setup | None:
        """Look the bar up."""
        measured = self.measured_atr
        self.atr = measured.get(bar.ts_event, self.atr) if isinstance(measured, Mapping) else measured
        self._key = (bar.instrument, bar.ts_event)
        found = self.script.get(self._key)
        if isinstance(found, Exception):
            raise found
        return found

    def missing(self) -> str:
        """Need nothing."""
        return ""

    def waiting(self) -> tuple[Condition, ...]:
        """Wait for nothing."""
        return ()

    def exit_due(self, side: int) -> str | None:
        """Look the bar up."""
        return self.leave.get(self._key)


def scripted(
    name: str,
    script: Script,
    *,
    minutes: int = BASE,
    base: int = BASE,
    leave: Mapping[tuple[str, int], str] | None = None,
    atr: Mapping[int, float] | float | None = None,
) -> StrategySpec:
    """Return a strategy of the registry's name with scripted signals on bars of `minutes`.

    `leave` says at which bars the exit condition is due; `atr` is the current ATR that a trail reads, all
    the time or from some bars on.
    """

    def keyed(rows: Mapping[tuple[str, int], Any]) -> dict[tuple[str, int], Any]:
        return {(instrument(coin), at(k, base)): value for (coin, k), value in rows.items()}

    rule = type(
        "Scripted",
        (ScriptedRule,),
        {
            "name": name,
            "minutes": minutes,
            "script": keyed(script),
            "leave": keyed(leave or {}),
            "measured_atr": {at(k, base): v for k, v in atr.items()} if isinstance(atr, Mapping) else atr,
        },
    )
    return dataclasses.replace(REGISTRY[name], rule=rule, minutes=minutes, warmup={}, warmup_funding_days=0)


def break_tool(capability: str) -> Callable[[Desk], None]:
    """Return a cue after which a tool raises."""

    def fail(*_: object) -> None:
        raise RuntimeError("planned")

    def cue(desk: Desk) -> None:
        spec = desk.tools.spec(capability)
        stats = desk.tools.stats[capability]
        desk.tools._tools[capability] = dataclasses.replace(spec, function=fail), stats

    return cue


# --- the run ----------------------------------------------------------------------------------------------


class StageHand(DataActor):
    """Does what a cue says before the desk looks at an instant; remembers what went wrong."""

    def setup(self, desk: Desk, cues: Mapping[int, Callable[[Desk], None]]) -> StageHand:
        self.desk, self.cues = desk, cues
        self.error: Exception | None = None
        return self

    def on_start(self) -> None:
        self.subscribe_topic(bus.INSTANT, self.before_the_desk, 99)

    def before_the_desk(self, message: object) -> None:
        if not isinstance(message, Instant) or message.warm_only or message.ts_event not in self.cues:
            return
        try:
            self.cues[message.ts_event](self.desk)
        except Exception as error:  # noqa: BLE001 - the engine would swallow it; `play` raises it
            self.error = error


@dataclass
class ScenarioRun:
    """A finished scenario."""

    desk: Desk
    recording: Recording
    balance: float  # the engine's account
    folder: RunFolder
    report: VerifyReport
    minutes: int

    def rows(self, table: str, **wanted: object) -> list[Any]:
        """Return the rows of a table whose fields have the given values."""
        return [
            row
            for row in self.recording.rows(table)
            if all(_field(row, name) == value for name, value in wanted.items())
        ]

    def decision(self, coin: str, k: int, strategy: str = BO) -> dict[str, Any]:
        """Return the one answer to the signal of a bar."""
        (row,) = self.rows(
            "decisions", instrument=instrument(coin), ts_event=at(k, self.minutes), strategy=strategy
        )
        return dict(row)

    def reason(self, coin: str, k: int, strategy: str = BO) -> str:
        """Return why a signal was refused, empty if it was approved."""
        return str(self.decision(coin, k, strategy)["reason"])

    def reasons(self, coin: str, *bars: int, strategy: str = BO) -> list[str]:
        """Return the reasons of several bars."""
        return [self.reason(coin, k, strategy) for k in bars]

    def risk_pct(self, coin: str, k: int, strategy: str = BO) -> float:
        """Return what an approved trade risks, percent of equity; a step of the quantity is 0.0002 %."""
        row = self.decision(coin, k, strategy)
        assert row["approved"], row["reason"]
        return float(row["risk_pct"])

    @property
    def states(self) -> list[tuple[int, str, str]]:
        """Desk states as (bar, mode, reason)."""
        return [(self.bar(s.ts_event), str(s.mode), str(s.reason or "")) for s in self.rows("states")]

    def bar(self, ts: int) -> int:
        """Return the number of the bar that closes at `ts`."""
        return (ts - START_NS) // (self.minutes * MINUTE_NS)

    def trade(self, coin: str, nth: int = 0) -> Any:
        """Return a closed trade of a coin."""
        return self.rows("trades", instrument=instrument(coin))[nth]

    def steps(self, coin: str, role: str) -> list[tuple[int, str, float, float]]:
        """Return the order events of a role as (bar, action, quantity, price)."""
        return [
            (self.bar(o.ts_event), o.action, o.quantity, o.price)
            for o in self.rows("orders", instrument=instrument(coin), role=role)
        ]

    def fills(self, coin: str, role: str | None = None) -> list[tuple[int, float, float]]:
        """Return the fills as (bar, quantity, price)."""
        return [
            (self.bar(f.ts_event), f.quantity, f.price)
            for f in self.rows("fills", instrument=instrument(coin))
            if role in (None, f.role)
        ]

    def labels(self, coin: str) -> list[tuple[int, RegimeLabel]]:
        """Return the changes of regime as (bar, label); bar 0 and less: before the start."""
        return [(self.bar(r.ts_event), r.label) for r in self.rows("regimes", instrument=instrument(coin))]


def _field(row: Any, name: str) -> object:
    return row[name] if isinstance(row, Mapping) else getattr(row, name)


@dataclass(frozen=True)
class Scenario:
    """What happens: markets, rules, and everything that is not the default."""

    tapes: Mapping[str, Tape]
    specs: Sequence[StrategySpec]
    past: Mapping[str, Past] = field(default_factory=dict)  # by coin, "*": all others
    governance: Mapping[str, object] = field(default_factory=dict)
    enable_map: Mapping[str, object] = field(default_factory=dict)
    symbols: Mapping[str, object] = field(default_factory=dict)  # for all coins
    funding: Mapping[str, Mapping[int, float]] = field(default_factory=dict)  # coin -> bar -> rate
    quotes: Mapping[str, Mapping[int, tuple[float, float]]] = field(default_factory=dict)
    cues: Cues = field(default_factory=dict)
    equity: float = 10_000.0
    minutes: int = BASE
    unlock_after_hours: float | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    netted: bool = False
    everything_allowed: bool = True  # in every regime; False: the enable map of the defaults

    def play(self, folder: Path, *, broken: bool = False) -> ScenarioRun:
        """Run it; `broken` says that handlers raise, so that the run is not checked."""
        self.write_config(folder / "config")
        config = self.load_config(folder / "config")
        with patch("os.fsync"):  # a test's market need not survive a power cut
            catalog = write_market(folder / "catalog", self.tapes, self.past, self.minutes, self.funding)
        started = time.time_ns()
        options = BacktestOptions(
            folder / "catalog", config, folder / "runs", "scenario", equity=self.equity,
            start_ns=START_NS, unlock_after_hours=self.unlock_after_hours, netted=self.netted,
        )  # fmt: skip
        choice = choose_market(catalog, catalog.instruments(), START_NS, None, None, config)
        window = dataclasses.replace(choice.window, quotes=dict(self._quotes()))
        choice = dataclasses.replace(choice, window=window)
        specs = {spec.name: spec for spec in self.specs}
        prepared = Prepared(catalog, choice, specs)
        plan = make_plan(prepared, options)
        recording = Recording()
        desk = Desk(plan, recording)
        engine = make_engine(plan.rules, self.equity, charge=True)
        desk.add_to(engine)
        cues = {at(k, self.minutes): cue for k, cue in self.cues.items()}
        stage = StageHand(DataActorConfig(actor_id=ActorId("STAGE-001"))).setup(desk, cues)
        engine.add_actor(stage)
        feed = EngineFeed(plan.rules, window.base_minutes)
        play(engine, feed, run_instants(catalog, window), chunk_span_ns(window))
        account: Any = engine.portfolio.account(venue=Venue("TEST"))
        balance = account.balance_total(USDT).as_double()
        engine.dispose()
        if stage.error is not None:
            raise stage.error
        if not broken:
            check_run(DeskRun(desk, recording, balance, 0.0))
        with (
            patch("crupto_nautilus.desk.facts.git_revision", return_value="scenario"),
            RunWriter(options.out, options.run_id) as writer,
        ):
            writer.write_table("calls", call_rows(desk.tools))
            writer.write_recording(recording)
            written = writer.finish(run_facts(prepared, options, desk, wall_start_ns=started))
        report = verify_run(written)
        assert broken or report.ok, "\n".join(report.violations)
        return ScenarioRun(desk, recording, balance, written, report, self.minutes)

    def write_config(self, folder: Path) -> None:
        """Write the configuration files."""
        folder.mkdir(parents=True)
        trees = {name: _default(name) for name in ("governance", "enable_map", "symbols")}
        trees["governance"] |= self.governance
        if self.everything_allowed:
            both = {name: ["long", "short"] for name in REGISTRY}
            labels = [str(label) for label in RegimeLabel if label is not RegimeLabel.UNKNOWN]
            trees["enable_map"]["regimes"] = dict.fromkeys(labels, both)
        trees["enable_map"] |= self.enable_map
        trees["symbols"]["defaults"] |= self.symbols
        trees["symbols"]["symbols"] = {}
        for name, tree in trees.items():
            (folder / f"{name}.yaml").write_text(yaml.dump(tree, Dumper=_PlainDumper))

    def load_config(self, folder: Path) -> DeskConfig:
        """Read them."""
        return load_config(config_dir=folder, env=self.env)

    def _quotes(self) -> Iterator[tuple[str, tuple[Quote, ...]]]:
        for coin, rows in self.quotes.items():
            name = instrument(coin)
            yield name, tuple(Quote(name, at(k, self.minutes), *pair) for k, pair in sorted(rows.items()))


class _PlainDumper(yaml.SafeDumper):
    """YAML without anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _default(name: str) -> dict[str, Any]:
    return deepcopy(_read_default(name))


@cache
def _read_default(name: str) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load((DEFAULTS / f"{name}.yaml").read_text())
    return tree
