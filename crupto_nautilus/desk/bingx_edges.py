"""BingX as the edges of a paper run: its market data, and its demo account (VST) as the venue.

Guarantees: the desk is fed by the same instants as in a replay; with VST execution no host with real money is
contacted, the account is checked before the node is built, and the desk's leverage is the account's.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nautilus_trader.live import (
    DataClientConfig,
    ExecutionClientConfig,
    LiveExecutionEngineConfig,
    SubmissionRecoveryPolicy,
)

from adapters.bingx.account_guard import AccountFacts, secure_account
from adapters.bingx.constants import VENUE
from adapters.bingx.data import BingxDataClient
from adapters.bingx.execution import BingxExecutionClient
from adapters.bingx.factories import data_factory, execution_factory
from adapters.bingx.market_rows import contracts
from adapters.bingx.rest import CONTRACTS, BingxRest
from adapters.bingx.symbols import venue_symbol
from adapters.live.feed import InstantFeed
from adapters.live.stopwatch import Stopwatch
from adapters.live.venue_clock import VenueClock, VenueFeedClock
from adapters.simulated import perpetual
from catalog.arrivals import Gap
from catalog.assembler import InstantAssembler
from catalog.feed import CLOSE, EngineFeed, call_mark
from catalog.symbols import parse_instrument
from crupto_nautilus.desk.assembly import DeskPlan
from crupto_nautilus.desk.live_history import require_grid
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.errors import SafetyRefusal, UsageError
from risk.vocabulary import Bar

VST_TOLERANCE_USD = 0.01  # rounding of the venue; funding is compared apart


class BingxFeed:
    """Market data of BingX as instants."""

    def __init__(self, prepared: Prepared, plan: DeskPlan, options: PaperOptions) -> None:
        settings = options.data_settings
        if settings is None:
            raise UsageError("the feed bingx needs settings", found="none")
        window = prepared.choice.window
        symbols = tuple(venue_symbol(name) for name in window.instruments)
        self._settings = replace(settings, symbols=symbols)
        self.clock = VenueClock(settings.timebase)
        grace_ns = round(settings.instant_grace_s * 1e9)
        self.instants = InstantFeed(
            InstantAssembler(window.base_minutes, grace_ns, window.start_ns),
            EngineFeed(plan.rules, window.base_minutes),
            backfill=self._backfill,
            clock=VenueFeedClock(self.clock, settings.timebase),
            stopwatch=Stopwatch(),
        )
        self._instruments = tuple(
            perpetual(rules, parse_instrument(name).base) for name, rules in sorted(plan.rules.items())
        )
        self.client: BingxDataClient | None = None
        self._cycles, self._max_cycles = 0, options.max_cycles

    @property
    def failure(self) -> str:
        """Why the feed broke down."""
        return self.instants.failure

    @property
    def ended(self) -> str:
        """Why the feed came to its end."""
        return self.instants.ended

    @property
    def stopwatch(self) -> Stopwatch:
        """When each instant was handed to the node."""
        return self.instants.stopwatch

    def unready(self) -> str:
        """Why trading may not begin yet."""
        return self.instants.unready()

    def figures(self) -> dict[str, Any]:
        """What arrived and what was wrong with it."""
        return self.instants.figures()

    def on_phase(self, phase: int) -> None:
        """The desk has handled a mark."""
        self.instants.on_phase(phase)
        if phase == CLOSE:
            self._cycles += 1
            if self._cycles == self._max_cycles:
                self.instants.end(f"max_cycles {self._max_cycles}")

    def end(self, reason: str) -> bool:
        """End after the instant under way."""
        return self._post(lambda: self.instants.end(reason))

    def call(self, work: Callable[[], None]) -> bool:
        """Have the desk call something between two instants."""
        return self._post(lambda: self.instants.say(call_mark(time.time_ns(), work)))

    def _post(self, work: Callable[[], None]) -> bool:
        loop = None if self.client is None else self.client.loop
        if loop is None or self.ended or not self.instants.is_started:
            return False
        loop.call_soon_threadsafe(work)
        return True

    def wait_for(self, behind: Callable[[], bool]) -> None:
        """A live market waits for nobody."""

    def add_to(self, builder: Any) -> Any:
        """Add the data client."""
        factory = data_factory(
            self._settings,
            self.instants,
            made=self._made,
            clock=self.clock,
            instruments=self._instruments,
        )
        return builder.add_data_client(VENUE, factory, DataClientConfig())

    def _made(self, client: BingxDataClient) -> None:
        self.client = client

    async def _backfill(self, gap: Gap) -> list[Bar]:
        return [] if self.client is None else await self.client.backfill(gap)


class VstVenue:
    """BingX's demo account; it is checked when this is made, before there is a node."""

    account_has_funding = True
    money_tolerance = VST_TOLERANCE_USD

    def __init__(self, plan: DeskPlan, options: PaperOptions) -> None:
        settings = options.execution_settings
        if settings is None:
            raise UsageError("execution on vst needs a key", found="no BINGX_API_KEY, no BINGX_KEY_FILE")
        symbols = tuple(venue_symbol(name) for name in sorted(plan.rules))
        leverage = round(plan.config.governance.leverage_cap)
        self.settings = replace(settings, symbols=symbols, leverage=leverage)
        key = settings.credentials.key.get_secret_value()
        # A name of the account that does not tell the key.
        self.account = f"{VENUE}-VST-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
        self.client: BingxExecutionClient | None = None
        self._equity = plan.equity
        self.opening = asyncio.run(self._check(plan))

    async def _check(self, plan: DeskPlan) -> float:
        """Put the account in order and return its balance."""
        rest = BingxRest(
            self.settings.endpoints,
            self.settings.credentials,
            timeout_s=self.settings.timeout_s,
            timebase=self.settings.timebase,
        )
        await rest.open()
        try:
            found, _ = contracts(await rest.call(CONTRACTS))
            require_grid(plan.rules, found)
            facts = await secure_account(rest, self.settings, self.settings.symbols)
            self._require_flat(facts)
            return float(facts.balance.balance)
        finally:
            await rest.close()

    @staticmethod
    def _require_flat(facts: AccountFacts) -> None:
        """Refuse an account with something open: this run's books would not know whose it is."""
        found = [f"position {row.symbol} {row.quantity:f}" for row in facts.positions]
        found += [f"order {row.type} {row.symbol} {row.order_id}" for row in facts.orders]
        if found:
            raise SafetyRefusal(
                "the demo account is not flat",
                found=", ".join(found[:6]),
                expected="no position and no order: a run on VST begins flat, it cannot take over yet",
                remedy="close them on BingX's demo site, then start again",
            )

    def own_balance(self, balance: float) -> float:
        """Return the account's balance as the desk counts it: its equity and what the run changed."""
        return balance - self.opening + self._equity

    def add_to(self, builder: Any) -> Any:
        """Add the execution client."""
        factory = execution_factory(self.settings, made=self._made)
        engine = LiveExecutionEngineConfig(
            reconciliation=True,
            reconciliation_startup_delay_secs=1.0,
            # An order whose outcome is unknown is looked up by the adapter, a timer must not declare it dead.
            submission_recovery_policy=SubmissionRecoveryPolicy.RETAIN_UNRESOLVED,
        )
        return builder.with_exec_engine_config(engine).add_exec_client(
            VENUE, factory, ExecutionClientConfig()
        )

    def _made(self, client: BingxExecutionClient) -> None:
        self.client = client
