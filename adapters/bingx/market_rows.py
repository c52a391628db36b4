"""Market data payloads as frozen rows: pure, strict, in the venue's own units (base coins, USDT, ms).

Guarantees: what an object needs is checked, alone and against its neighbours (high and low of a bar, bid
below ask, the symbol that was asked for); unknown extra fields change nothing; a row never holds a guessed
value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from adapters.bingx.constants import VENUE
from adapters.live.errors import MalformedAnswer
from adapters.live.fields import (
    Row,
    as_number,
    integer,
    malformed,
    milliseconds,
    not_negative,
    number,
    positive,
    record,
    rows,
    some_rows,
    text,
    truth,
)
from adapters.live.fields import symbol as symbol_of
from adapters.live.rows import (
    MAX_PRECISION,
    BestRow,
    BookRow,
    Contract,
    FundingRow,
    Kline,
    Premium,
    TradeRow,
)
from adapters.live.timebase import MINUTE_MS

_LISTS, _PAIRS, _TEXTS = {list}, {2}, {str}
_PLAIN = r"[0-9]{1,15}(?:\.[0-9]{1,24})?"
_are_plain = re.compile(f"{_PLAIN}(?:,{_PLAIN})*").fullmatch


def contracts(data: object) -> tuple[dict[str, Contract], dict[str, MalformedAnswer]]:
    """Return the contracts by symbol, and by symbol what is wrong with those that cannot be used."""
    good: dict[str, Contract] = {}
    broken: dict[str, MalformedAnswer] = {}
    for k, raw in enumerate(rows(data, "contracts")):
        row = record(raw, f"contracts[{k}]")
        symbol = symbol_of(row, "symbol", f"contracts[{k}]")
        try:
            good[symbol] = contract(row)
        except MalformedAnswer as error:
            broken[symbol] = error
    return good, broken


def contract(row: Row) -> Contract:
    """Return one contract."""
    where = "contract"
    symbol = symbol_of(row, "symbol", where)
    asset, currency = text(row, "asset", where), text(row, "currency", where)
    if symbol != f"{asset}-{currency}":
        raise malformed(f"{where}.symbol", symbol, f"{asset}-{currency}")
    digits = []
    for key in ("pricePrecision", "quantityPrecision"):
        value = integer(row, key, where)
        if value > MAX_PRECISION:
            raise malformed(f"{where}.{key}", value, f"at most {MAX_PRECISION}")
        digits.append(value)
    fees = []
    for key in ("makerFeeRate", "takerFeeRate"):
        fee = number(row, key, where)
        if not -Decimal("0.01") < fee < Decimal("0.1"):
            raise malformed(f"{where}.{key}", fee, "a fraction between -0.01 and 0.1")
        fees.append(fee)
    return Contract(
        symbol,
        asset,
        currency,
        digits[0],
        digits[1],
        positive(row, "tradeMinQuantity", where),
        not_negative(row, "tradeMinUSDT", where),
        fees[0],
        fees[1],
        integer(row, "status", where),
        truth(row, "apiStateOpen", where),
        truth(row, "apiStateClose", where),
        f"{symbol}.{VENUE}",
        Decimal(1).scaleb(-digits[0]),
        Decimal(1).scaleb(-digits[1]),
    )


def klines(data: object, *, minutes: int = 1, time_key: str = "time") -> list[Kline]:
    """Return bars of a REST answer in time order (the venue sends the newest first); one row a time."""
    found: dict[int, Kline] = {}
    for k, raw in enumerate(rows(data, "klines")):
        where = f"klines[{k}]"
        row = record(raw, where)
        bar = _kline(row, where, ("open", "high", "low", "close", "volume"), time_key, minutes)
        if bar.open_ms in found and found[bar.open_ms] != bar:
            raise malformed(f"{where}.{time_key}", bar.open_ms, "one row for each time")
        found[bar.open_ms] = bar
    return [found[ms] for ms in sorted(found)]


def kline_frame(data: object, *, minutes: int = 1) -> list[Kline]:
    """Return the bars of a stream frame's `data`; the last one is forming."""
    return sorted(
        _kline(record(raw, "kline"), "kline", ("o", "h", "l", "c", "v"), "T", minutes)
        for raw in some_rows(data, "kline frame")
    )


def _kline(row: Row, where: str, keys: tuple[str, str, str, str, str], time_key: str, minutes: int) -> Kline:
    open_ms = milliseconds(row, time_key, where)
    if open_ms % (minutes * MINUTE_MS):
        raise malformed(f"{where}.{time_key}", open_ms, f"the open time of a bar of {minutes} minutes")
    opened, high, low, close = (positive(row, key, where) for key in keys[:4])
    if not low <= min(opened, close) <= max(opened, close) <= high:
        raise malformed(where, f"o {opened} h {high} l {low} c {close}", "low <= open, close <= high")
    return Kline(open_ms, opened, high, low, close, not_negative(row, keys[4], where))


def book(data: object, symbol: str, ts_ms: int | None = None) -> BookRow:
    """Return a book of a REST answer or a frame; the stream sends asks in either order, they are sorted."""
    row = record(data, "depth")
    if ts_ms is None:
        ts_ms = milliseconds(row, "T", "depth")
    # Quantities in coins where the venue gives both.
    coins = "Coin" if "bidsCoin" in row or "asksCoin" in row else ""
    bids = _levels(row, f"bids{coins}", reverse=True)
    asks = _levels(row, f"asks{coins}", reverse=False)
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise malformed("depth", f"bid {bids[0][0]} ask {asks[0][0]}", "the best bid below the best ask")
    return BookRow(symbol, ts_ms, bids, asks)


def book_frame(frame: Row, symbol: str) -> BookRow:
    """Return the book of a depth frame (`ts` beside `data`)."""
    return book(frame.get("data"), symbol, milliseconds(frame, "ts", "depth frame"))


def best_frame(frame: Row, symbol: str) -> BestRow | None:
    """Return the best levels of a depth frame, None if a side is empty; others are not looked at."""
    row = record(frame.get("data"), "depth")
    bids, asks = rows(row.get("bids"), "depth.bids"), rows(row.get("asks"), "depth.asks")
    if not bids or not asks:
        for key, levels in (("bids", bids), ("asks", asks)):
            if levels:
                _prices(levels, f"depth.{key}")
        return None
    prices = _prices([*bids, *asks], "depth")
    sides = prices[: len(bids)], prices[len(bids) :]
    bid, bid_size = bids[sides[0].index(max(sides[0]))]
    ask, ask_size = asks[sides[1].index(min(sides[1]))]
    best_bid, best_ask = Decimal(bid), Decimal(ask)
    if best_bid >= best_ask:
        raise malformed("depth", f"bid {best_bid} ask {best_ask}", "the best bid below the best ask")
    ts_ms = milliseconds(frame, "ts", "depth frame")
    sizes = _size(bid_size, "depth.bids"), _size(ask_size, "depth.asks")
    return BestRow(symbol, ts_ms, best_bid, sizes[0], best_ask, sizes[1])


def _prices(levels: Sequence[Any], where: str) -> list[float]:
    """Return the prices of levels, to compare them.

    Which level is the best depends on every price, so each must be one; a wrong one is never skipped.  All
    are looked at together: a step for each level would be most of the time that a book takes.
    """
    if {*map(type, levels)} != _LISTS or {*map(len, levels)} != _PAIRS:
        raise malformed(where, levels, "levels of price and quantity")
    texts = [price for price, _ in levels]
    if {*map(type, texts)} != _TEXTS or not _are_plain(",".join(texts)):
        raise malformed(where, texts, "prices as text")
    try:
        prices = [*map(float, texts)]
    except ValueError:  # two prices in one text
        raise malformed(where, texts, "prices as text") from None
    if min(prices) <= 0:
        raise malformed(where, min(prices), "prices above 0")
    return prices


def _size(value: object, where: str) -> Decimal:
    found = as_number(value, where)
    if found < 0:
        raise malformed(where, value, "a quantity of at least 0")
    return found


def _levels(row: Row, key: str, *, reverse: bool) -> tuple[tuple[Decimal, Decimal], ...]:
    found: list[tuple[Decimal, Decimal]] = []
    for k, level in enumerate(rows(row.get(key), f"depth.{key}")):
        where = f"depth.{key}[{k}]"
        pair = rows(level, where)
        if len(pair) != 2:
            raise malformed(where, pair, "price and quantity")
        price, quantity = as_number(pair[0], where), as_number(pair[1], where)
        if price <= 0 or quantity < 0:
            raise malformed(where, pair, "a price above 0 and a quantity of at least 0")
        if quantity:
            found.append((price, quantity))
    found.sort(reverse=reverse)
    if len({price for price, _ in found}) != len(found):
        raise malformed(f"depth.{key}", "a price twice", "one level a price")
    return tuple(found)


def trade_frame(data: object, symbol: str) -> list[TradeRow]:
    """Return the prints of a trade frame, oldest first; equal prints stay apart (ccxt drops them)."""
    seen: dict[tuple[object, ...], int] = {}
    found = []
    frame = some_rows(data, "trade frame")
    newest_first = len(frame) > 1 and _time_of(frame[0]) > _time_of(frame[-1])
    at, ts = None, 0  # the prints of a frame share few moments and prices
    price_text, price = "", Decimal(0)
    for raw in reversed(frame) if newest_first else frame:
        row = record(raw, "trade")
        if row.get("s") != symbol:
            raise malformed("trade.s", row.get("s"), symbol)
        if type(row.get("T")) is not int or row["T"] != at:
            ts, at = milliseconds(row, "T", "trade"), row["T"]
        if not price_text or row.get("p") != price_text:
            price = positive(row, "p", "trade")
            price_text = row["p"] if type(row["p"]) is str else ""
        quantity, maker = positive(row, "q", "trade"), truth(row, "m", "trade")
        # By their texts, which the name holds too: the hash of a new Decimal takes as long as all the rest.
        key = ts, row["p"], row["q"], maker
        seen[key] = ordinal = seen.get(key, -1) + 1
        name = f"{ts}-{row['p']}-{row['q']}-{'S' if maker else 'B'}-{ordinal}"[:36]
        found.append(TradeRow(symbol, ts, price, quantity, maker, name))
    return found


def _time_of(raw: object) -> int:
    return milliseconds(record(raw, "trade"), "T", "trade")


def trades(data: object, symbol: str) -> list[TradeRow]:
    """Return the prints of a REST answer, oldest first."""
    found = []
    for k, raw in enumerate(rows(data, "trades")):
        where = f"trades[{k}]"
        row = record(raw, where)
        ts, price = milliseconds(row, "time", where), positive(row, "price", where)
        quantity, maker = positive(row, "qty", where), truth(row, "isBuyerMaker", where)
        given = row.get("fillId")
        trade_id = (
            str(integer(row, "fillId", where)) if given not in (None, "") else f"{ts}-{price}-{quantity}-{k}"
        )
        found.append(TradeRow(symbol, ts, price, quantity, maker, trade_id[:36]))
    return sorted(found, key=lambda trade: trade.ts_ms)


def premiums(data: object) -> dict[str, Premium]:
    """Return mark, index and forming funding by symbol; the venue sends one object or a list."""
    found = [premium(record(raw, "premium index")) for raw in (data if isinstance(data, list) else [data])]
    return {row.symbol: row for row in found}


def premium(row: Row) -> Premium:
    """Return one row of the premium index."""
    where = "premium index"
    interval = None
    if row.get("fundingIntervalHours") not in (None, ""):
        interval = integer(row, "fundingIntervalHours", where)
        if interval not in (1, 2, 4, 8, 24):
            raise malformed(f"{where}.fundingIntervalHours", interval, "1, 2, 4, 8 or 24")
    return Premium(
        symbol_of(row, "symbol", where),
        positive(row, "markPrice", where),
        positive(row, "indexPrice", where),
        _rate(row, "lastFundingRate", where),
        milliseconds(row, "nextFundingTime", where),
        interval,
    )


def funding(data: object, symbol: str) -> list[FundingRow]:
    """Return settled rates, oldest first; the venue says null where it has none."""
    found = {}
    for k, raw in enumerate(rows([] if data is None else data, "funding rates")):
        where = f"funding rates[{k}]"
        row = record(raw, where)
        if symbol_of(row, "symbol", where) != symbol:
            raise malformed(f"{where}.symbol", row["symbol"], symbol)
        ts = milliseconds(row, "fundingTime", where)
        found[ts] = FundingRow(symbol, ts, _rate(row, "fundingRate", where))
    return [found[ts] for ts in sorted(found)]


def _rate(row: Row, key: str, where: str) -> Decimal:
    rate = number(row, key, where)
    if not -1 < rate < 1:
        raise malformed(f"{where}.{key}", rate, "a fraction between -1 and 1")
    return rate


def mark_price_frame(data: object, symbol: str) -> tuple[int, Decimal]:
    """Return time in ms and price of a mark price frame."""
    row = record(data, "mark price")
    if text(row, "s", "mark price") != symbol:
        raise malformed("mark price.s", row["s"], symbol)
    return milliseconds(row, "E", "mark price"), positive(row, "p", "mark price")
