"""Names: instruments are named by the venue's own id (`BTC-USDT.BINGX`), never by a library's unified one.

ccxt renames bases (TRUMP becomes TRUMPMAGA), which would make two names for one contract.
"""

from __future__ import annotations

import re

from adapters.bingx.constants import QUOTE, VENUE
from adapters.bingx.errors import MalformedAnswer

_SYMBOL = re.compile(r"[A-Z0-9]{1,24}-USDT")


def is_tradable_symbol(symbol: str) -> bool:
    """Whether a contract is a crypto perpetual in USDT; synthetic ones on shares, gold, FX (NC*) are not."""
    return bool(_SYMBOL.fullmatch(symbol)) and not symbol.startswith("NC")


def base_of(symbol: str) -> str:
    """Return the base coin of a venue symbol."""
    return symbol.removesuffix(f"-{QUOTE}")


def instrument_name(symbol: str) -> str:
    """Return our instrument id of a venue symbol."""
    return f"{symbol}.{VENUE}"


def venue_symbol(instrument: str) -> str:
    """Return the venue's symbol of an instrument id.

    Raises
    ------
    MalformedAnswer
        The id is not one of a BingX perpetual.
    """
    symbol, _, venue = instrument.rpartition(".")
    if venue != VENUE or not is_tradable_symbol(symbol):
        raise MalformedAnswer(
            f"{instrument} is not an instrument of this venue",
            found=instrument,
            expected="the id of a USDT perpetual on BingX, such as BTC-USDT.BINGX",
        )
    return symbol
