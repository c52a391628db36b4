"""The one place where the desk is put together; backtest and paper call it with different edges.

Guarantees: components are built in a fixed order and added so that everyone listens before the router
speaks; priorities of the handlers of an instant are claimed once; nothing here knows whether the engine is
a backtest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nautilus_trader.common import DataActorConfig
from nautilus_trader.model import ActorId

from actors.agent import DeskAgent
from actors.brain import BrainActor
from actors.enable_map import EnableMap
from actors.execution import ExecutionActor
from actors.monitor import MonitorActor
from actors.reconciler import ReconcilerActor
from actors.regime import REGIME_MINUTES, RegimeActor
from actors.regimes import WARMUP_BARS as REGIME_WARMUP_BARS
from actors.regimes import RegimePanel
from actors.risk_manager import RiskManagerActor
from actors.router import RouterActor
from actors.selection import SelectionActor
from actors.selection_rules import CooldownBook, MandateRules, ScoreBook
from actors.sinks import FundingSource, JournalSink, Recorder
from actors.tools import DeskTools, register_tools
from crupto_nautilus.config import DeskConfig
from crupto_nautilus.desk.checkpoint import Checkpointer, Resumed
from risk.clock import DeskClock
from risk.correlation import TIMEFRAMES as CORRELATION_TIMEFRAMES
from risk.engine import RiskDesk
from risk.governor import DeskGovernor
from risk.liquidity import estimate_slippage_bps
from risk.vocabulary import DAY_NS, HOUR_NS, MINUTE_NS, Alarm, Bar, Instant, InstrumentRules
from strategies import bus, classes
from strategies.registry import StrategySpec

# An exit must go out even into a bar without volume, where the estimate is infinite.
MAX_EXIT_SLIPPAGE_BPS = 100.0


@dataclass(frozen=True, slots=True)
class DeskPlan:
    """What a desk is built from; `warm_up` and `seed` come from the catalog, the rest from configuration."""

    run_id: str
    config: DeskConfig
    rules: Mapping[str, InstrumentRules]
    base_minutes: Mapping[str, int]
    specs: Mapping[str, StrategySpec]
    equity: float
    warm_up: Iterable[Instant] = ()
    seed: Mapping[str, list[Bar]] | None = None
    unlock_after_hours: float | None = None
    start_ns: int = 0  # where the warm-up ends
    enable_map: EnableMap | None = None  # the one in force; None: as configured, without canaries
    risk_shares: Mapping[str, float] = field(default_factory=dict)  # of canaries, by strategy
    resume: Resumed | None = None  # where a resumed run goes on
    netted: bool = False  # the venue's account has one position an instrument, whoever opened it

    @property
    def timeframes(self) -> tuple[int, ...]:
        """All timeframes that strategies and regimes act on."""
        return timeframes_of(self.specs)


def timeframes_of(specs: Mapping[str, StrategySpec]) -> tuple[int, ...]:
    """Return the timeframes that the strategies and the regime need, slowest first."""
    return tuple(sorted({REGIME_MINUTES, *(spec.minutes for spec in specs.values())}, reverse=True))


def warm_up_needs(
    specs: Mapping[str, StrategySpec], base_minutes: Mapping[str, int], correlation_bars: int
) -> dict[int, int]:
    """Return the closed bars wanted before a start, by timeframe."""
    needs = {REGIME_MINUTES: REGIME_WARMUP_BARS}
    for spec in specs.values():
        for minutes, count in spec.warmup.items():
            needs[minutes] = max(needs.get(minutes, 0), count)
    for minutes in set(base_minutes.values()):
        day = DAY_NS // (minutes * MINUTE_NS)  # the market view sums 24 h of fine bars
        needs[minutes] = max(needs.get(minutes, 0), day)
    for minutes in CORRELATION_TIMEFRAMES:
        needs[minutes] = max(needs.get(minutes, 0), correlation_bars + 1)
    return needs


class Desk:
    """All components of one run, connected."""

    def __init__(
        self,
        plan: DeskPlan,
        recorder: Recorder,
        journal: JournalSink | None = None,
        on_phase: Callable[[int], None] | None = None,
        funding: FundingSource | None = None,
    ) -> None:
        config, rules = plan.config, dict(plan.rules)
        self.plan, self.clock = plan, DeskClock()
        virtual = config.runtime.virtual
        self.risk_desk = RiskDesk(
            config.governance,
            rules,
            dict(plan.base_minutes),
            plan.equity,
            virtual.equity if virtual.enabled else None,
            virtual.asset if virtual.enabled else "",
            plan.risk_shares,
            netted=plan.netted,
            account_settles=funding is not None,
        )
        enable_map = plan.enable_map or config.enable_map
        regimes = RegimePanel(sorted(rules), enable_map.min_bars_hold, enable_map.panic_min_bars)
        self.classifiers = regimes.classifiers
        cooldowns = CooldownBook(enable_map.cooldown_bars, enable_map.cooldown_after_2_losses)
        scores = ScoreBook(enable_map)
        specs = dict(plan.specs)
        mandates = MandateRules(enable_map)
        self.tools = register_tools(DeskTools(self.risk_desk, regimes, mandates, cooldowns, scores))
        self.flags: set[str] = set()
        self._priorities = bus.PriorityTable()
        self.brain = self._agent(BrainActor, bus.BRAIN_PRIORITY).setup(
            DeskGovernor(config.governance),
            self.risk_desk,
            None if plan.unlock_after_hours is None else round(plan.unlock_after_hours * HOUR_NS),
        )
        self.regime = self._agent(RegimeActor, bus.REGIME_PRIORITY).setup(self.classifiers)
        self.selection = self._agent(SelectionActor, bus.SELECTION_PRIORITY).setup(
            specs, tuple(sorted(rules)), cooldowns, scores, enable_map.min_score is not None
        )
        self.risk_manager = self._agent(RiskManagerActor, bus.BOOKS_PRIORITY).setup(
            self.risk_desk, self.classifiers, lambda: self.brain.desk_state, self._flags_now, funding
        )
        self.execution = self._agent(ExecutionActor, bus.EXECUTION_PRIORITY)
        self.monitor = self._agent(MonitorActor, bus.MONITOR_PRIORITY).setup(
            self.risk_desk, recorder, journal, lambda: self.checkpointer.state()
        )
        self._journal = journal
        self.strategies = [
            classes.build(spec).setup(
                spec,
                self._priorities.claim(bus.STRATEGY_PRIORITY - k, spec.name),
                run_id=plan.run_id,
                rules=rules,
                clock=self.clock,
                slippage_bps_of=self._slippage_bps,
                virtual_asset=virtual.asset if virtual.enabled else "",
                leverage=config.governance.leverage_cap,
            )
            for k, spec in enumerate(specs.values())
        ]
        self.checkpointer = Checkpointer(
            self.brain, self.risk_manager, self.selection, self.monitor, self.strategies, self.flags,
            1 if plan.resume is None else plan.resume.session,
        )  # fmt: skip
        self.router = self._agent(RouterActor, None).setup(
            plan.base_minutes,
            plan.timeframes,
            plan.warm_up,
            plan.seed,
            plan.start_ns,
            on_phase,
            () if plan.resume is None else plan.resume.catch_up,
            None if plan.resume is None else self._restore,
        )
        # A backtest has nobody else at its venue and no restart: nothing to reconcile.
        self.reconciler = None
        if on_phase is not None:
            self.reconciler = self._agent(ReconcilerActor, None).setup(
                self.risk_desk, self.strategies, self.flags, lambda: self.brain.desk_state,
                restarted=plan.resume is not None,
            )  # fmt: skip
        self.monitor.batch.mute(plan.resume is not None)

    def _agent[A: DeskAgent](self, cls: type[A], priority: int | None) -> A:
        if priority is not None:
            self._priorities.claim(priority, cls.agent)
        agent = cls(DataActorConfig(actor_id=ActorId(f"desk-{cls.agent}-001")))
        agent.connect(self.plan.run_id, self.clock, self.tools)
        return agent

    def _flags_now(self) -> frozenset[str]:
        """Return what keeps entries back; the journal's bound counts as a tool that failed."""
        pause = "" if self._journal is None else self._journal.pause
        flags = frozenset(self.flags) if not pause else frozenset({*self.flags, f"tool_error:{pause}"})
        if not self.plan.netted:
            return flags
        working = (order for strategy in self.strategies for order in strategy.working_orders())
        return flags.union(f"working@{instrument}:{name}" for instrument, name in working)

    def _restore(self) -> None:
        """Take over the checkpoint of a resumed run and open again what it held."""
        resume = self.plan.resume
        if resume is None:
            return
        self.checkpointer.load(resume.state)
        self.monitor.batch.mute(False)
        detail = f"session {resume.session} goes on from the checkpoint of {resume.ts_event}"
        for kind, words in (("resumed", detail), *resume.changes):
            alarm = Alarm(resume.ts_event, kind, self.plan.run_id, words)
            self.router.publish_message(bus.ALARM, alarm)
        for strategy in self.strategies:
            strategy.reopen(resume.session)

    def _slippage_bps(self, instrument: str, notional_usd: float) -> float:
        """Price a market exit with what the desk knows of the market now, at most `MAX_EXIT_SLIPPAGE_BPS`."""
        market = self.risk_desk.market
        price = market.price(instrument)
        if price is None:
            return MAX_EXIT_SLIPPAGE_BPS
        estimate = estimate_slippage_bps(
            notional_usd,
            market.bar_quote_volume(instrument),
            price,
            self.plan.rules[instrument],
            self.plan.config.governance,
            market.spread_bps(instrument, self.clock.now_ns),
        )
        return min(estimate, MAX_EXIT_SLIPPAGE_BPS)

    def add_to(self, target: Any) -> None:
        """Add everything to an engine or node; the router comes last, so everyone listens by then."""
        for agent in (
            self.regime, self.selection, self.brain, self.risk_manager, self.execution, self.monitor,
        ):  # fmt: skip
            target.add_actor(agent)
        if self.reconciler is not None:
            target.add_actor(self.reconciler)
        for strategy in self.strategies:
            target.add_strategy(strategy)
        target.add_actor(self.router)
