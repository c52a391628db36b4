"""Contracts: precision, limits, fees and maintenance tiers, and how the venue cuts what is too precise."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

from tests.fakes.bingx.errors import VenueError

ZERO = Decimal(0)


def text(value: Decimal, digits: int | None = None) -> str:
    """Write a number as the venue does: plain, never with an exponent."""
    if digits is not None:
        return f"{value:.{digits}f}"
    out = f"{value:f}"
    return out.rstrip("0").rstrip(".") if "." in out else out


@dataclass(frozen=True, slots=True)
class Tier:
    """A step of the maintenance margin: rate and deduction up to a notional in USDT."""

    up_to: Decimal
    rate: Decimal
    deduction: Decimal


# Bitcoin's first steps, in the shape of /swap/v1/maintMarginRatio.
TIERS = (
    Tier(Decimal(300_000), Decimal("0.004"), ZERO),
    Tier(Decimal(3_000_000), Decimal("0.005"), Decimal(300)),
    Tier(Decimal(30_000_000), Decimal("0.01"), Decimal(15_300)),
    Tier(Decimal(10**12), Decimal("0.025"), Decimal(465_300)),
)


@dataclass(frozen=True, slots=True)
class Contract:
    """One perpetual.  Quantities are base coins, prices and notionals USDT."""

    symbol: str
    price: float  # where its price starts when no data says so
    price_precision: int
    quantity_precision: int
    min_quantity: Decimal
    level_quantity: Decimal  # what one level of the book holds, roughly
    min_notional: Decimal = Decimal(2)
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    max_leverage: int = 125
    max_notional: Decimal = Decimal(20_000_000)
    funding_hours: int = 8
    status: int = 1  # 1 online, 25 no opening, 5 pre-online, 0 offline
    launch_ms: int = 1_586_275_200_000

    @property
    def asset(self) -> str:
        return self.symbol.split("-")[0]

    @property
    def tick(self) -> Decimal:
        return Decimal(1).scaleb(-self.price_precision)

    @property
    def step(self) -> Decimal:
        return Decimal(1).scaleb(-self.quantity_precision)

    def cut_price(self, price: Decimal) -> Decimal:
        """Truncate without a word, as the venue does."""
        return price.quantize(self.tick, ROUND_DOWN)

    def cut_quantity(self, quantity: Decimal) -> Decimal:
        return quantity.quantize(self.step, ROUND_DOWN)

    def price_text(self, price: Decimal) -> str:
        return text(price, self.price_precision)

    def quantity_text(self, quantity: Decimal) -> str:
        return text(quantity, self.quantity_precision)

    def maintenance(self, notional: Decimal) -> Decimal:
        """Return the maintenance margin in USDT of a position of this notional."""
        tier = next(tier for tier in TIERS if notional <= tier.up_to)
        return max(ZERO, notional * tier.rate - tier.deduction)

    def row(self) -> dict[str, Any]:
        """Return the contract as /swap/v2/quote/contracts lists it."""
        return {
            "contractId": str(100 + zlib.crc32(self.symbol.encode()) % 10_000),
            "symbol": self.symbol,
            "size": text(self.min_quantity),
            "quantityPrecision": self.quantity_precision,
            "pricePrecision": self.price_precision,
            "feeRate": float(self.taker_fee),
            "makerFeeRate": float(self.maker_fee),
            "takerFeeRate": float(self.taker_fee),
            "tradeMinLimit": 0,
            "tradeMinQuantity": float(self.min_quantity),
            "tradeMinUSDT": float(self.min_notional),
            "currency": "USDT",
            "asset": self.asset,
            "status": self.status,
            "apiStateOpen": "true" if self.status == 1 else "false",
            "apiStateClose": "true" if self.status in (1, 25) else "false",
            "ensureTrigger": True,
            "triggerFeeRate": "0.00050000",
            "brokerState": False,
            "launchTime": self.launch_ms,
            "maintainTime": 0,
            "offTime": 0,
            "displayName": self.symbol,
        }


def _contract(symbol: str, price: float, digits: int, size_digits: int, level: str) -> Contract:
    step = Decimal(1).scaleb(-size_digits)
    return Contract(symbol, price, digits, size_digits, step, Decimal(level))


BTC = _contract("BTC-USDT", 64_880.0, 1, 4, "2.5")
ETH = _contract("ETH-USDT", 3_000.0, 2, 2, "40")
SOL = _contract("SOL-USDT", 150.0, 2, 2, "500")
BNB = _contract("BNB-USDT", 600.0, 2, 2, "60")
MAJORS = (BTC, ETH, SOL, BNB)
# With the figures of the project's own table (`instruments.yaml`).
LISTED = (
    *MAJORS,
    _contract("XRP-USDT", 0.6, 4, 1, "40000"),
    _contract("ADA-USDT", 0.5, 4, 0, "50000"),
    _contract("DOGE-USDT", 0.15, 5, 0, "200000"),
    _contract("LINK-USDT", 15.0, 3, 1, "2000"),
    _contract("LTC-USDT", 80.0, 2, 2, "300"),
    _contract("TRX-USDT", 0.12, 5, 0, "200000"),
)

# Listed beside them on the real venue: synthetic contracts that a crypto desk leaves alone.
GOLD = _contract("NCCOGOLD2USD-USDT", 2_400.0, 2, 2, "20")


def many(count: int) -> tuple[Contract, ...]:
    """Return small contracts T0000-USDT, T0001-USDT, ... for tests with hundreds of symbols."""
    return tuple(_contract(f"T{n:04d}-USDT", 1.0 + n / 100, 4, 1, "20000") for n in range(count))


class Contracts:
    """The contracts of a venue, by symbol."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self._by_symbol = {contract.symbol: contract for contract in contracts}

    def __iter__(self) -> Iterator[Contract]:
        return iter(self._by_symbol.values())

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._by_symbol

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._by_symbol)

    def put(self, contract: Contract) -> None:
        """Replace a contract, for instance with one that is halted."""
        self._by_symbol[contract.symbol] = contract

    def get(self, symbol: str | None) -> Contract:
        """Return a contract.

        Raises
        ------
        VenueError
            109425 if it is not listed.
        """
        found = self._by_symbol.get(symbol or "")
        if found is None:
            raise VenueError(
                109425,
                f"{symbol} not exist, please verify it in api:/openApi/swap/v2/quote/contracts",
            )
        return found
