"""Instruments of BingX: crypto perpetuals in USDT, as the venue lists them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from nautilus_trader.live.providers import InstrumentProvider

from adapters.bingx.engine_data import instrument
from adapters.bingx.errors import MalformedAnswer
from adapters.bingx.market_rows import Contract, contracts
from adapters.bingx.rest import CONTRACTS, BingxRest
from adapters.bingx.symbols import is_tradable_symbol


class BingxInstrumentProvider(InstrumentProvider):
    """Loads instruments and keeps the venue's contract of each.

    Parameters
    ----------
    symbols : sequence of str
        What is needed; each must be listed and readable.  Empty: everything that is.
    """

    def __init__(self, config: Any, rest: BingxRest, symbols: Sequence[str] = ()) -> None:
        super().__init__(config)
        self._rest, self._symbols = rest, tuple(symbols)
        self.contracts: dict[str, Contract] = {}
        self.unreadable: dict[str, MalformedAnswer] = {}

    async def load_all_async(self, filters: Any = None) -> None:
        """Load the contracts.

        Raises
        ------
        MalformedAnswer
            A symbol that is needed is not listed, or its contract cannot be read.
        """
        found, self.unreadable = contracts(await self._rest.call(CONTRACTS))
        for symbol in self._symbols:
            if symbol in self.unreadable:
                raise self.unreadable[symbol]
            if symbol not in found or not is_tradable_symbol(symbol):
                near = sorted(name for name in found if name.startswith(symbol[:2]))[:6]
                raise MalformedAnswer(
                    f"BingX lists no crypto perpetual {symbol}",
                    found=", ".join(near) or "none like it",
                    expected="a symbol such as BTC-USDT",
                    remedy="choose other instruments with --symbols",
                )
        wanted = self._symbols or tuple(sorted(filter(is_tradable_symbol, found)))
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
