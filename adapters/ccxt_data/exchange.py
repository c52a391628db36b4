"""One exchange of ccxt as a source of market data: its requests, checked.

Guarantees: an answer that cannot be read raises `MalformedAnswer`, also where ccxt itself stumbles over it;
an answer without a bar that was there before is malformed, not "no bars" (ccxt makes an empty list of
whatever it does not understand); reads are repeated after passing failures; ccxt's throttle keeps the
exchange's limits.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from adapters.ccxt_data import rows
from adapters.ccxt_data.config import MARKET_TYPES, CcxtSettings
from adapters.exchange_library import Kind, exchange_class
from adapters.live.errors import MalformedAnswer, VenueError, VenueUnavailable
from adapters.live.fields import milliseconds, record
from adapters.live.rows import Contract, FundingRow, Kline, Premium, TradeRow
from adapters.live.timebase import MINUTE_MS
from adapters.live.venue_clock import VenueClock

ATTEMPTS = 3
PAUSE_S = 0.5
SAFE_PAGE = 200  # bars, where ccxt does not say how many an answer holds
LONGEST_PAGE = 1000
FUNDING_PAGE = 100
_TIMEFRAMES = {1: "1m", 3: "3m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d"}


def make(settings: CcxtSettings, kind: Kind) -> Any:
    """Return ccxt's exchange object without a key, with its addresses moved where the settings say so.

    Raises
    ------
    VenueError
        ccxt knows no such exchange, or it has no streams there.
    """
    name = settings.exchange
    try:
        cls = exchange_class(name, kind)
    except ModuleNotFoundError as error:
        raise VenueError(
            f"ccxt has no {'stream of an' if kind == 'ccxt.pro' else ''} exchange {name}".replace("  ", " "),
            found=name,
            expected="an exchange id of ccxt, such as bybit or binanceusdm",
        ) from error
    options: dict[str, Any] = {"defaultType": "swap", "defaultSubType": "linear"}
    if name in MARKET_TYPES:
        options["fetchMarkets"] = {"types": list(MARKET_TYPES[name])}
    exchange = cls(
        {
            "enableRateLimit": True,
            "timeout": round(settings.timeout_s * 1000),
            "options": options,
            "verbose": False,
        }
    )
    exchange.has["fetchCurrencies"] = False  # needs a key on most, and nothing here needs it
    exchange.urls["api"] = _moved(exchange.urls["api"], settings)
    return exchange


def _moved(addresses: Any, settings: CcxtSettings) -> Any:
    """Return addresses with another beginning, all of them or none."""
    if isinstance(addresses, dict):
        return {key: _moved(value, settings) for key, value in addresses.items()}
    if not isinstance(addresses, str):
        return addresses
    base = settings.stream if addresses.startswith("ws") else settings.rest
    if settings.rest is None and settings.stream is None:
        return addresses
    return re.sub(r"^[a-z]+://[^/]+", base or "http://127.0.0.1:9", addresses)


class CcxtSource:
    """The requests of market data."""

    def __init__(self, settings: CcxtSettings, clock: VenueClock | None = None) -> None:
        self.settings = settings
        self.clock = clock or VenueClock(settings.timebase)
        self.page = SAFE_PAGE
        self.exchange: Any = None
        self._unified: dict[str, str] = {}
        self._known: dict[tuple[str, int], int] = {}  # newest closed bar seen, by symbol and minutes
        self.requests = 0

    async def open(self) -> None:
        """Load ccxt (in a thread: it takes a second) and measure the clock."""
        if self.exchange is None:
            self.exchange = await asyncio.to_thread(make, self.settings, "ccxt.pro")
            if self.exchange.has.get("fetchTime"):
                await self.clock.measure(self._server_time)

    async def close(self) -> None:
        """Close all connections."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            await exchange.close()

    async def _server_time(self) -> int:
        found = await self._ask("time", self.exchange.fetch_time)
        return milliseconds({"time": found}, "time", "server time")

    def unified(self, symbol: str) -> str:
        """Return ccxt's symbol of one of ours.

        Raises
        ------
        MalformedAnswer
            The exchange lists no such perpetual.
        """
        if symbol not in self._unified:
            raise MalformedAnswer(
                f"{self.settings.exchange} lists no perpetual {symbol}",
                found=f"{len(self._unified)} others",
                expected="such as BTCUSDT-PERP",
            )
        return self._unified[symbol]

    # --- requests ------------------------------------------------------------------------------------------

    async def contracts(self) -> tuple[dict[str, Contract], dict[str, MalformedAnswer]]:
        """Return the linear perpetuals by our symbol, and what is wrong with those that cannot be used."""
        markets = await self._ask("markets", self.exchange.load_markets, True)
        if not isinstance(markets, dict) or not markets:
            raise MalformedAnswer("markets", found=repr(markets)[:60], expected="at least one market")
        mode = self.exchange.precisionMode
        good, broken, self._unified = rows.contracts(markets, self.settings.place, mode)
        for symbol in list(good)[:1]:
            self.page = self._page_of(self._unified[symbol])
        return good, broken

    def _page_of(self, unified: str) -> int:
        said = self.exchange.feature_value(unified, "fetchOHLCV", "limit", SAFE_PAGE)
        return min(said, LONGEST_PAGE) if isinstance(said, int) and said > 0 else SAFE_PAGE

    async def bars(self, symbol: str, minutes: int, start_ms: int, end_ms: int) -> list[Kline]:
        """Return bars that open in [start_ms, end_ms); the forming one may be among them.

        A bar that is known to be there is asked for along with them, as proof that the answer is one.
        """
        step = minutes * MINUTE_MS
        known = self._known.get((symbol, minutes))
        proves = known is not None and end_ms - known <= self.page * step
        since = min(start_ms, known) if known is not None and proves else start_ms
        answer = await self._ask(
            "bars",
            self.exchange.fetch_ohlcv,
            self.unified(symbol),
            _TIMEFRAMES[minutes],
            since,
            min(self.page, (end_ms - since) // step + 1),
            {"until": end_ms - 1},
        )
        found = rows.klines(answer, minutes, since, end_ms)
        if known is not None and proves and known < end_ms and all(bar.open_ms != known for bar in found):
            raise MalformedAnswer(
                f"bars of {symbol}",
                found=f"{len(found)} rows",
                expected=f"the bar at {known} ms as before",
            )
        closed = [bar.open_ms for bar in found if bar.open_ms + step <= self.clock.now_ms()]
        if closed:
            self._known[symbol, minutes] = max(closed[-1], known or 0)
        return [bar for bar in found if bar.open_ms >= start_ms]

    async def prices(self, symbols: Sequence[str]) -> dict[str, Premium]:
        """Return mark price, index price and forming funding, where the exchange has them."""
        has = self.exchange.has
        if not symbols:
            return {}
        if has.get("fetchFundingRates"):
            asked = [self.unified(symbol) for symbol in symbols]
            answer = await self._ask("funding rates", self.exchange.fetch_funding_rates, asked)
            found = record(answer, "funding rates")
        else:
            found = {
                self.unified(symbol): await self._ask(
                    "funding rate", self.exchange.fetch_funding_rate, self.unified(symbol)
                )
                for symbol in symbols
            }
        return {s: rows.premium(found.get(self.unified(s)), s) for s in symbols}

    @property
    def has_funding(self) -> bool:
        """Whether the exchange tells mark prices and the funding that forms."""
        has = self.exchange.has
        return bool(has.get("fetchFundingRates") or has.get("fetchFundingRate"))

    async def settled_funding(self, symbol: str, start_ms: int, end_ms: int) -> list[FundingRow]:
        """Return the settled rates of [start_ms, end_ms); none where the exchange keeps no history."""
        if not self.exchange.has.get("fetchFundingRateHistory"):
            return []
        call = self.exchange.fetch_funding_rate_history
        unified = self.unified(symbol)
        answer = await self._ask(
            "funding history", call, unified, start_ms, FUNDING_PAGE, {"until": end_ms - 1}
        )
        return rows.settled(answer, symbol, start_ms, end_ms)

    async def recent_trades(self, symbol: str, limit: int) -> list[TradeRow]:
        """Return the newest prints."""
        call = self.exchange.fetch_trades
        return rows.trades(await self._ask("trades", call, self.unified(symbol), None, limit), symbol)

    async def _ask(self, what: str, call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            self.requests += 1
            try:
                return await call(*arguments)
            except Exception as error:
                told = typed(f"{self.settings.exchange}: {what}", error)
                if not isinstance(told, VenueUnavailable) or attempt == ATTEMPTS:
                    raise told from error
            await asyncio.sleep(PAUSE_S * 2 ** (attempt - 1))
        raise AssertionError("unreachable: the last attempt returns or raises")


def typed(what: str, error: Exception) -> VenueError:
    """Return an error of ccxt as one of ours; by name, since asking ccxt would import all of it."""
    if isinstance(error, VenueError):
        return error
    names = {cls.__name__ for cls in type(error).__mro__}
    found = f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else 'no message'}"
    if "NetworkError" in names or isinstance(error, OSError | TimeoutError):
        return VenueUnavailable(f"{what}: no answer", found=found, remedy="check the network")
    if "BadResponse" in names or "BaseError" not in names:
        return MalformedAnswer(
            f"{what}: the answer cannot be read", found=found, expected="what ccxt expects"
        )
    return VenueError(f"{what}: the exchange refused", found=found)
