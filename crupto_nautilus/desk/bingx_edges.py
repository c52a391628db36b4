"""BingX as the edges of a paper run: its market data, and its demo account (VST) as the venue.

Guarantees: the desk is fed by the same instants as in a replay; with VST execution no host with real money is
contacted, the account is checked before the node is built, and the desk's leverage is the account's.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

from nautilus_trader.live import (
    ExecutionClientConfig,
    LiveExecutionEngineConfig,
    SubmissionRecoveryPolicy,
)
from nautilus_trader.live.clients import DataClientFactory

from adapters.bingx.account_guard import AccountFacts, secure_account
from adapters.bingx.config import DataSettings
from adapters.bingx.constants import VENUE
from adapters.bingx.execution import BingxExecutionClient
from adapters.bingx.factories import data_factory, execution_factory
from adapters.bingx.market_rows import contracts
from adapters.bingx.rest import CONTRACTS, BingxRest
from adapters.bingx.symbols import venue_symbol
from crupto_nautilus.desk.assembly import DeskPlan
from crupto_nautilus.desk.live_feed import LiveFeed
from crupto_nautilus.desk.live_history import require_grid
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.errors import SafetyRefusal, UsageError

VST_TOLERANCE_USD = 0.01  # rounding of the venue; funding is compared apart


class BingxFeed(LiveFeed):
    """Market data of BingX as instants."""

    place = VENUE

    def __init__(self, prepared: Prepared, plan: DeskPlan, options: PaperOptions) -> None:
        settings = options.data_settings
        if not isinstance(settings, DataSettings):
            raise UsageError("the feed bingx needs settings", found="none")
        symbols = tuple(venue_symbol(name) for name in prepared.choice.window.instruments)
        self._settings = replace(settings, symbols=symbols)
        super().__init__(prepared, plan, options, settings)

    def _factory(self) -> type[DataClientFactory]:
        return data_factory(
            self._settings, self.instants, made=self._made, clock=self.clock, instruments=self.told
        )


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
