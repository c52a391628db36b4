"""What is known of our own orders at the venue: pure bookkeeping, no network, no engine events.

Guarantees: an order is found by any of its venue ids (it gets a new one when it is replaced or triggered) and
by its client id; its state never moves backwards; what filled is counted for each venue id, so no fill is
counted twice, whichever way it was heard of.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from decimal import Decimal
from typing import Any, Protocol

from adapters.bingx.constants import CLIENT_ID_LENGTH
from adapters.bingx.order_params import TYPES, decimal_of
from adapters.bingx.order_rows import State
from adapters.live.rows import Contract

_SUFFIX = re.compile(r"-r[0-9]{1,3}$")
_OWN_LENGTH = CLIENT_ID_LENGTH - len("-r999")
REMEMBERED = 500  # orders that have ended and are still found by their ids
_ALLOWED = re.compile(r"[a-z0-9-]+")


def venue_client_id(client_id: str, replacement: int = 0) -> str:
    """Return the client id at the venue: lower case, at most 40 characters, unique for each replacement."""
    own = client_id.lower()
    if len(own) > _OWN_LENGTH or not _ALLOWED.fullmatch(own):
        own = hashlib.sha256(client_id.encode()).hexdigest()[:32]
    return f"{own}-r{replacement}" if replacement else own


def base_client_id(client_id: str) -> str:
    """Return the client id without the mark of a replacement."""
    return _SUFFIX.sub("", client_id)


class Seen(Protocol):
    """What a row and an event of the venue have in common."""

    @property
    def order_id(self) -> str:
        """The venue's id."""

    @property
    def symbol(self) -> str:
        """The venue's symbol."""

    @property
    def side(self) -> int:
        """1 buys, -1 sells."""

    @property
    def type(self) -> str:
        """Order type in the venue's words."""

    @property
    def quantity(self) -> Decimal:
        """Of the whole order."""

    @property
    def stop_price(self) -> Decimal:
        """Trigger price, 0 where there is none."""


class TrackedOrder:
    """One order of ours."""

    __slots__ = (
        "accepted", "cancel_asked", "children", "client_id", "closed", "contract", "cost", "created_ms",
        "cumulative", "filled", "lock", "order", "price", "quantity", "replacements", "replacing",
        "side", "states", "stop", "trade_ids", "trigger", "venue_id", "waits_for",
    )  # fmt: skip

    def __init__(self, order: Any, contract: Contract, side: int, quantity: Decimal, created_ms: int) -> None:
        self.order, self.contract, self.side, self.quantity = order, contract, side, quantity
        self.client_id = str(order.client_order_id)
        self.created_ms = created_ms
        self.venue_id = ""
        self.accepted = self.closed = self.replacing = self.cancel_asked = False
        self.replacements = 0
        self.filled = self.cost = Decimal(0)
        self.price: Decimal | None = None
        self.trigger: Decimal | None = None
        self.children: set[str] = set()  # venue ids of what it became when it was triggered
        self.cumulative: dict[str, Decimal] = {}  # by venue id
        self.states: dict[str, tuple[State, Decimal]] = {}  # by venue id
        self.trade_ids: set[str] = set()
        self.stop: TrackedOrder | None = None  # of a protected entry
        # The entry with which the venue places this stop; None once it is known to be at the venue, or sent.
        self.waits_for: TrackedOrder | None = None
        self.lock = asyncio.Lock()

    @property
    def symbol(self) -> str:
        """The venue's symbol."""
        return self.contract.symbol

    @property
    def remaining(self) -> Decimal:
        """What has not filled."""
        return self.quantity - self.filled

    @property
    def is_reduce_only(self) -> bool:
        """Whether it may only reduce a position."""
        return bool(self.order.is_reduce_only)

    @property
    def trigger_price(self) -> Decimal:
        """Trigger price of a stop as it is wanted now."""
        return decimal_of(self.order.trigger_price) if self.trigger is None else self.trigger

    @property
    def is_sought(self) -> bool:
        """Whether it is a stop that the venue has placed by now, and that was not found there yet."""
        entry = self.waits_for
        return entry is not None and entry.filled > 0 and not self.accepted and not self.closed

    def looks_like(self, row: Seen) -> bool:
        """Whether an order at the venue is a stop such as this one, of at most its size."""
        kind = TYPES.get(self.order.order_type)
        if (row.symbol, row.side, row.type) != (self.symbol, self.side, kind) or not row.stop_price:
            return False
        return row.stop_price == self.trigger_price and row.quantity <= self.quantity

    def advances(self, venue_id: str, state: State, filled: Decimal) -> bool:
        """Whether an event is news: later in state, or further in what has filled."""
        known = self.states.get(venue_id)
        if known is not None and (filled < known[1] or (state <= known[0] and filled <= known[1])):
            return False
        self.states[venue_id] = (max(state, known[0]) if known else state, filled)
        return True


class OrderBook:
    """All orders of ours that are open or have just ended."""

    def __init__(self) -> None:
        self._by_client: dict[str, TrackedOrder] = {}
        self._by_venue: dict[str, TrackedOrder] = {}
        self._closed: list[TrackedOrder] = []

    def add(self, tracked: TrackedOrder) -> None:
        """Track an order."""
        self._by_client[tracked.client_id.lower()] = tracked
        self._by_client[venue_client_id(tracked.client_id)] = tracked
        if tracked.venue_id:
            self._by_venue[tracked.venue_id] = tracked

    def link(self, tracked: TrackedOrder, venue_id: str, *, current: bool = True) -> None:
        """Take note that an order is known to the venue by an id."""
        self._by_venue[venue_id] = tracked
        tracked.cumulative.setdefault(venue_id, Decimal(0))
        if current:
            tracked.venue_id = venue_id

    def close(self, tracked: TrackedOrder) -> None:
        """Take note that an order has ended; it is forgotten some hundred orders later."""
        if tracked.closed:
            return
        tracked.closed = True
        self._closed.append(tracked)
        while len(self._closed) > REMEMBERED:
            self._forget(self._closed.pop(0))

    def _forget(self, tracked: TrackedOrder) -> None:
        for index in (self._by_client, self._by_venue):
            for key in [key for key, held in index.items() if held is tracked]:
                del index[key]

    def of_client(self, client_id: str) -> TrackedOrder | None:
        """Return the order of a client id, as the engine or as the venue spells it."""
        lower = client_id.lower()
        return self._by_client.get(lower) or self._by_client.get(base_client_id(lower))

    def of_venue(self, venue_id: str) -> TrackedOrder | None:
        """Return the order of a venue id."""
        return self._by_venue.get(venue_id)

    def find(self, venue_id: str, trigger_id: str, client_id: str) -> TrackedOrder | None:
        """Return the order of an event; a triggered stop fills as another order that names it."""
        found = self._by_venue.get(venue_id)
        if found is None and trigger_id:
            found = self._by_venue.get(trigger_id)
            if found is not None:
                found.children.add(venue_id)
                self.link(found, venue_id, current=False)
        if found is None and client_id:
            found = self.of_client(client_id)
        return found

    def known_ids(self) -> set[str]:
        """Return every venue id that belongs to an order of ours."""
        return set(self._by_venue)

    def resting(self) -> tuple[int, int]:
        """Return how many entries, and how many orders that reduce a position, may rest at the venue.

        The stop of an entry counts from the start: the venue places it, also when nobody is here any more.
        """
        reducing = [held.is_reduce_only for held in self.open]
        return reducing.count(False), reducing.count(True)

    @property
    def open(self) -> list[TrackedOrder]:
        """Orders that have not ended, oldest first."""
        unique = {id(held): held for held in self._by_client.values() if not held.closed}
        return sorted(unique.values(), key=lambda held: held.created_ms)
