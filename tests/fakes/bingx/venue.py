"""The exchange without a network: time, markets, one account, its orders, and what it has to say.

Everything happens inside `advance_to` and the calls that place and cancel; what must be told is appended to
`outbox` in order.  The same settings, source and calls give the same venue.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tests.fakes.bingx import frames, matching, rules, triggers, upkeep
from tests.fakes.bingx.account import Account
from tests.fakes.bingx.book import Book
from tests.fakes.bingx.contracts import ZERO, Contract, Contracts
from tests.fakes.bingx.errors import VenueError, order_not_found
from tests.fakes.bingx.market import Due, Market, Print
from tests.fakes.bingx.minutes import HOUR_MS, MINUTE_MS
from tests.fakes.bingx.orders import TRIGGER_TYPES, Fill, Order
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Source

CANCEL_AGAIN_MS = 1_000


@dataclass(frozen=True, slots=True)
class UserEvent:
    """A payload for the user stream."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MarketEvent:
    """Something traded."""

    symbol: str
    trade: Print


class Venue:
    """One exchange with one account."""

    def __init__(self, settings: Settings, source: Source, start_ms: int) -> None:
        self.settings = settings
        self.source = source
        self.time_ms = start_ms
        self.contracts = Contracts(settings.contracts)
        self.markets = {c.symbol: Market(c, source, start_ms) for c in settings.contracts}
        self.books = {c.symbol: Book(c, settings.book) for c in settings.contracts}
        self.account = Account(
            settings.asset, settings.balance, settings.hedge, settings.leverage, self.contracts, self.mark
        )
        self.orders: dict[int, Order] = {}
        self._working: dict[int, Order] = {}
        self.by_client_id: dict[str, int] = {}
        self.fills: list[Fill] = []
        self.trigger_above: dict[int, bool] = {}
        self.silent: set[int] = set()  # orders that the user stream says nothing of
        self.outbox: list[UserEvent | MarketEvent] = []
        self.cancel_all_at_ms: int | None = None
        self._order_ids = 2_086_368_129_182_601_216
        self._trade_ids = 611_178_071
        self._due: list[tuple[int, int, str, Due]] = []
        self._sequence = 0
        self._next_minute_ms = self.time_ms // MINUTE_MS * MINUTE_MS
        self._next_hour_ms = upkeep.next_funding_ms(1, self.time_ms)

    # time

    def advance_to(self, now_ms: int) -> None:
        """Live through everything up to a time, in its order."""
        while True:
            at = min(
                self._next_minute_ms,
                self._next_hour_ms,
                self._due[0][0] if self._due else now_ms + 1,
                self.cancel_all_at_ms if self.cancel_all_at_ms is not None else now_ms + 1,
            )
            if at > now_ms:
                break
            self.time_ms = max(self.time_ms, at)
            if at == self._next_hour_ms:
                upkeep.pay_funding(self, at)
                self._next_hour_ms += HOUR_MS
            elif at == self._next_minute_ms:
                self._schedule(at)
            elif at == self.cancel_all_at_ms:
                self.cancel_all_at_ms = None
                self.cancel_all(None)
            else:
                _, _, symbol, due = heapq.heappop(self._due)
                self.trade(symbol, due.price, due.quantity)
        self.time_ms = max(self.time_ms, now_ms)

    def _schedule(self, minute_ms: int) -> None:
        self._next_minute_ms = minute_ms + MINUTE_MS
        for symbol, market in self.markets.items():
            for due in market.prints_of_minute(minute_ms):
                if due.time_ms >= self.time_ms:
                    self._sequence += 1
                    heapq.heappush(self._due, (due.time_ms, self._sequence, symbol, due))

    def trade(self, symbol: str, price: Decimal | str, quantity: Decimal | str) -> None:
        """Let the market trade now: resting orders, triggers and liquidation follow."""
        market = self.markets[symbol]
        made = market.trade(self.time_ms, Decimal(price), Decimal(quantity))
        self.outbox.append(MarketEvent(symbol, made))
        matching.rest(self, symbol, made.price, made.quantity)
        triggers.fire_due(self, symbol)
        upkeep.liquidate_due(self, symbol)

    def pin_mark(self, symbol: str, price: Decimal | str | None) -> None:
        """Hold the mark price at a value, or let it follow the last price again."""
        self.markets[symbol].pinned_mark = None if price is None else Decimal(price)
        triggers.fire_due(self, symbol)
        upkeep.liquidate_due(self, symbol)

    # prices

    def mark(self, symbol: str) -> Decimal:
        return self.markets[symbol].mark

    def reference_price(self, order: Order) -> Decimal:
        """Return the price that an order's trigger looks at."""
        market = self.markets[order.symbol]
        return market.last if order.working_type == "CONTRACT_PRICE" else market.mark

    def crosses(self, order: Order) -> bool:
        """Return whether a limit price would trade at once."""
        touch = self.books[order.symbol].best(not order.is_buy, self.markets[order.symbol].last)
        return order.price >= touch if order.is_buy else order.price <= touch

    @property
    def frozen_margin(self) -> Decimal:
        """Return the margin that resting entries hold."""
        waiting = (
            o.remaining * o.price / o.leverage for o in self.working() if o.type == "LIMIT" and not o.closes
        )
        return sum(waiting, ZERO)

    @property
    def available_margin(self) -> Decimal:
        return self.account.equity - self.account.used_margin - self.frozen_margin

    # orders

    def new_order_id(self) -> int:
        self._order_ids += 1_000_003  # 19 digits: a float would round it
        return self._order_ids

    def new_trade_id(self) -> int:
        self._trade_ids += 1
        return self._trade_ids

    def keep(self, order: Order) -> None:
        """Enter an order into the books."""
        self.orders[order.id] = order
        self._working[order.id] = order

    def working(self, symbol: str | None = None) -> list[Order]:
        """Return the open orders, oldest first, of one symbol or of all."""
        for ended in [key for key, order in self._working.items() if not order.is_open]:
            del self._working[ended]
        return [o for o in self._working.values() if symbol in (None, "", o.symbol)]

    def place(self, params: Mapping[str, str]) -> Order:
        """Place an order from REST parameters.

        Raises
        ------
        VenueError
            With the venue's code for whatever is wrong with it; then nothing happened.
        """
        order = rules.build(self, params)
        order.id = self.new_order_id()
        self.keep(order)
        if order.client_id:
            self.by_client_id[order.client_id] = order.id
        if order.type in TRIGGER_TYPES:
            self.trigger_above[order.id] = order.stop_price >= self.reference_price(order)
            self.tell(order, "NEW")
        else:
            matching.enter(self, order)
        return order

    def test(self, params: Mapping[str, str]) -> Order:
        """Check an order without placing it."""
        order = rules.build(self, params)
        order.id = self.new_order_id()
        return order

    def find(self, params: Mapping[str, str]) -> Order:
        """Return the order that parameters name by its id or its client id."""
        order_id = params.get("orderId") or params.get("orderID") or ""
        client_id = (params.get("clientOrderID") or params.get("clientOrderId") or "").lower()
        known = int(order_id) if order_id.isdigit() else self.by_client_id.get(client_id, 0)
        order = self.orders.get(known)
        if order is None or params.get("symbol") not in (None, "", order.symbol):
            raise order_not_found(order_id or client_id)
        return order

    def cancel(self, params: Mapping[str, str]) -> Order:
        """Cancel one order."""
        order = self.find(params)
        last = order.last_cancel_ms
        if last is not None and self.time_ms - last < CANCEL_AGAIN_MS:
            raise VenueError(
                109201, "The same order number is only allowed to be submitted once within 1 second."
            )
        order.last_cancel_ms = self.time_ms
        if order.status == "FILLED":
            raise VenueError(109422, "order is already filled, The order doesn't exist")
        if not order.is_open:
            raise order_not_found(order.id)
        matching.cancel(self, order)
        return order

    def cancel_all(self, symbol: str | None) -> list[Order]:
        """Cancel every open order, of one symbol or of all."""
        ended = self.working(symbol)
        for order in ended:
            matching.cancel(self, order)
        return ended

    def amend(self, params: Mapping[str, str]) -> Order:
        """Change the quantity of a resting limit order."""
        order = self.find(params)
        if not order.is_open or order.type != "LIMIT":
            raise order_not_found(order.id)
        contract = self.contracts.get(order.symbol)
        quantity = contract.cut_quantity(rules.number(params, "quantity"))
        if quantity < max(contract.min_quantity, order.filled + contract.step):
            raise VenueError(101400, f"The minimum order amount is {contract.min_quantity} {contract.asset}.")
        extra = (quantity - order.quantity) * order.price / order.leverage
        if not order.closes and extra > self.available_margin:
            raise VenueError(101204, "Insufficient margin")
        order.quantity, order.updated_ms = quantity, self.time_ms
        self.tell(order, "NEW")
        return order

    def close_all(self, symbol: str | None) -> list[Order]:
        """Close every position at market."""
        return [
            self.place(
                {
                    "symbol": p.symbol,
                    "side": "SELL" if p.amount > 0 else "BUY",
                    "positionSide": p.side,
                    "type": "MARKET",
                    "quantity": f"{p.size:f}",
                    **({} if self.account.hedge else {"reduceOnly": "true"}),
                }
            )
            for p in self.account.open_positions(symbol)
        ]

    def set_mode(self, hedge: bool) -> None:
        self.account.set_mode(hedge, busy=bool(self.working()))

    def halt(self, symbol: str, status: int) -> Contract:
        """Change the state of a contract (1 online, 25 no opening, 0 offline)."""
        contract = replace(self.contracts.get(symbol), status=status)
        self.contracts.put(contract)
        return contract

    # news

    def tell(self, order: Order, execution: str, made: Fill | None = None) -> None:
        """Say on the user stream what happened to an order, unless its trigger was silent."""
        if order.id not in self.silent:
            self.emit_user(frames.order_update(self, order, execution, made))

    def emit_user(self, payload: dict[str, Any]) -> None:
        self.outbox.append(UserEvent(payload))

    def drain(self) -> list[UserEvent | MarketEvent]:
        """Return what is to be told and forget it."""
        events, self.outbox = self.outbox, []
        return events
