"""Placing an order so that one intent becomes one order, whatever the network does.

Guarantees: an order is never sent again before the venue was asked for it; it counts as not placed only when
the venue does not know it after the time in which the venue could still have accepted the request; entries
are given up then (their moment has passed), orders that only reduce are sent again with the same client id
as long as they are wanted; an entry that had to wait too long (a rate limit, a pause) is not sent at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal

from adapters.bingx.errors import (
    BingxError,
    MalformedAnswer,
    Meaning,
    TooLate,
    Treatment,
    VenueRefused,
    VenueUnavailable,
)
from adapters.bingx.order_params import Params
from adapters.bingx.order_rows import CONDITIONAL, OrderRow, Placed, order, orders, placed
from adapters.bingx.rest import ALL_ORDERS, OPEN_ORDERS, ORDER, PLACE, BingxRest
from adapters.live.timebase import Timebase

RESENDS = 3
CLOCK_SLACK_MS = 2_000


class OrderRefused(BingxError):
    """An order is certainly not at the venue."""

    def __init__(
        self, reason: str, meaning: Meaning = Meaning.OTHER, treatment: Treatment = Treatment.REJECT
    ) -> None:
        super().__init__(reason)
        self.reason, self.meaning, self.treatment = reason, meaning, treatment


class Placer:
    """Places orders.

    Parameters
    ----------
    known_ids : callable
        Venue ids of orders that are known: an unknown one may be the order that is looked for.
    window_s : float
        Real seconds after which a request cannot be accepted any more (the venue's receive window and a
        margin).
    """

    def __init__(
        self, rest: BingxRest, timebase: Timebase, known_ids: Callable[[], set[str]], window_s: float
    ) -> None:
        self._rest, self._timebase, self._known_ids, self._window_s = rest, timebase, known_ids, window_s
        self.lookups = 0
        self.resent = 0
        self.unknown_outcomes = 0

    async def place(
        self, params: Params, wanted: Callable[[], bool], *, until_ms: int | None = None
    ) -> Placed:
        """Send an order and return what the venue says of it.

        Parameters
        ----------
        wanted : callable
            Returns whether the order may still be sent again.
        until_ms : int, optional
            Venue time after which it is not sent any more.

        Raises
        ------
        OrderRefused
            It is certainly not at the venue.
        """
        reduces = params.get("reduceOnly") == "true"
        sends = 0
        while True:
            sends += 1
            sent_ms, sent = self._rest.clock.now_ms(), time.monotonic()
            try:
                return placed(await self._rest.call(PLACE, params, until_ms=until_ms))
            except TooLate as late:
                raise OrderRefused(f"its moment has passed: {late.message}") from late
            except VenueRefused as refusal:
                if refusal.treatment in {Treatment.REJECT, Treatment.FATAL}:
                    raise OrderRefused(
                        f"BingX {refusal.code}: {refusal.reason}", refusal.meaning, refusal.treatment
                    ) from refusal
                certain = refusal.treatment is Treatment.RETRY  # refused before it reached the book
                if certain and refusal.meaning is Meaning.RATE_LIMIT and not reduces:
                    raise OrderRefused(f"BingX {refusal.code}: rate limit", refusal.meaning) from refusal
            except (VenueUnavailable, MalformedAnswer):
                certain = False
            found = await self._resolve(params, sent_ms, sent, certain=certain)
            if found is not None:
                return found
            if not reduces or sends > RESENDS or not wanted():
                raise OrderRefused("the order did not reach BingX: it was looked up and is not there")
            self.resent += 1

    async def _resolve(self, params: Params, sent_ms: int, sent: float, *, certain: bool) -> Placed | None:
        """Return the order if it is at the venue, None when it is certain that it is not."""
        self.unknown_outcomes += not certain
        pause = 0.2
        while True:
            over = certain or time.monotonic() - sent > self._window_s
            try:
                row = await self.find(params, sent_ms)
            except BingxError:
                row, over = None, False  # unreachable: the question stays open
            if row is not None:
                return Placed(row.order_id, row.client_id, row.symbol, row.state, row.filled)
            if over:
                return None
            await self._timebase.sleep(pause)
            pause = min(pause * 1.6, 5.0)

    async def find(self, params: Params, sent_ms: int) -> OrderRow | None:
        """Ask the venue for an order: by client id, or, where ids are not honoured, by what it is."""
        self.lookups += 1
        symbol = str(params["symbol"])
        if params["type"] not in CONDITIONAL:
            try:
                query = {"symbol": symbol, "clientOrderId": params["clientOrderID"]}
                return order(await self._rest.call(ORDER, query))
            except VenueRefused as refusal:
                if refusal.meaning is Meaning.GONE:
                    return None
                raise
        rows = orders(await self._rest.call(OPEN_ORDERS, {"symbol": symbol}))
        now = self._rest.clock.now_ms()
        window = {
            "symbol": symbol,
            "startTime": sent_ms - CLOCK_SLACK_MS,
            "endTime": now + CLOCK_SLACK_MS,
            "limit": 500,
        }
        rows += orders(await self._rest.call(ALL_ORDERS, window))
        known = self._known_ids()
        for row in rows:
            if (
                row.order_id not in known
                and looks_like(row, params)
                and row.created_ms >= sent_ms - CLOCK_SLACK_MS
            ):
                return row
        return None


def looks_like(row: OrderRow, params: Params) -> bool:
    """Whether an order at the venue is the one that was asked for; by client id where it is echoed."""
    if row.client_id:
        return row.client_id == params.get("clientOrderID")
    return (
        row.type == params["type"]
        and row.side == (1 if params["side"] == "BUY" else -1)
        and row.quantity == Decimal(str(params["quantity"]))
        and row.stop_price == Decimal(str(params.get("stopPrice", 0)))
    )
