"""BingX as a source of history for the catalog's downloader: synchronous, with the adapter's strictness.

Guarantees: both bounds on every request, never above the venue's page; a malformed answer is an error and no
row; rows older than the venue keeps are not asked for (`oldest_ms`); no key is involved.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from adapters.bingx.config import LIVE_DATA, Endpoints
from adapters.bingx.constants import KLINES_PAGE, RETENTION_DAYS
from adapters.bingx.errors import BingxError, VenueUnavailable
from adapters.bingx.history import kline_window, mark_window, settled_rates
from adapters.bingx.market_rows import contracts
from adapters.bingx.rest import CONTRACTS, BingxRest
from adapters.bingx.symbols import is_tradable_symbol
from adapters.live.rows import Kline
from adapters.live.timebase import MINUTE_MS, Timebase
from catalog.errors import CatalogError, CatalogIOError
from catalog.timeframes import parse_timeframe

DAY_MS = 86_400_000


class BingxHistory:
    """What `catalog.downloader` asks of an exchange; use it as a context manager."""

    id = "bingx"

    def __init__(self, endpoints: Endpoints = LIVE_DATA, timebase: Timebase | None = None) -> None:
        self._rest = BingxRest(endpoints, timebase=timebase)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bingx-history", daemon=True)
        self._opened = False
        self.markets: dict[str, dict[str, Any]] = {}
        self.timeframes: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}

    def __enter__(self) -> BingxHistory:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        try:
            self._wait(self._rest.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5.0)
            self._loop.close()

    def _wait[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _ask[T](self, work: Coroutine[Any, Any, T]) -> T:
        try:
            if not self._opened:
                self._wait(self._rest.open())
                self._opened = True
            return self._wait(work)
        except VenueUnavailable as error:
            work.close()
            raise CatalogIOError(
                error.message,
                found=error.found,
                expected="an answer",
                remedy="check the network and run the command again: it resumes where it stopped",
            ) from error
        except BingxError as error:
            work.close()
            raise CatalogError(
                error.message, found=error.found, expected=error.expected, remedy=error.remedy
            ) from error

    def load_markets(self) -> Any:
        """Fetch the list of contracts once."""
        if self.markets:
            return self.markets
        found, broken = contracts(self._ask(self._rest.call(CONTRACTS)))
        self.unreadable = {symbol: str(error) for symbol, error in broken.items()}
        self.markets = {
            symbol: {
                "id": symbol,
                "symbol": f"{row.asset}/{row.currency}:{row.currency}",
                "base": row.asset,
                "quote": row.currency,
                "swap": True,
                "inverse": False,
                "contractSize": 1.0,
            }
            for symbol, row in found.items()
            if is_tradable_symbol(symbol)
        }
        return self.markets

    def fetch_time(self) -> int:
        """Return the venue's clock, ms."""
        return self._ask(self._rest.server_time())

    def oldest_ms(self, minutes: int, now_ms: int) -> int:
        """Return the open time of the oldest bar that the venue keeps, as far as is known."""
        return now_ms - RETENTION_DAYS.get(minutes, RETENTION_DAYS[60]) * DAY_MS

    def fetch_ohlcv(
        self, symbol: str, timeframe: str, since: int, limit: int, params: dict[str, Any]
    ) -> list[list[float | int]]:
        """Return bars that open in [since, params["until"]]; `price` mark gives those of the mark price."""
        price = params.get("price")
        if price not in (None, "mark"):
            raise CatalogError(
                f"BingX has no history of the {price} price", found=str(price), expected="mark"
            )
        minutes, market = parse_timeframe(timeframe), self._id_of(symbol)
        window = mark_window if price == "mark" else kline_window
        step = minutes * MINUTE_MS
        end = min(params["until"] + 1, since + KLINES_PAGE * step)
        return [_values(bar) for bar in self._ask(window(self._rest, market, minutes, since, end))]

    def fetch_funding_rate_history(
        self, symbol: str, since: int, limit: int, params: dict[str, Any]
    ) -> list[dict[str, float | int]]:
        """Return settled rates of [since, params["until"]]."""
        rows = self._ask(settled_rates(self._rest, self._id_of(symbol), since, params["until"] + 1))
        return [{"timestamp": row.ts_ms, "fundingRate": float(row.rate)} for row in rows]

    def _id_of(self, symbol: str) -> str:
        for market in self.load_markets().values():
            if symbol in (market["symbol"], market["id"]):
                return str(market["id"])
        raise CatalogError(
            f"BingX lists no perpetual {symbol}", found=symbol, expected="such as BTC/USDT:USDT"
        )


def _values(bar: Kline) -> list[float | int]:
    prices = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return [bar.open_ms, *(float(value) for value in prices)]
