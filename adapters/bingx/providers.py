"""Instruments of BingX: crypto perpetuals in USDT, as the venue lists them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.bingx.history import BingxSource
from adapters.bingx.rest import BingxRest
from adapters.bingx.symbols import is_tradable_symbol
from adapters.live.providers import VenueInstrumentProvider


class BingxInstrumentProvider(VenueInstrumentProvider):
    """Loads the perpetuals of BingX; `symbols` are needed, empty means all."""

    def __init__(self, config: Any, rest: BingxRest, symbols: Sequence[str] = ()) -> None:
        super().__init__(config, BingxSource(rest), "BingX", is_tradable_symbol, symbols)
