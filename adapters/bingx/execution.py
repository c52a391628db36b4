"""The execution client of BingX: orders on a VST demo account, and nothing else.

Guarantees: it talks to VST hosts or loopback only, and to an account that holds the virtual asset only;
before the first order the account is in one-way mode with the leverage and margin mode of the settings; one
intent becomes one order (`placing`); every fill reaches the engine once (`ledger`); after each connect of the
user stream and every `reconcile_s` the venue is compared with what is known (`reconcile`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from nautilus_trader.live.clients import ExecutionClient
from nautilus_trader.model import AccountId, AccountType, OmsType, Venue

from adapters.bingx.account_guard import secure_account
from adapters.bingx.account_news import AccountNews
from adapters.bingx.changing import OrderChanger, wanted_of
from adapters.bingx.config import ExecutionSettings, Takeover
from adapters.bingx.constants import VENUE
from adapters.bingx.dead_man import DeadMansSwitch
from adapters.bingx.draining import drain, in_flight
from adapters.bingx.errors import BingxError, Meaning, Treatment
from adapters.bingx.funding_paid import FundingReader
from adapters.bingx.intake import OrderIntake
from adapters.bingx.ledger import OrderLedger
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.order_params import attached_stop, order_params
from adapters.bingx.placing import OrderRefused, Placer
from adapters.bingx.protection import StopKeeper, protected_pair
from adapters.bingx.providers import BingxInstrumentProvider
from adapters.bingx.reconcile import Reconciler
from adapters.bingx.reports import reason_of
from adapters.bingx.rest import BingxRest
from adapters.bingx.sockets import Frame
from adapters.bingx.status import StatusReports
from adapters.bingx.takeover import Returning
from adapters.bingx.tracked import OrderBook, TrackedOrder, venue_client_id
from adapters.bingx.user_events import ORDER_EVENTS, account_event, event_kind, order_event
from adapters.bingx.user_stream import UserStream
from adapters.live import engine_rows as engine

MS = 1_000_000
RETURN_S = 60.0  # for strategies to submit again what they held when they were stopped


class BingxExecutionClient(ExecutionClient):
    """Execution on a VST account for a Nautilus live node."""

    def __init__(
        self, *, name: Any, config: Any, cache: Any, clock: Any, trader_id: Any, settings: ExecutionSettings
    ) -> None:
        self.settings = settings
        timebase = settings.timebase
        self.rest = BingxRest(
            settings.endpoints, settings.credentials, timeout_s=settings.timeout_s, timebase=timebase
        )
        self.provider = BingxInstrumentProvider(config.instrument_provider, self.rest, settings.symbols)
        super().__init__(
            name=name,
            config=config,
            cache=cache,
            clock=clock,
            trader_id=trader_id,
            venue=Venue(VENUE),
            account_id=AccountId(f"{VENUE}-{settings.account}"),
            account_type=AccountType.MARGIN,
            oms_type=OmsType.NETTING,
            base_currency=engine.USDT,
            instrument_provider=self.provider,
        )
        self.book = OrderBook()
        self.journal = OrderJournal(settings.order_journal)
        self.ledger = OrderLedger(self, self.book, self._incomplete)
        self.ledger.on_fill = self.ledger.on_end = self._guard
        self.intake = OrderIntake(self)
        self.placer = Placer(self.rest, timebase, self.book.known_ids, settings.order_window_s)
        self.switch = DeadMansSwitch(self.rest, settings.dead_man_seconds, self.book.resting)
        self.reconciler = Reconciler(self.rest, self.ledger, self.intake, self.problem)
        self.changer = OrderChanger(
            self.rest, timebase, self, self.ledger, self.placer, self.journal, self.switch, self.reconciler,
            settings.order_window_s, settings.entry_patience_s,
        )  # fmt: skip
        self.keeper = StopKeeper(
            self.rest, timebase, self, self.ledger, self.changer, self.journal, self.reconciler,
            settings.fill_patience_s,
        )  # fmt: skip
        self.status = StatusReports(self)
        self.user = UserStream(
            self.rest, settings.endpoints.stream, settings.stream, timebase, self._user_event, self._user_up,
            settings.key_renewal_s,
        )  # fmt: skip
        self.returning = Returning(self, settings.takeover or Takeover())
        self._secured: set[str] = set()
        self.account_news = AccountNews(self)
        self.funding = FundingReader(self)
        self.problems: list[str] = []
        self.fatal = ""
        self.is_silent = False
        self.on_quiet: Callable[[], object] | None = None
        self._news_told = 0

    # --- life ----------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        await self.rest.open()
        await self.provider.load_all_async()
        for instrument in self.provider.list_all():
            if self.cache.instrument(instrument.id) is None:  # a data client may have told it
                self._handle_instrument(instrument)
        facts = await secure_account(self.rest, self.settings, self.settings.symbols)
        self._secured.update(self.settings.symbols)
        self.reconciler.begin(self.rest.clock.now_ms())
        self.ledger.maker_fee, self.ledger.taker_fee = facts.maker_fee, facts.taker_fee
        if self.settings.takeover is None:  # else the positions come back one by one
            for row in facts.positions:
                self.ledger.net[row.symbol] = row.quantity
        self.account_news.tell(facts.balance)
        if self.returning.over:
            self.user.start()
        self.create_task(self._keep(), "bingx-keep")

    async def _disconnect(self) -> None:
        self.is_silent = True
        await self.user.close()
        await self.rest.close()

    async def _keep(self) -> None:
        """Look after the account once a second; whatever a round raises is told, and the next one runs."""
        since = waited = 0.0
        while True:
            await self.settings.timebase.sleep(1.0)
            if self.is_silent:
                return
            since += 1.0
            if not self.returning.over:
                waited += 1.0
                if waited >= RETURN_S:
                    self.returning.give_up()
            due = since >= self.settings.reconcile_s and self.returning.over
            if due:
                since = 0.0
            await self._told(self._round(reconcile=due), "bingx-keep")

    async def _round(self, *, reconcile: bool) -> None:
        await self.switch.keep()
        self._tell_quiet()
        if reconcile:
            await self.reconciler.run()
        if self.account_news.due or reconcile:
            await self.account_news.refresh()
        if self.funding.is_due:
            self.spawn(self.funding.read(), "bingx-funding")

    def _tell_quiet(self) -> None:
        """Say so once nothing is on its way any more after something happened."""
        if self.ledger.news != self._news_told and not in_flight(self.book):
            self._news_told = self.ledger.news
            if self.on_quiet is not None:
                self.on_quiet()

    async def drain(self, patience_s: float) -> str:
        """Settle everything and fall silent; returns what did not settle in time, empty if all did."""
        return await drain(self, self._last_news, patience_s)

    async def _last_news(self) -> bool:
        return await self.account_news.refresh() and await self.funding.read()

    def be_silent(self) -> None:
        """Tell nothing more: what happens at the venue from now on is for the next start to find."""
        self.is_silent = True

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Run something beside; what it raises is a problem that is told."""
        self.create_task(self._told(work, name), name)

    async def _told(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - a task that raises is only logged by the engine
            self.problem(f"{name}: {type(error).__name__}: {error}")

    def problem(self, text: str) -> None:
        """Keep what went wrong; the newest 200."""
        self.problems.append(text)
        del self.problems[:-200]

    def report(self, report: object, fills: list[Any]) -> None:
        """Hand a report over to the engine."""
        self._handle_report(report, fills)

    def now_ms(self) -> int:
        """Return the venue's time, ms."""
        return self.rest.clock.now_ms()

    async def _query_account(self, command: Any) -> None:
        await self.account_news.refresh()

    # --- the user stream -----------------------------------------------------------------------------------

    def all_returned(self) -> None:
        """Everything that was to be taken over is back: from now on the user stream tells."""
        self.user.start()

    async def _user_up(self) -> None:
        if not self.is_silent:
            await self.reconciler.run()

    def _user_event(self, frame: Frame) -> None:
        if self.is_silent:
            return
        kind = event_kind(frame)
        if kind in ORDER_EVENTS:
            self.intake.event(order_event(frame))
        elif kind == "ACCOUNT_UPDATE":
            event = account_event(frame)
            self.account_news.due = True
            self.funding.heard(event)
            for symbol, size in event.positions.items():
                # The sign in one-way mode is not documented: sizes are compared.
                if abs(size) != abs(self.ledger.net.get(symbol, Decimal(0))):
                    self.spawn(self._explain(symbol, abs(size)), "bingx-explain")

    async def _explain(self, symbol: str, size: Decimal) -> None:
        """A position changed without a fill that we know: wait for the fill, then ask."""
        await asyncio.sleep(self.settings.fill_patience_s)
        if abs(self.ledger.net.get(symbol, Decimal(0))) != size:
            await self.reconciler.run(also=frozenset({symbol}))

    def _incomplete(self, tracked: TrackedOrder) -> None:
        self.spawn(self.reconciler.order(tracked), "bingx-incomplete")

    def _guard(self, tracked: TrackedOrder) -> None:
        if tracked.stop is not None:
            self.spawn(self.keeper.guard(tracked), "bingx-guard")

    # --- orders that the engine took over ---------------------------------------------------------------

    async def _register_external_order(
        self, client_order_id: Any, venue_order_id: Any, instrument_id: Any, strategy_id: Any, ts_init: int
    ) -> None:
        """The engine has taken an order over that it found at the venue: its events are ours from now on."""
        order = self.cache.order(client_order_id)
        if order is None or order.is_closed or self.book.of_client(str(client_order_id)) is not None:
            return
        tracked = self.intake.track(order)
        if venue_order_id is not None:
            self.book.link(tracked, str(venue_order_id))
            tracked.cumulative[str(venue_order_id)] = tracked.filled
        tracked.accepted = True

    # --- commands ------------------------------------------------------------------------------------------

    async def _submit_order(self, command: Any) -> None:
        tracked = self._begin(command.order)
        if tracked is not None:
            self.spawn(self._place(tracked), f"bingx-order-{tracked.client_id}")

    def _begin(self, order: Any) -> TrackedOrder | None:
        try:
            if self.book.of_client(str(order.client_order_id)) is not None:
                raise BingxError("an order with this client id was sent before")
            tracked = self.intake.track(order)
        except BingxError as error:
            self.generate_order_rejected(order, reason_of(error), self.now_ms() * MS, False)
            return None
        self.generate_order_submitted(order)
        return tracked

    async def _submit_order_list(self, command: Any) -> None:
        held = [self.cache.order(client_id) for client_id in command.order_list.client_order_ids()]
        pair = protected_pair(held)
        tracked = [self._begin(order) for order in held]
        if pair is None or None in tracked:
            now = self.now_ms()
            for one in tracked:
                if one is not None:
                    self.ledger.reject(one, "BingX takes lists of one entry and its stop only", now)
            return
        entry, stop = tracked
        assert entry is not None
        assert stop is not None
        entry.stop, stop.waits_for = stop, entry
        self.spawn(self._place(entry), f"bingx-order-{entry.client_id}")

    async def _place(self, tracked: TrackedOrder) -> None:
        async with tracked.lock:
            if not self.returning.over and await self.returning.take(tracked):
                return
            try:
                if self.fatal and not tracked.is_reduce_only:
                    raise OrderRefused(self.fatal)
                await self._secure(tracked.symbol)
                params = order_params(tracked.order, tracked.contract, venue_client_id(tracked.client_id))
                if tracked.stop is not None:
                    params["stopLoss"] = attached_stop(tracked.stop.order, tracked.contract)
                    await self.journal.intend(
                        tracked.stop.client_id,
                        order_params(
                            tracked.stop.order, tracked.contract, venue_client_id(tracked.stop.client_id)
                        ),
                    )
                answer = await self.changer.place(tracked, params)
            except OrderRefused as refused:
                if refused.treatment is Treatment.FATAL:
                    self.fatal = refused.reason
                    self.problem(f"fatal: {refused.reason}")
                self.ledger.reject(
                    tracked, refused.reason, self.now_ms(), post_only=refused.meaning is Meaning.POST_ONLY
                )
                return
            except BingxError as error:
                self.ledger.reject(tracked, reason_of(error), self.now_ms())
                return
            self.ledger.accept(tracked, answer.order_id, self.now_ms())
            self.intake.replay(answer.order_id)
        if answer.filled and answer.filled > tracked.filled and not tracked.closed:
            await asyncio.sleep(
                self.settings.fill_patience_s
            )  # the stream tells of fills, with price and fee
            if answer.filled > tracked.filled:
                await self.reconciler.order(tracked)

    async def _secure(self, symbol: str) -> None:
        if symbol not in self._secured:
            await secure_account(self.rest, self.settings, (symbol,))
            self._secured.add(symbol)

    async def _modify_order(self, command: Any) -> None:
        self.spawn(self._modify(command), f"bingx-modify-{command.client_order_id}")

    async def _modify(self, command: Any) -> None:
        tracked = self._known(command)
        if tracked is None:
            order = self.cache.order(command.client_order_id)
            if order is not None:
                self.generate_order_modify_rejected(
                    order, command.venue_order_id, "not known at BingX", self.now_ms() * MS
                )
            return
        async with tracked.lock:
            await self.changer.modify(tracked, wanted_of(tracked, command))

    def _known(self, command: Any) -> TrackedOrder | None:
        client_id = str(command.client_order_id)
        return self.book.of_client(client_id) or self.intake.from_cache(client_id)

    async def _cancel_order(self, command: Any) -> None:
        self.spawn(self._cancel(command), f"bingx-cancel-{command.client_order_id}")

    async def _cancel(self, command: Any) -> None:
        tracked = self._known(command)
        if tracked is None:
            order = self.cache.order(command.client_order_id)
            if order is not None:
                self.generate_order_cancel_rejected(
                    order, command.venue_order_id, "not known at BingX", self.now_ms() * MS
                )
            return
        await self.changer.cancel_tracked(tracked)

    async def _batch_cancel_orders(self, command: Any) -> None:
        self.spawn(
            self.changer.cancel_many([self._known(cancel) for cancel in command.cancels]), "bingx-cancels"
        )
        for cancel in command.cancels:
            if self._known(cancel) is None:
                await self._cancel_order(cancel)  # tells that it is not known

    async def _cancel_all_orders(self, command: Any) -> None:
        side = command.order_side
        found: list[TrackedOrder | None] = [
            tracked
            for tracked in self.book.open
            if tracked.order.instrument_id == command.instrument_id and side in (None, tracked.order.side)
        ]
        self.spawn(self.changer.cancel_many(found), "bingx-cancel-all")

    async def _query_order(self, command: Any) -> None:
        tracked = self._known(command)
        if tracked is not None and tracked.accepted:
            self.spawn(self.reconciler.order(tracked), f"bingx-query-{tracked.client_id}")

    # --- reports -------------------------------------------------------------------------------------------

    async def _generate_order_status_report(self, command: Any) -> Any:
        return await self.status.order(command)

    async def _generate_order_status_reports(self, command: Any) -> Any:
        return await self.status.orders(command)

    async def _generate_fill_reports(self, command: Any) -> Any:
        return await self.status.fills(command)

    async def _generate_position_status_reports(self, command: Any) -> Any:
        return await self.status.positions(command)
