"""Which exchange, and how its data is taken.

Guarantees: no key has a place here, so nothing that trades can be reached; addresses are ccxt's own, or on
this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from adapters.live.errors import SafetyStop, VenueError
from adapters.live.source import FeedSettings
from catalog.venues import venue_of

PREFIX = "ccxt:"
_ID = re.compile(r"[a-z0-9]{2,40}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# Only these kinds of market are asked of exchanges whose list of everything takes many requests.
MARKET_TYPES = {"bybit": ("linear",), "binance": ("linear",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CcxtSettings(FeedSettings):
    """Market data of an exchange of ccxt.

    Parameters
    ----------
    exchange : str
        Its id in ccxt, such as bybit.
    silence_s : float
        Real seconds without anything from the stream after which it is opened anew.
    rest, stream : str, optional
        Base addresses on this machine in place of the exchange's own: for tests with a fake exchange.
    """

    exchange: str
    silence_s: float = 30.0
    first_pause_s: float = 1.0
    last_pause_s: float = 30.0
    rest: str | None = None
    stream: str | None = None

    def __post_init__(self) -> None:
        """Refuse a name that is none, and addresses that are not on this machine."""
        if not _ID.fullmatch(self.exchange) or self.exchange == "bingx":
            raise VenueError(
                "the feed is no exchange of ccxt",
                found=repr(self.exchange),
                expected="an exchange id of ccxt, such as bybit or binanceusdm; BingX has its own feed",
                remedy="--feed ccxt:bybit, or --feed bingx",
            )
        for address in (self.rest, self.stream):
            if address is not None and urlsplit(address).hostname not in _LOOPBACK:
                raise SafetyStop(
                    f"the data of {self.exchange} may not come from {address}",
                    found=address,
                    expected="the exchange's own addresses, or one on this machine",
                )

    @property
    def place(self) -> str:
        """The venue part of instrument names, such as BYBIT."""
        return venue_of(self.exchange)
