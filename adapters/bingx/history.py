"""History by REST: windows with both bounds, whatever order and limit the venue answers with.

Guarantees: every request names both bounds (an over-wide one would lose its older rows in silence); rows come
out in time order, once, and only closed ones; a window that was answered with fewer rows than it has minutes
is a gap of the venue, not filled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from adapters.bingx.constants import FUNDING_PAGE, INTERVALS, KLINES_PAGE
from adapters.bingx.market_rows import contracts, funding, klines, premiums, trades
from adapters.bingx.rest import CONTRACTS, FUNDING, KLINES, MARK_KLINES, PREMIUM, TRADES, BingxRest
from adapters.live.errors import MalformedAnswer
from adapters.live.rows import Contract, FundingRow, Kline, Premium, TradeRow
from adapters.live.timebase import MINUTE_MS

SHORTEST_FUNDING_MS = 3_600_000


async def kline_window(rest: BingxRest, symbol: str, minutes: int, start_ms: int, end_ms: int) -> list[Kline]:
    """Return the bars that open in [start_ms, end_ms), at most a page; the forming one may be among them."""
    data = await rest.call(
        KLINES,
        {
            "symbol": symbol,
            "interval": INTERVALS[minutes],
            "startTime": start_ms,
            "endTime": end_ms,
            "limit": KLINES_PAGE,
        },
    )
    return _inside(klines(data, minutes=minutes), start_ms, end_ms)


async def mark_window(rest: BingxRest, symbol: str, minutes: int, start_ms: int, end_ms: int) -> list[Kline]:
    """Return the bars of the mark price that open in [start_ms, end_ms)."""
    data = await rest.call(
        MARK_KLINES,
        {
            "symbol": symbol,
            "interval": INTERVALS[minutes],
            "startTime": start_ms,
            "endTime": end_ms,
            "limit": KLINES_PAGE,
        },
    )
    return _inside(klines(data, minutes=minutes, time_key="openTime"), start_ms, end_ms)


def _inside(found: list[Kline], start_ms: int, end_ms: int) -> list[Kline]:
    return [bar for bar in found if start_ms <= bar.open_ms < end_ms]


async def closed_klines(
    rest: BingxRest, symbol: str, minutes: int, start_ms: int, end_ms: int
) -> AsyncIterator[list[Kline]]:
    """Yield pages of closed bars that open in [start_ms, end_ms), oldest page first."""
    step = minutes * MINUTE_MS
    begin = -(-start_ms // step) * step
    end = min(end_ms, rest.clock.now_ms() // step * step)
    while begin < end:
        until = min(begin + KLINES_PAGE * step, end)
        page = await kline_window(rest, symbol, minutes, begin, until)
        yield page
        begin = until


async def settled_rates(rest: BingxRest, symbol: str, start_ms: int, end_ms: int) -> list[FundingRow]:
    """Return the settled funding rates of [start_ms, end_ms), oldest first."""
    found: dict[int, FundingRow] = {}
    begin = start_ms
    while begin < end_ms:
        until = min(begin + FUNDING_PAGE * SHORTEST_FUNDING_MS, end_ms)
        data = await rest.call(
            FUNDING, {"symbol": symbol, "startTime": begin, "endTime": until, "limit": FUNDING_PAGE}
        )
        page = funding(data, symbol)
        if len(page) > FUNDING_PAGE:
            raise MalformedAnswer(
                "funding rates", found=f"{len(page)} rows", expected=f"at most {FUNDING_PAGE}"
            )
        found.update((row.ts_ms, row) for row in page if begin <= row.ts_ms < until)
        begin = until
    return [found[ts] for ts in sorted(found)]


class BingxSource:
    """The requests of market data, as a data client of any venue asks them."""

    page = KLINES_PAGE

    def __init__(self, rest: BingxRest) -> None:
        self._rest = rest
        self.clock = rest.clock

    async def contracts(self) -> tuple[dict[str, Contract], dict[str, MalformedAnswer]]:
        """Return the contracts by symbol, and what is wrong with those that cannot be used."""
        return contracts(await self._rest.call(CONTRACTS))

    async def bars(self, symbol: str, minutes: int, start_ms: int, end_ms: int) -> list[Kline]:
        """Return bars that open in [start_ms, end_ms); the forming one may be among them."""
        return await kline_window(self._rest, symbol, minutes, start_ms, end_ms)

    async def prices(self, symbols: Sequence[str]) -> dict[str, Premium]:
        """Return mark price, index price and forming funding of all instruments: one call serves all."""
        return premiums(await self._rest.call(PREMIUM))

    async def settled_funding(self, symbol: str, start_ms: int, end_ms: int) -> list[FundingRow]:
        """Return the settled rates of [start_ms, end_ms)."""
        return await settled_rates(self._rest, symbol, start_ms, end_ms)

    async def recent_trades(self, symbol: str, limit: int) -> list[TradeRow]:
        """Return the newest prints; the venue has no older ones."""
        return trades(await self._rest.call(TRADES, {"symbol": symbol, "limit": limit}), symbol)
