"""The end of trading: nothing in flight, everything told, and then silence.

Guarantees: after a drain that says nothing, no order is on its way, every fill that the venue had by then
has reached the engine, the balance is the one after the last of them and of the funding that is known, and
nothing more is told: what fills
later is found by the next start.  A drain that runs out of patience says what was still open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from adapters.bingx.funding_paid import FundingReader
from adapters.bingx.ledger import OrderLedger
from adapters.bingx.reconcile import Reconciler
from adapters.bingx.tracked import OrderBook, TrackedOrder

_LOOK_S = 0.02


class Client(Protocol):
    """What a drain needs of the execution client."""

    book: OrderBook
    ledger: OrderLedger
    reconciler: Reconciler
    funding: FundingReader

    def be_silent(self) -> None:
        """Tell nothing more."""


def in_flight(book: OrderBook) -> list[str]:
    """Return the orders whose outcome is on its way, in words."""
    return [
        f"{tracked.order.order_type.name} {tracked.symbol} {tracked.client_id}"
        for tracked in book.open
        if _moves(tracked)
    ]


def _moves(tracked: TrackedOrder) -> bool:
    if tracked.lock.locked() or tracked.replacing or tracked.children:
        return True
    if tracked.is_sought or (tracked.stop is not None and tracked.filled):
        return True  # its stop is being seen to
    unanswered = not tracked.accepted and tracked.waits_for is None
    return unanswered or tracked.order.order_type.name == "MARKET"


async def drain(client: Client, refresh: Callable[[], Awaitable[bool]], patience_s: float) -> str:
    """Wait until all is settled, then silence the client; returns what was not, empty if all was.

    Parameters
    ----------
    refresh : callable
        Asks for the balance and then for funding, and tells both; returns whether that worked.
    """
    until = time.monotonic() + patience_s
    found = ""
    while True:
        moving = in_flight(client.book)
        if moving:
            found = f"in flight: {', '.join(moving)}"
        else:
            before = client.ledger.fills, client.funding.rows
            read = await client.reconciler.run() and await refresh()
            if not read:
                found = "the venue could not be asked for fills, balance and funding"
            elif client.funding.owed:
                found = client.funding.owed
            elif (client.ledger.fills, client.funding.rows) == before and not in_flight(client.book):
                client.be_silent()
                return ""
        if time.monotonic() > until:
            client.be_silent()
            return found or "fills kept coming"
        await asyncio.sleep(_LOOK_S)
