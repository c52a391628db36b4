"""BingX as the edges of a paper run: its market data, and its demo account (VST) as the venue.

Guarantees: the desk is fed by the same instants as in a replay; with VST execution no host with real money is
contacted, the account is checked before the node is built, and the desk's leverage is the account's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from nautilus_trader.live import ExecutionClientConfig
from nautilus_trader.live.clients import DataClientFactory

from adapters.bingx.account_guard import AccountFacts, secure_account
from adapters.bingx.config import DataSettings
from adapters.bingx.constants import VENUE
from adapters.bingx.errors import BingxError
from adapters.bingx.execution import BingxExecutionClient
from adapters.bingx.factories import data_factory, engine_config, execution_factory
from adapters.bingx.funding_paid import funding_paid
from adapters.bingx.market_rows import contracts
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.rest import CONTRACTS, BingxRest
from adapters.bingx.symbols import venue_symbol
from crupto_nautilus.desk.account_funding import MS, VstFunding
from crupto_nautilus.desk.assembly import DeskPlan
from crupto_nautilus.desk.funding_check import Settled
from crupto_nautilus.desk.live_feed import LiveFeed
from crupto_nautilus.desk.live_history import require_grid
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.desk.taking_over import holdings, match
from crupto_nautilus.errors import SafetyRefusal, UsageError
from risk.settlements import OVERLAP_NS

VST_TOLERANCE_USD = 0.01  # rounding of the venue
INCOME_ROUNDING_USD = 0.00005  # a settlement, in the account's income
DRAIN_S = 4.0  # for what is in flight at the end; the node is stopped by force a second later
FUNDING_S = 0.8  # for what funding was paid, after it


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
    nets = True
    opens_again = False  # what was held is at the venue

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
        self.funding: Sequence[Settled] | None = None
        self.funding_problem = "the account was not asked"
        self.account_funding = VstFunding()
        self._equity = plan.equity
        self._start_ms = plan.start_ns // MS
        self._funding_from_ms = self._start_ms
        if plan.resume is not None:  # rows before that are in the checkpoint
            known_ms = (plan.resume.funding_known_ns - OVERLAP_NS) // MS
            self._funding_from_ms = max(self._start_ms, known_ms)
        self._checkpoint: Callable[[], object] = lambda: None
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
            resume = plan.resume
            if resume is None:
                self._require_flat(facts)
                return float(facts.balance.balance)
            held = holdings(resume.state, plan.run_id, resume.session)
            await match(rest, OrderJournal(self.settings.order_journal), held, facts)
            self.settings = replace(self.settings, takeover=held.takeover)
            if resume.opening_balance is None:
                raise UsageError("the run cannot go on", found="no opening balance in its record")
            return resume.opening_balance
        finally:
            await rest.close()

    def _require_flat(self, facts: AccountFacts) -> None:
        """Refuse an account with something open: this run's books would not know whose it is."""
        found = [f"position {row.symbol} {row.quantity:f}" for row in facts.positions]
        found += [f"order {row.type} {row.symbol} {row.order_id}" for row in facts.orders]
        if found:
            raise SafetyRefusal(
                "the demo account is not flat",
                found=", ".join(found[:6]),
                expected="no position and no order: a new run begins flat, what a run left is its own",
                remedy="go on with the run that left them (crupto runs; crupto paper --resume RUN), or close "
                "them on BingX's demo site and start again",
            )

    async def settle(self) -> str:
        """Settle what is in flight and fall silent; returns what did not settle."""
        client = self.client
        if client is None or client.loop is None:
            return ""
        if client.loop is asyncio.get_running_loop():
            return await self._drain(client)
        elsewhere = asyncio.run_coroutine_threadsafe(self._drain(client), client.loop)
        return await asyncio.wrap_future(elsewhere)

    async def _drain(self, client: BingxExecutionClient) -> str:
        unsettled = await client.drain(DRAIN_S)
        try:
            asked = funding_paid(client.rest, self._start_ms, client.now_ms())
            rows = await asyncio.wait_for(asked, FUNDING_S)
        except (BingxError, TimeoutError) as error:
            self.funding_problem = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            self.funding = [
                Settled(f"{row.symbol}.{VENUE}", row.ts_ms * MS, float(row.amount)) for row in rows
            ]
        return unsettled

    @property
    def money_tolerance(self) -> float:
        """How far account and books may differ, USDT: the income shows four decimals of each settlement."""
        return VST_TOLERANCE_USD + INCOME_ROUNDING_USD * len(self.funding or ())

    def own_balance(self, balance: float) -> float:
        """Return the account's balance as the desk counts it: its equity and what the run changed."""
        return balance - self.opening + self._equity

    def add_to(self, builder: Any) -> Any:
        """Add the execution client."""
        factory = execution_factory(self.settings, made=self._made)
        # What is taken over comes back under its owner, order by order; the engine knows no owner.
        engine = engine_config(reconciliation=self.settings.takeover is None)
        return builder.with_exec_engine_config(engine).add_exec_client(
            VENUE, factory, ExecutionClientConfig()
        )

    def when_quiet(self, checkpoint: Callable[[], object]) -> None:
        """Have the state stored whenever something happened at the venue and nothing is on its way."""
        self._checkpoint = checkpoint

    def _made(self, client: BingxExecutionClient) -> None:
        self.client = client
        client.on_quiet = lambda: self._checkpoint()
        self.account_funding.read_with(client.funding, self._funding_from_ms, lambda: self._checkpoint())
