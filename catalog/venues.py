"""Exchanges behind ccxt: opening one, finding a market by our instrument name, calling it with patience.

ccxt is imported here, on first use only: it takes seconds.  Its own throttle keeps within the venue's rate
limit; what fails for a passing reason (network, rate limit, maintenance) is tried again with growing pauses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from catalog.errors import CatalogError, CatalogIOError, UnknownInstrument
from catalog.symbols import parse_instrument

ATTEMPTS = 6
FIRST_PAUSE_S = 1.0

_PASSING, _REFUSED = "passing", "refused"

# Exchange ids of ccxt that are a market segment of a venue.
_VENUES = {"binanceusdm": "BINANCE", "kucoinfutures": "KUCOIN", "krakenfutures": "KRAKEN"}


class Exchange(Protocol):
    """What is asked of a (synchronous) ccxt exchange."""

    id: str
    markets: Any
    timeframes: Any

    def load_markets(self) -> Any:
        """Fetch the list of markets once."""

    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int, params: dict[str, Any]) -> Any:
        """Return rows of ms, open, high, low, close, volume."""

    def fetch_funding_rate_history(self, symbol: str, since: int, limit: int, params: dict[str, Any]) -> Any:
        """Return settled rates as dicts with `timestamp` (ms) and `fundingRate`."""

    def fetch_time(self) -> Any:
        """Return the venue's clock, ms."""


@dataclass(slots=True)
class Caller:
    """Calls an exchange again after passing failures; counts the retries."""

    sleep: Callable[[float], None] = time.sleep
    attempts: int = ATTEMPTS
    retries: int = field(default=0, init=False)

    def call(self, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return the answer.

        Raises
        ------
        CatalogIOError
            If the venue cannot be reached after all attempts.
        CatalogError
            If it refuses the request.
        """
        pause = FIRST_PAUSE_S
        for attempt in range(1, self.attempts + 1):
            try:
                return function(*arguments)
            except Exception as error:
                kind = _kind(error)
                if kind is None:
                    raise
                if kind == _REFUSED:
                    raise CatalogError(
                        f"{what}: the exchange refused", found=f"{type(error).__name__}: {_short(error)}"
                    ) from error
                if attempt == self.attempts:
                    raise CatalogIOError(
                        f"{what}: the exchange cannot be reached",
                        found=f"{type(error).__name__}: {_short(error)} ({attempt} attempts)",
                        expected="an answer",
                        remedy="check the network and run the command again: it resumes where it stopped",
                    ) from error
                self.retries += 1
                self.sleep(pause)
                pause *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")


def _kind(error: Exception) -> str | None:
    """Return whether an error of ccxt passes or is a refusal; None for any other error.

    By name: asking ccxt itself would import all of it, which takes seconds, also for a source without it.
    """
    names = {cls.__name__ for cls in type(error).__mro__ if cls.__module__ == "ccxt.base.errors"}
    if not names:
        return None
    return _PASSING if "NetworkError" in names else _REFUSED


def open_exchange(exchange_id: str, options: Mapping[str, Any] | None = None) -> Any:
    """Return a ccxt exchange with its throttle on.

    Raises
    ------
    CatalogError
        If ccxt knows no such exchange.
    """
    import ccxt

    if exchange_id not in ccxt.exchanges:
        close = [name for name in ccxt.exchanges if exchange_id[:4].lower() in name]
        raise CatalogError(
            f"unknown exchange {exchange_id!r}",
            found=exchange_id,
            expected=", ".join(close) if close else "an exchange id of ccxt, such as bingx or binanceusdm",
        )
    return getattr(ccxt, exchange_id)({"enableRateLimit": True, **(options or {})})


def venue_of(exchange_id: str) -> str:
    """Return the venue part of our instrument names: `BINGX` for bingx."""
    return _VENUES.get(exchange_id, exchange_id.upper())


def instrument_at(exchange_id: str, asked: str) -> str:
    """Return the instrument id that a full id, or a coin against USDT, means at an exchange."""
    if "." in asked:
        return parse_instrument(asked.upper()).id
    place = venue_of(exchange_id.removeprefix("ccxt:"))
    return f"{asked.upper()}-USDT.{place}" if place == "BINGX" else f"{asked.upper()}USDT-PERP.{place}"


def find_market(exchange: Exchange, instrument: str, caller: Caller) -> dict[str, Any]:
    """Return the exchange's market of one of our instruments.

    Raises
    ------
    UnknownInstrument
        If the exchange lists no such market, or the name is of another venue.
    """
    name = parse_instrument(instrument)
    if name.venue != venue_of(exchange.id):
        raise UnknownInstrument(
            f"{instrument} is not an instrument of {exchange.id}",
            found=name.venue,
            expected=venue_of(exchange.id),
        )
    caller.call("load_markets", exchange.load_markets)
    native = instrument.split(".", maxsplit=1)[0].removesuffix("-PERP")
    ids = {native, name.base + name.quote, f"{name.base}-{name.quote}", f"{name.base}_{name.quote}"}
    unified = f"{name.base}/{name.quote}" + (f":{name.quote}" if name.kind == "perp" else "")
    fitting = [
        market
        for market in exchange.markets.values()
        if bool(market.get("swap")) == (name.kind == "perp")
        and not market.get("inverse")
        and (market["symbol"] == unified or (market["id"] in ids and market.get("quote") == name.quote))
    ]
    exact = [market for market in fitting if market["id"] == native]
    chosen: list[dict[str, Any]] = exact or fitting
    if len(chosen) == 1:
        return chosen[0]
    near = sorted(m["symbol"] for m in exchange.markets.values() if m.get("base") == name.base)[:8]
    raise UnknownInstrument(
        f"{exchange.id} lists {'several markets' if chosen else 'no market'} for {instrument}",
        found=", ".join(m["symbol"] for m in chosen) or "none",
        expected=f"one of {', '.join(near)}"
        if near
        else f"a {name.kind} of {name.base} against {name.quote}",
    )


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else "no message"
