"""Rows of a venue as engine objects: instruments, bars, quotes, prints, books, prices, funding.

Guarantees: prices and quantities are exact (from decimals, on the contract's grid) or refused; bars are
stamped at their close.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from functools import cache

from nautilus_trader.model import (
    AggressorSide,
    Bar,
    BarType,
    BookOrder,
    CryptoPerpetual,
    Currency,
    FundingRateUpdate,
    IndexPriceUpdate,
    InstrumentId,
    MarkPriceUpdate,
    Money,
    OrderBookDepth,
    OrderSide,
    Price,
    Quantity,
    QuoteTick,
    Symbol,
    TradeId,
    TradeTick,
)

from adapters.live.errors import MalformedAnswer
from adapters.live.rows import MAX_PRECISION, BestRow, BookRow, Contract, FundingRow, Kline, Premium, TradeRow
from adapters.live.timebase import MINUTE_MS

MS = 1_000_000
USDT = Currency.from_str("USDT")
DEPTH = 10
_BUY, _SELL = AggressorSide.BUY, AggressorSide.SELL


@cache
def instrument_id(name: str) -> InstrumentId:
    """Return the engine's id of an instrument name."""
    return InstrumentId.from_str(name)


def instrument(contract: Contract, ts_ns: int) -> CryptoPerpetual:
    """Return the engine's instrument of a contract: linear, settled in its quote currency."""
    currency = Currency.from_str(contract.currency)
    return CryptoPerpetual(
        instrument_id(contract.name),
        Symbol(contract.symbol),
        Currency.from_str(contract.asset),
        currency,
        currency,
        False,
        contract.price_digits,
        contract.size_digits,
        Price.from_str(f"{contract.tick:f}"),
        Quantity.from_str(f"{contract.step:f}"),
        ts_ns,
        ts_ns,
        min_quantity=Quantity.from_str(f"{on_grid(contract.min_quantity, contract.size_digits, up=True):f}"),
        min_notional=Money(float(contract.min_notional), currency) if contract.min_notional else None,
        margin_init=Decimal("0.01"),
        margin_maint=Decimal("0.005"),
    )


def on_grid(value: Decimal, digits: int, *, up: bool = False) -> Decimal:
    """Return a value with exactly so many decimals; only rounding up loses nothing that matters here."""
    return value.quantize(_UNITS[digits], rounding=ROUND_CEILING if up else ROUND_HALF_EVEN)


def price(value: Decimal, contract: Contract) -> Price:
    """Return a price of the venue; one that is not on the contract's grid is refused."""
    digits = contract.price_digits
    if not value.same_quantum(_UNITS[digits]):
        value = _on_grid_or_refused(value, digits, contract, "price")
    return _price(value, digits)


def quantity(value: Decimal, contract: Contract) -> Quantity:
    """Return a quantity of the venue; one that is not on the contract's grid is refused."""
    digits = contract.size_digits
    if not value.same_quantum(_UNITS[digits]):
        value = _on_grid_or_refused(value, digits, contract, "quantity")
    return _quantity(value, digits)


_UNITS = tuple(Decimal(1).scaleb(-digits) for digits in range(MAX_PRECISION + 1))
# A float of a number with so many digits, and its product with 10**digits, are less than half a unit off: the
# engine, which rounds to the digits, gets the exact number, six times as fast as by text.
_EXACT_DIGITS = 15


def _price(value: Decimal, digits: int) -> Price:
    """Return a price that is on the grid."""
    if value.adjusted() + digits < _EXACT_DIGITS:
        return Price(float(value), digits)
    return Price.from_str(f"{value:f}")


def _quantity(value: Decimal, digits: int) -> Quantity:
    """Return a quantity that is on the grid."""
    if value.adjusted() + digits < _EXACT_DIGITS:
        return Quantity(float(value), digits)
    return Quantity.from_str(f"{value:f}")


def _size(value: Decimal, digits: int) -> Quantity:
    """Return a quantity of the market, rounded to the grid of orders."""
    unit = _UNITS[digits]
    return _quantity(value if value.same_quantum(unit) else on_grid(value, digits), digits)


def _on_grid_or_refused(value: Decimal, digits: int, contract: Contract, what: str) -> Decimal:
    rounded = value.quantize(_UNITS[digits])
    if rounded == value:
        return rounded
    # JSON numbers such as 64879.99999999999 are the venue's own floats: a hair off the grid is on it.
    if abs(rounded - value) > Decimal(1).scaleb(-digits - 4):
        raise MalformedAnswer(
            f"{contract.symbol}: a {what} is not on the contract's grid",
            found=f"{value:f}",
            expected=f"at most {digits} decimals",
        )
    return rounded


def bar(row: Kline, bar_type: BarType, contract: Contract, minutes: int, ts_init: int) -> Bar:
    """Return a closed bar, stamped at its close."""
    return Bar(
        bar_type,
        price(row.open, contract),
        price(row.high, contract),
        price(row.low, contract),
        price(row.close, contract),
        _size(row.volume, contract.size_digits),
        (row.open_ms + minutes * MINUTE_MS) * MS,
        ts_init,
    )


def quote(row: BestRow, contract: Contract, ts_init: int) -> QuoteTick:
    """Return the best bid and ask."""
    return QuoteTick(
        instrument_id(contract.name),
        price(row.bid, contract),
        price(row.ask, contract),
        _size(row.bid_size, contract.size_digits),
        _size(row.ask_size, contract.size_digits),
        row.ts_ms * MS,
        ts_init,
    )


def depth(row: BookRow, contract: Contract, sequence: int, ts_init: int) -> OrderBookDepth:
    """Return the best levels of each side, at most ten."""
    bids = _levels(row.bids, OrderSide.BUY, contract)
    asks = _levels(row.asks, OrderSide.SELL, contract)
    return OrderBookDepth(
        instrument_id(contract.name),
        bids,
        asks,
        [1] * len(bids),
        [1] * len(asks),
        0,
        sequence,
        row.ts_ms * MS,
        ts_init,
    )


def _levels(
    levels: tuple[tuple[Decimal, Decimal], ...], side: OrderSide, contract: Contract
) -> list[BookOrder]:
    return [
        BookOrder(
            side,
            price(level, contract),
            _size(size, contract.size_digits),
            k,
        )
        for k, (level, size) in enumerate(levels[:DEPTH])
    ]


def trade(row: TradeRow, contract: Contract, ts_init: int) -> TradeTick:
    """Return a print."""
    return TradeTick(
        instrument_id(contract.name),
        price(row.price, contract),
        quantity(row.quantity, contract),
        _SELL if row.buyer_is_maker else _BUY,
        TradeId(row.trade_id),
        row.ts_ms * MS,
        ts_init,
    )


def mark_price(value: Decimal, contract: Contract, ts_ms: int, ts_init: int) -> MarkPriceUpdate:
    """Return a mark price."""
    return MarkPriceUpdate(instrument_id(contract.name), _rounded(value, contract), ts_ms * MS, ts_init)


def index_price(value: Decimal, contract: Contract, ts_ms: int, ts_init: int) -> IndexPriceUpdate:
    """Return an index price."""
    return IndexPriceUpdate(instrument_id(contract.name), _rounded(value, contract), ts_ms * MS, ts_init)


def _rounded(value: Decimal, contract: Contract) -> Price:
    # Mark and index are averages and may have more decimals than an order may have.
    return _price(on_grid(value, contract.price_digits), contract.price_digits)


def forming_funding(row: Premium, contract: Contract, ts_ms: int, ts_init: int) -> FundingRateUpdate:
    """Return the rate that is forming, with the moment at which it will be settled."""
    return FundingRateUpdate(
        instrument_id(contract.name),
        row.funding_rate,
        ts_ms * MS,
        ts_init,
        None if row.interval_hours is None else row.interval_hours * 60,
        row.next_funding_ms * MS,
    )


def settled_funding(row: FundingRow, contract: Contract, ts_init: int) -> FundingRateUpdate:
    """Return a rate that was settled."""
    return FundingRateUpdate(instrument_id(contract.name), row.rate, row.ts_ms * MS, ts_init)
