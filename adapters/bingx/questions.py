"""The open questions about BingX that reading answers: nothing here places, changes or cancels an order.

Guarantees: the key goes to the VST host only; market data of the live host is read without a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from adapters.bingx.account_guard import virtual_balance
from adapters.bingx.account_rows import is_hedge_mode, leverages, listen_key, positions
from adapters.bingx.errors import VenueRefused
from adapters.bingx.findings import Finding, ask, judged, unknown
from adapters.bingx.market_rows import contracts, klines
from adapters.bingx.order_rows import orders
from adapters.bingx.rest import (
    BALANCE,
    CONTRACTS,
    KLINES,
    LEVERAGE,
    NEW_KEY,
    OPEN_ORDERS,
    POSITION_MODE,
    POSITIONS,
    BingxRest,
)
from adapters.live.rows import Contract, Kline
from adapters.live.timebase import MINUTE_MS

START_ONLY_MINUTES = 3_000
COMPARED_BARS = 5
PROVOKING_CALLS = 12


@dataclass(frozen=True, slots=True)
class Known:
    """What this project's table says of a contract; prices in USDT, quantities in base coins."""

    tick: float
    step: float
    min_quantity: float
    min_notional_usd: float
    maker_fee: float
    taker_fee: float


class Questions:
    """Asks the venue.

    Parameters
    ----------
    account : BingxRest
        The VST host, with the key.
    market : BingxRest
        The live host, without one.
    symbol : str
        Contract that stands for all.
    known : mapping
        This project's table, by venue symbol.
    hasty : BingxRest or None
        A connection without a rate limit of its own, to see how the venue's looks; None: it is not provoked.
    """

    def __init__(
        self,
        account: BingxRest,
        market: BingxRest,
        symbol: str,
        asset: str,
        known: dict[str, Known],
        *,
        hasty: BingxRest | None = None,
    ) -> None:
        self._account, self._market, self._symbol, self._asset = account, market, symbol, asset
        self._known, self._hasty = known, hasty

    async def all(self) -> list[Finding]:
        """Ask everything and return the findings in order.

        Raises
        ------
        SafetyStop
            The account is not a demo account.
        """
        await virtual_balance(self._account, self._asset)
        steps: list[tuple[int, str, str, Callable[[], Awaitable[Finding]]]] = [
            (0, "clock", "within 2 s after correction", self._clock),
            (0, "balance rows", "one row of the virtual asset, known field names", self._balance),
            (0, "position mode", "hedge on a fresh account; the desk switches it to one-way", self._mode),
            (0, "leverage", "readable for both sides", self._leverage),
            (0, "positions and orders", "both lists can be read", self._open),
            (
                0,
                "contracts of our table",
                "tick, step, minimum and fees as listed",
                self._contracts,
            ),
            (6, "klines by startTime alone", "the newest rows of the range", self._start_only),
            (8, "the VST market equals the live one", "equal closed bars", self._markets),
            (9, "one key for both hosts", "not asked", self._both_hosts),
            (12, "a second listen key while one is valid", "either: the adapter mints one only", self._keys),
            (13, "form of a rate limit", "code 100410 or 109429, or HTTP 429", self._limit),
        ]
        return [await ask(number, question, expected, probe) for number, question, expected, probe in steps]

    async def _clock(self) -> Finding:
        offset = await self._account.clock.measure(self._account.server_time)
        trip = self._account.clock.round_trip_ms
        return judged(
            0, "clock", "within 2 s after correction", f"offset {offset} ms, round trip {trip} ms",
            holds=trip < 2_000,
        )  # fmt: skip

    async def _balance(self) -> Finding:
        rows = await self._account.call(BALANCE)
        names = sorted({name for row in rows if isinstance(row, dict) for name in row})
        assets = [str(row.get("asset")) for row in rows if isinstance(row, dict)]
        spellings = {"freezedMargin", "frozenMargin"}, {"realisedProfit", "realizedProfit"}
        return judged(
            0,
            "balance rows",
            "one row of the virtual asset, known field names",
            f"assets {', '.join(assets)}; fields {', '.join(names)}",
            holds=self._asset in assets and all(spelling & set(names) for spelling in spellings),
        )

    async def _mode(self) -> Finding:
        hedge = is_hedge_mode(await self._account.call(POSITION_MODE))
        expected = "hedge on a fresh account; the desk switches it to one-way"
        return judged(0, "position mode", expected, "hedge" if hedge else "one-way", holds=True)

    async def _leverage(self) -> Finding:
        long, short = leverages(await self._account.call(LEVERAGE, {"symbol": self._symbol}))
        answer = f"{self._symbol}: long {long}, short {short}"
        return judged(0, "leverage", "readable for both sides", answer, holds=True)

    async def _open(self) -> Finding:
        held = positions(await self._account.call(POSITIONS))
        resting = orders(await self._account.call(OPEN_ORDERS))
        answer = f"{len(held)} positions, {len(resting)} open orders"
        return judged(0, "positions and orders", "both lists can be read", answer, holds=True)

    async def _contracts(self) -> Finding:
        listed, broken = contracts(await self._market.call(CONTRACTS))
        differing = [
            text
            for symbol, known in self._known.items()
            for text in [compare(symbol, known, listed.get(symbol))]
            if text
        ]
        answer = f"{len(self._known)} compared, {len(listed)} listed, {len(broken)} unreadable"
        if differing:
            answer = "; ".join(differing)
        expected = "tick, step, minimum and fees as listed"
        holds = not differing and bool(self._known)
        return judged(0, "contracts of our table", expected, answer, holds=holds)

    async def _start_only(self) -> Finding:
        now = self._market.clock.now_ms()
        start = (now - START_ONLY_MINUTES * MINUTE_MS) // MINUTE_MS * MINUTE_MS
        params = {"symbol": self._symbol, "interval": "1m", "startTime": start, "limit": 1000}
        rows = await self._market.call(KLINES, params)
        times = [bar.open_ms for bar in klines(rows)]  # in time order, each row checked
        if not times:
            return unknown(6, "klines by startTime alone", "the newest rows of the range", "no rows")
        newest = max(times) > now - 5 * MINUTE_MS
        answer = f"{len(rows)} rows, the {'newest' if newest else 'oldest'}, "
        descending = int(rows[0]["time"]) == times[-1]
        answer += "newest first" if descending else "oldest first"
        return judged(6, "klines by startTime alone", "the newest rows of the range", answer, holds=newest)

    async def _markets(self) -> Finding:
        async def closed(rest: BingxRest) -> dict[int, Kline]:
            params = {"symbol": self._symbol, "interval": "1m", "limit": COMPARED_BARS + 1}
            return {bar.open_ms: bar for bar in klines(await rest.call(KLINES, params))[:-1]}

        ours, live = await asyncio.gather(closed(self._account), closed(self._market))
        shared = [(ours[open_ms], bar) for open_ms, bar in live.items() if open_ms in ours]
        equal = sum(a == b for a, b in shared)
        answer = f"{equal} of {len(shared)} closed bars are equal"
        for a, b in shared:
            if a != b:
                answer += f"; first difference: close {a.close} and {b.close}"
                break
        return judged(
            8, "the VST market equals the live one", "equal closed bars", answer,
            holds=bool(shared) and equal == len(shared),
        )  # fmt: skip

    async def _both_hosts(self) -> Finding:
        why = "a key is never sent to a host with real money; BingX's own page of keys says it"
        return unknown(9, "one key for both hosts", "not asked", why)

    async def _keys(self) -> Finding:
        first = listen_key(await self._account.call(NEW_KEY))
        second = listen_key(await self._account.call(NEW_KEY))
        answer = "the same key again" if first == second else "a new key"
        expected = "either: the adapter mints one only"
        return judged(12, "a second listen key while one is valid", expected, answer, holds=True)

    async def _limit(self) -> Finding:
        number, question, expected = 13, "form of a rate limit", "code 100410 or 109429, or HTTP 429"
        if self._hasty is None:
            return unknown(number, question, expected, "not provoked; --provoke-limit asks too often once")
        once = replace(BALANCE, repeatable=False)  # a refusal is what is asked for
        calls = [self._hasty.call(once) for _ in range(PROVOKING_CALLS)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        refusals = [a for a in answers if isinstance(a, VenueRefused)]
        if not refusals:
            why = f"{PROVOKING_CALLS} calls at once were all answered"
            return unknown(number, question, expected, why)
        codes = sorted({refusal.code for refusal in refusals})
        answer = f"codes {', '.join(map(str, codes))}: {refusals[0].reason}"
        return judged(number, question, expected, answer, holds=set(codes) <= {100410, 109429, 429})


def compare(symbol: str, known: Known, listed: Contract | None) -> str:
    """Return how a contract differs from this project's table, or nothing."""
    if listed is None:
        return f"{symbol} is not listed"
    pairs = {
        "tick": (known.tick, float(listed.tick)),
        "step": (known.step, float(listed.step)),
        "minimum quantity": (known.min_quantity, float(listed.min_quantity)),
        "minimum notional": (known.min_notional_usd, float(listed.min_notional)),
        "maker fee": (known.maker_fee, float(listed.maker_fee)),
        "taker fee": (known.taker_fee, float(listed.taker_fee)),
    }
    found = [f"{name} {venue:g} (ours {ours:g})" for name, (ours, venue) in pairs.items() if ours != venue]
    return f"{symbol}: {', '.join(found)}" if found else ""
