"""Instrument names: `BTCUSDT-PERP.BINANCE`, `BTC-USDT.BINGX` (perpetuals) and `BTCUSDT.BINANCE` (spot).

A venue that writes base and quote apart (`BTC-USDT`) lists perpetuals here, as BingX does; a name written
in one word is spot unless it ends in `-PERP`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from catalog.errors import UnknownInstrument

# Longest first: `BTCFDUSD` is BTC against FDUSD, not BTCFD against USD.
QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "BTC", "ETH", "BNB")

_NAME = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)?\.[A-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class InstrumentName:
    """The parts of an instrument id."""

    base: str
    quote: str
    venue: str
    kind: Literal["perp", "spot"]
    id: str


def parse_instrument(text: str) -> InstrumentName:
    """Split an instrument id into its parts.

    Raises
    ------
    UnknownInstrument
        If the name follows none of the known forms.
    """
    if not _NAME.fullmatch(text):
        raise _unknown(text)
    symbol, venue = text.split(".")
    stem, dash, suffix = symbol.partition("-")
    if dash and suffix != "PERP":
        return InstrumentName(stem, suffix, venue, "perp", text)
    for quote in QUOTES:
        if stem.endswith(quote) and len(stem) > len(quote):
            kind: Literal["perp", "spot"] = "perp" if dash else "spot"
            return InstrumentName(stem.removesuffix(quote), quote, venue, kind, text)
    raise _unknown(text)


def as_perpetual(text: str) -> str:
    """Return the id of the perpetual that a spot instrument can stand in for (a perpetual names itself)."""
    name = parse_instrument(text)
    if name.kind == "perp":
        return name.id
    return f"{name.base}{name.quote}-PERP.{name.venue}"


def spot_of(text: str) -> str:
    """Return the id of the spot market with the same base, quote and venue."""
    name = parse_instrument(text)
    return f"{name.base}{name.quote}.{name.venue}"


def _unknown(text: str) -> UnknownInstrument:
    return UnknownInstrument(
        "unknown form of instrument name",
        found=repr(text),
        expected="SYMBOL.VENUE, such as BTCUSDT-PERP.BINANCE, BTC-USDT.BINGX or BTCUSDT.BINANCE (spot)",
    )
