"""Requests to BingX through ccxt's implicit methods: signing and transport are ccxt's, judgement is ours.

Guarantees: an answer is accepted only if it is an object with code 0 and `data` of the expected type; a read
is repeated after passing failures, an order is never; nothing of a request (keys, signature, address) is part
of an error; a redirect is never followed, so key and signature reach no other host; requests carry the
venue's time; a block by the venue pauses everything.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.bingx.config import Credentials, Endpoints
from adapters.bingx.errors import (
    MalformedAnswer,
    Meaning,
    TooLate,
    Treatment,
    VenueRefused,
    VenueUnavailable,
)
from adapters.bingx.limits import FIVE_A_SECOND, MARKET, TWO_A_SECOND, Priority, PriorityLimiter, Rate
from adapters.exchange_library import exchange_class
from adapters.live.timebase import Timebase, WallTime
from adapters.live.venue_clock import VenueClock

BLOCK_SECONDS = 300.0
ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One request: ccxt's implicit method, the rule of its rate limit, and whether it may be repeated."""

    name: str
    method: str
    rule: str
    priority: Priority
    data: type | None  # of `data`; None: the answer has none
    repeatable: bool = True
    enveloped: bool = True


def _market(name: str, method: str, data: type, priority: Priority = Priority.DATA) -> Endpoint:
    return Endpoint(name, method, "market", priority, data)


def _private(
    name: str,
    method: str,
    data: type | None,
    *,
    priority: Priority = Priority.ACCOUNT,
    repeatable: bool = True,
    enveloped: bool = True,
) -> Endpoint:
    return Endpoint(name, method, name, priority, data, repeatable, enveloped)


SERVER_TIME = _market("server time", "swapV2PublicGetServerTime", dict, Priority.ORDER)
CONTRACTS = _market("contracts", "swapV2PublicGetQuoteContracts", list)
KLINES = _market("klines", "swapV3PublicGetQuoteKlines", list)
MARK_KLINES = _market("mark klines", "swapV1PublicGetMarketMarkPriceKlines", list, Priority.HISTORY)
TRADES = _market("trades", "swapV2PublicGetQuoteTrades", list)
PREMIUM = _market("premium index", "swapV2PublicGetQuotePremiumIndex", object)
FUNDING = _market("funding rates", "swapV2PublicGetQuoteFundingRate", object)

BALANCE = _private("balance", "swapV3PrivateGetUserBalance", list)
POSITIONS = _private("positions", "swapV2PrivateGetUserPositions", list)
POSITION_MODE = _private("position mode", "swapV1PrivateGetPositionSideDual", dict)
SET_POSITION_MODE = _private("set position mode", "swapV1PrivatePostPositionSideDual", None)
LEVERAGE = _private("leverage", "swapV2PrivateGetTradeLeverage", dict)
SET_LEVERAGE = _private("set leverage", "swapV2PrivatePostTradeLeverage", dict)
MARGIN_MODE = _private("margin mode", "swapV2PrivateGetTradeMarginType", dict)
SET_MARGIN_MODE = _private("set margin mode", "swapV2PrivatePostTradeMarginType", None)
COMMISSION = _private("commission rate", "swapV2PrivateGetUserCommissionRate", dict)
INCOME = _private("income", "swapV2PrivateGetUserIncome", object)
GET_VST = _private("grant of VST", "swapV1PrivatePostTradeGetVst", dict, repeatable=False)

_ORDER = Priority.ORDER
PLACE = _private("order", "swapV2PrivatePostTradeOrder", dict, priority=_ORDER, repeatable=False)
CANCEL = _private("cancel", "swapV2PrivateDeleteTradeOrder", dict, priority=_ORDER)
CANCEL_BATCH = _private("cancel batch", "swapV2PrivateDeleteTradeBatchOrders", dict, priority=_ORDER)
CANCEL_ALL = _private("cancel all", "swapV2PrivateDeleteTradeAllOpenOrders", dict, priority=_ORDER)
REPLACE = _private(
    "cancel and replace", "swapV1PrivatePostTradeCancelReplace", dict, priority=_ORDER, repeatable=False
)
DEAD_MAN = _private("dead man's switch", "swapV2PrivatePostTradeCancelAllAfter", dict, priority=_ORDER)
ORDER = _private("order query", "swapV2PrivateGetTradeOrder", dict, priority=_ORDER)
OPEN_ORDERS = _private("open orders", "swapV2PrivateGetTradeOpenOrders", dict)
ALL_ORDERS = _private("all orders", "swapV2PrivateGetTradeAllOrders", dict)
FILLS = _private("fill history", "swapV2PrivateGetTradeFillHistory", dict)
NEW_KEY = _private("listen key", "userAuthPrivatePostUserDataStream", None, enveloped=False)
EXTEND_KEY = _private("listen key renewal", "userAuthPrivatePutUserDataStream", None, enveloped=False)
END_KEY = _private("listen key end", "userAuthPrivateDeleteUserDataStream", None, enveloped=False)

ENDPOINTS = tuple(value for value in list(globals().values()) if isinstance(value, Endpoint))
_SLOW = {
    e.rule
    for e in (SET_POSITION_MODE, POSITION_MODE, MARGIN_MODE, SET_MARGIN_MODE, DEAD_MAN, NEW_KEY, EXTEND_KEY)
}


def rate_rules() -> dict[str, Rate]:
    """Return the venue's limits by rule."""
    rules = {e.rule: TWO_A_SECOND if e.rule in _SLOW else FIVE_A_SECOND for e in ENDPOINTS}
    return rules | {"market": MARKET}


class HttpStatus(Exception):
    """An HTTP answer that is not 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status


class _NoRedirects:
    """A session of aiohttp that follows no redirect; the rest of it is the session's own."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._session, name)
        if name not in {"get", "post", "put", "delete", "patch", "head", "options", "request"}:
            return found
        return functools.partial(found, allow_redirects=False)


class BingxRest:
    """One connection to the REST interface; make one for market data and one for trading."""

    def __init__(
        self,
        endpoints: Endpoints,
        credentials: Credentials | None = None,
        *,
        timeout_s: float = 10.0,
        timebase: Timebase | None = None,
        limiter: PriorityLimiter | None = None,
        clock: VenueClock | None = None,
    ) -> None:
        if credentials is None:
            endpoints.require_data()
        else:
            endpoints.require_virtual()  # a key never goes to a host that could trade real money
        self._endpoints, self._credentials, self._timeout_s = endpoints, credentials, timeout_s
        self.clock = clock or VenueClock(timebase or WallTime())
        self.limiter = limiter or PriorityLimiter(rate_rules())
        self._exchange: Any = None
        self.requests = 0
        self.repeated = 0

    async def open(self) -> None:
        """Load ccxt (in a thread: it takes a second) and measure the clock."""
        if self._exchange is None:
            self._exchange = await asyncio.to_thread(self._build)
            await self.clock.measure(self.server_time)

    async def close(self) -> None:
        """Close the connection."""
        await self.limiter.close()
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            await exchange.close()

    def _build(self) -> Any:
        base: Any = exchange_class("bingx")
        clock = self.clock
        # ccxt writes every request with its headers, the key among them, to its log at DEBUG.
        silent = logging.getLogger("adapters.bingx.ccxt")
        silent.disabled = True

        class Bingx(base):  # type: ignore[misc]  # the class is only known at run time
            """ccxt's BingX with the venue's time and without its judgement of answers."""

            logger = silent

            def open(self, lazy: bool = False) -> None:
                super().open(lazy)
                session: Any = self.session
                if session is not None and not isinstance(session, _NoRedirects):
                    self.session: Any = _NoRedirects(session)

            def nonce(self) -> int:
                return clock.now_ms()

            def handle_errors(self, *_: object) -> None:
                return None

            def handle_http_status_code(
                self, code: int, reason: object, url: object, method: object, body: object
            ) -> None:
                if not 200 <= code < 300:
                    raise HttpStatus(code)

        credentials = self._credentials
        keys = (
            {
                "apiKey": credentials.key.get_secret_value(),
                "secret": credentials.secret.get_secret_value(),
            }
            if credentials
            else {}
        )
        exchange = Bingx(
            {**keys, "enableRateLimit": False, "timeout": round(self._timeout_s * 1000), "verbose": False}
        )
        api = exchange.urls["api"]
        for product in list(api):
            # Every product points at the one host that was checked; ccxt's own addresses are never used.
            api[product] = f"{self._endpoints.rest}/openApi" if product != "ws" else {}
        return exchange

    async def server_time(self) -> int:
        """Return the venue's time, ms."""
        from adapters.live.fields import milliseconds

        return milliseconds(await self.call(SERVER_TIME), "serverTime", "server time")

    async def call(
        self,
        endpoint: Endpoint,
        params: Mapping[str, object] | None = None,
        *,
        until_ms: int | None = None,
    ) -> Any:
        """Send a request and return the `data` of its answer.

        Parameters
        ----------
        params : mapping of str to object
            Numbers as exact decimal text, never as floats (ccxt would write 1.23e-07).
        until_ms : int, optional
            Venue time after which it is not sent any more, however long it had to wait.

        Raises
        ------
        MalformedAnswer
            The answer is not an object with code 0 and data of the expected type.
        VenueRefused
            The venue refused it.
        VenueUnavailable
            It did not answer; for an order the outcome is unknown.
        TooLate
            It was not sent before `until_ms`.
        """
        attempts = ATTEMPTS if endpoint.repeatable else 1
        for attempt in range(1, attempts + 1):
            try:
                return await self._once(endpoint, params or {}, until_ms)
            except VenueUnavailable:
                if attempt == attempts:
                    raise
            except VenueRefused as refusal:
                await self._after_refusal(refusal)
                passing = refusal.treatment is Treatment.RETRY or refusal.meaning is Meaning.BUSY
                if attempt == attempts or not passing:
                    raise
            self.repeated += 1
            await asyncio.sleep(0.2 * 2 ** (attempt - 1) * random.uniform(0.7, 1.3))  # noqa: S311 - jitter
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _after_refusal(self, refusal: VenueRefused) -> None:
        if refusal.code in {403, 418}:
            self.limiter.pause(BLOCK_SECONDS)
        elif refusal.meaning is Meaning.RATE_LIMIT:
            self.limiter.pause(random.uniform(1.0, 2.0))  # noqa: S311 - jitter
        elif refusal.meaning is Meaning.CLOCK:
            await self.clock.measure(self.server_time)

    async def _once(self, endpoint: Endpoint, params: Mapping[str, object], until_ms: int | None) -> Any:
        exchange = self._exchange
        if exchange is None:
            raise VenueUnavailable(f"{endpoint.name}: the connection is closed")
        await self.limiter.admit(endpoint.rule, endpoint.priority)
        if until_ms is not None and (late_ms := self.clock.now_ms() - until_ms) > 0:
            raise TooLate(f"{endpoint.name}: not sent, {late_ms / 1000:.1f} s too late")
        self.requests += 1
        try:
            answer = await getattr(exchange, endpoint.method)(dict(params))
        except HttpStatus as status:
            raise VenueRefused(endpoint.name, status.status, "HTTP status") from None
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - ccxt raises what its transport raises
            # ccxt's own errors spell out the signed address: only their kind is kept.
            raise VenueUnavailable(
                f"{endpoint.name}: no answer from BingX",
                found=type(error).__name__,
                expected=f"an answer within {self._timeout_s:g} s",
                remedy="check the network",
            ) from None
        return unwrap(endpoint, answer)


def unwrap(endpoint: Endpoint, answer: object) -> Any:
    """Return the `data` of an answer after checking its envelope."""
    if not endpoint.enveloped:
        return answer
    if not isinstance(answer, dict):
        raise MalformedAnswer(
            f"{endpoint.name}: the answer is not an object", found=type(answer).__name__, expected="JSON"
        )
    code = answer.get("code")
    if isinstance(code, str) and code.lstrip("-").isdigit():
        code = int(code)
    if isinstance(code, bool) or not isinstance(code, int):
        raise MalformedAnswer(
            f"{endpoint.name}: the answer has no code", found=repr(code)[:60], expected="a whole number"
        )
    if code != 0:
        message = answer.get("msg")
        raise VenueRefused(endpoint.name, code, message[:300] if isinstance(message, str) else "")
    data = answer.get("data")
    if endpoint.data is None:
        return data
    if not isinstance(data, endpoint.data) or (endpoint.data is not object and data is None):
        raise MalformedAnswer(
            f"{endpoint.name}: the data of the answer is not what it must be",
            found=type(data).__name__,
            expected=endpoint.data.__name__,
        )
    return data
