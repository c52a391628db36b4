"""The seam between a venue and its data client: what it must answer by request, and how careful one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from adapters.live.errors import MalformedAnswer
from adapters.live.rows import Contract, FundingRow, Kline, Premium, TradeRow
from adapters.live.timebase import Timebase, WallTime
from adapters.live.venue_clock import VenueClock


class MarketSource(Protocol):
    """Requests to a venue; each answer is checked, a malformed one (`VenueError`) concludes nothing."""

    clock: VenueClock
    page: int
    """How many bars one answer holds at most."""

    async def contracts(self) -> tuple[dict[str, Contract], dict[str, MalformedAnswer]]:
        """Return the contracts by symbol, and what is wrong with those that cannot be used."""

    async def bars(self, symbol: str, minutes: int, start_ms: int, end_ms: int) -> list[Kline]:
        """Return bars that open in [start_ms, end_ms), oldest first; the forming one may be among them."""

    async def prices(self, symbols: Sequence[str]) -> dict[str, Premium]:
        """Return mark price, index price and forming funding of at least these symbols."""

    async def settled_funding(self, symbol: str, start_ms: int, end_ms: int) -> list[FundingRow]:
        """Return the settled rates of [start_ms, end_ms), oldest first."""

    async def recent_trades(self, symbol: str, limit: int) -> list[TradeRow]:
        """Return the newest prints, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """Market data of any venue.

    Parameters
    ----------
    symbols : tuple of str
        Venue symbols; empty: every perpetual that can be read.
    confirm_bars : bool
        True: a closed bar is published as requests show it, a little later but equal to the history; False:
        as the stream's last frame showed it, by request only after gaps and time-outs.
    close_grace_s : float
        A bar is closed by the clock so long after its end when no frame of the next one came.
    poll_s : float
        Between two reads of mark price, index price and funding of all instruments.
    instant_grace_s : float
        How long the desk's instants wait for the bar of an instrument.
    """

    symbols: tuple[str, ...] = ()
    confirm_bars: bool = True
    close_grace_s: float = 2.0
    poll_s: float = 20.0
    instant_grace_s: float = 8.0
    backfill_minutes: int = 1000
    timeout_s: float = 10.0
    timebase: Timebase = field(default_factory=WallTime)
