"""Market data of a venue as frozen rows, in base coins, quote currency and milliseconds.

They are what the readers of a venue make of its payloads; a row never holds a guessed value.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

ONLINE = 1
MAX_PRECISION = 16


class Contract(NamedTuple):
    """What the venue says of one perpetual; `name` is our instrument id, tick and step are of orders."""

    symbol: str
    asset: str
    currency: str
    price_digits: int
    size_digits: int
    min_quantity: Decimal
    min_notional: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    status: int
    can_open: bool
    can_close: bool
    name: str
    tick: Decimal
    step: Decimal

    @property
    def is_online(self) -> bool:
        """Whether positions may be opened."""
        return self.status == ONLINE and self.can_open


class Kline(NamedTuple):
    """A bar, closed or forming, by its OPEN time in ms."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class BookRow(NamedTuple):
    """Levels of the book, best first."""

    symbol: str
    ts_ms: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


class BestRow(NamedTuple):
    """The best level of each side of the book."""

    symbol: str
    ts_ms: int
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal


class TradeRow(NamedTuple):
    """One print; `ordinal` counts equal prints within a frame, the stream gives no id."""

    symbol: str
    ts_ms: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    trade_id: str


class Premium(NamedTuple):
    """Mark price, index price (None: the venue has none) and the funding that is forming."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal | None
    funding_rate: Decimal
    next_funding_ms: int
    interval_hours: int | None


class FundingRow(NamedTuple):
    """A settled funding rate."""

    symbol: str
    ts_ms: int
    rate: Decimal
