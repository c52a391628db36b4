"""Instruments of a venue, as the venue lists them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from nautilus_trader.live.providers import InstrumentProvider

from adapters.live.engine_rows import instrument
from adapters.live.errors import MalformedAnswer
from adapters.live.rows import Contract
from adapters.live.source import MarketSource


class VenueInstrumentProvider(InstrumentProvider):
    """Loads instruments and keeps the venue's contract of each.

    Parameters
    ----------
    place : str
        The venue, for messages.
    is_tradable : callable
        Whether a symbol is of the kind that is traded here.
    symbols : sequence of str
        What is needed; each must be listed and readable.  Empty: everything that is.
    """

    def __init__(
        self,
        config: Any,
        source: MarketSource,
        place: str,
        is_tradable: Callable[[str], bool],
        symbols: Sequence[str] = (),
    ) -> None:
        super().__init__(config)
        self._source, self._place, self._is_tradable = source, place, is_tradable
        self._symbols = tuple(symbols)
        self.contracts: dict[str, Contract] = {}
        self.unreadable: dict[str, MalformedAnswer] = {}

    async def load_all_async(self, filters: Any = None) -> None:
        """Load the contracts.

        Raises
        ------
        MalformedAnswer
            A symbol that is needed is not listed, or its contract cannot be read.
        """
        found, self.unreadable = await self._source.contracts()
        for symbol in self._symbols:
            if symbol in self.unreadable:
                raise self.unreadable[symbol]
            if symbol not in found or not self._is_tradable(symbol):
                near = sorted(name for name in found if name.startswith(symbol[:2]))[:6]
                raise MalformedAnswer(
                    f"{self._place} lists no crypto perpetual {symbol}",
                    found=", ".join(near) or "none like it",
                    expected="a symbol that it lists",
                    remedy="choose other instruments with --symbols",
                )
        wanted = self._symbols or tuple(sorted(filter(self._is_tradable, found)))
        now = time.time_ns()
        self.contracts = {symbol: found[symbol] for symbol in wanted}
        for symbol in wanted:
            self.add(instrument(found[symbol], now))

    def contract(self, symbol: str) -> Contract:
        """Return the contract of a venue symbol.

        Raises
        ------
        MalformedAnswer
            It is not one of the loaded instruments.
        """
        if symbol not in self.contracts:
            raise MalformedAnswer(
                f"{symbol} is not loaded", found=f"{len(self.contracts)} other contracts", expected=symbol
            )
        return self.contracts[symbol]
