"""ccxt's unified structures as rows: pure and strict, since ccxt turns what it cannot read into None.

Guarantees: a value that an object depends on is there, finite and plausible, or `MalformedAnswer` is raised
with its path; what an exchange does not have is None, never zero; floats become decimals by their shortest
text, which is what the exchange wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from adapters.live.errors import MalformedAnswer
from adapters.live.fields import (
    Row,
    as_number,
    choice,
    malformed,
    milliseconds,
    not_negative,
    number,
    number_or_none,
    positive,
    record,
    rows,
    text,
)
from adapters.live.rows import (
    MAX_PRECISION,
    ONLINE,
    BestRow,
    Contract,
    FundingRow,
    Kline,
    Premium,
    TradeRow,
)
from adapters.live.timebase import MINUTE_MS

TICK_SIZE = 4  # ccxt's precision modes: a step, or a number of decimals
DECIMAL_PLACES = 2
_COIN = re.compile(r"[A-Z0-9]{1,20}")
_BARS = ("open", "high", "low", "close", "volume")


def symbol_of(market: Row) -> str:
    """Return our symbol of a market: BTCUSDT-PERP of BTC/USDT:USDT."""
    return f"{text(market, 'base', 'market')}{text(market, 'quote', 'market')}-PERP"


def is_linear_perpetual(market: object) -> bool:
    """Whether a market is a perpetual that settles in its quote currency."""
    return (
        isinstance(market, dict)
        and market.get("swap") is True
        and market.get("linear") is True
        and isinstance(market.get("quote"), str)
        and market.get("settle") == market.get("quote")
    )


def contracts(
    markets: Mapping[str, Any], place: str, precision_mode: int
) -> tuple[dict[str, Contract], dict[str, MalformedAnswer], dict[str, str]]:
    """Return contracts by our symbol, what is wrong with the unusable ones, and ccxt's symbol of each."""
    good: dict[str, Contract] = {}
    broken: dict[str, MalformedAnswer] = {}
    unified: dict[str, str] = {}
    for key, market in markets.items():
        if not is_linear_perpetual(market):
            continue
        symbol = symbol_of(market)
        if symbol in unified:
            broken[symbol] = malformed(f"market {symbol}", f"{unified[symbol]} and {key}", "one market")
            good.pop(symbol, None)
            continue
        unified[symbol] = key
        try:
            good[symbol] = contract(market, place, precision_mode)
        except MalformedAnswer as error:
            broken[symbol] = error
    return good, broken, unified


def contract(market: Row, place: str, precision_mode: int) -> Contract:
    """Return one contract; quantities in contracts instead of base coins are refused."""
    where = f"market {market.get('symbol')}"
    base, quote = text(market, "base", where), text(market, "quote", where)
    for coin in (base, quote):
        if not _COIN.fullmatch(coin):
            raise malformed(where, coin, "a coin in capital letters and digits")
    size = number_or_none(market, "contractSize", where)
    if size is not None and size != 1:
        raise malformed(f"{where}.contractSize", size, "1: quantities in base coins")
    precision = record(market.get("precision"), f"{where}.precision")
    tick = _step(precision, "price", where, precision_mode)
    step = _step(precision, "amount", where, precision_mode)
    limits = record(market.get("limits"), f"{where}.limits")
    smallest = number_or_none(record(limits.get("amount"), f"{where}.limits.amount"), "min", where)
    notional = number_or_none(record(limits.get("cost"), f"{where}.limits.cost"), "min", where)
    active = market.get("active") is not False
    symbol = symbol_of(market)
    return Contract(
        symbol, base, quote, _digits(tick), _digits(step), max(smallest or step, step),
        notional or Decimal(0), _fee(market, "maker", where), _fee(market, "taker", where),
        ONLINE if active else 0, active, active, f"{symbol}.{place}", tick, step,
    )  # fmt: skip


def _step(precision: Row, key: str, where: str, mode: int) -> Decimal:
    value = positive(precision, key, f"{where}.precision") if mode == TICK_SIZE else None
    if value is None and mode == DECIMAL_PLACES:
        digits = not_negative(precision, key, f"{where}.precision")
        if digits == int(digits) and digits <= MAX_PRECISION:
            value = Decimal(1).scaleb(-int(digits))
    if value is None or _digits(value) > MAX_PRECISION:
        raise malformed(f"{where}.precision.{key}", precision.get(key), "a step of at most 16 decimals")
    return value


def _digits(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else MAX_PRECISION + 1


def _fee(market: Row, key: str, where: str) -> Decimal:
    fee = number_or_none(market, key, where)
    if fee is None or not -Decimal("0.01") < fee < Decimal("0.1"):
        raise malformed(f"{where}.{key}", fee, "a fraction between -0.01 and 0.1")
    return fee


def klines(answer: object, minutes: int, start_ms: int, end_ms: int) -> list[Kline]:
    """Return the bars of [start_ms, end_ms) in time order; the forming one may be the last."""
    found: dict[int, Kline] = {}
    for k, raw in enumerate(rows(answer, "bars")):
        where = f"bars[{k}]"
        if not isinstance(raw, list) or len(raw) < 6:
            raise malformed(where, raw, "time, open, high, low, close, volume")
        row = {"time": raw[0], **dict(zip(_BARS, raw[1:6], strict=True))}
        open_ms = milliseconds(row, "time", where)
        if open_ms % (minutes * MINUTE_MS):
            raise malformed(f"{where}.time", open_ms, f"the open time of a bar of {minutes} minutes")
        opened, high, low, close = (positive(row, key, where) for key in _BARS[:4])
        if not low <= min(opened, close) <= max(opened, close) <= high:
            raise malformed(where, f"o {opened} h {high} l {low} c {close}", "low <= open, close <= high")
        bar = Kline(open_ms, opened, high, low, close, not_negative(row, "volume", where))
        if found.setdefault(open_ms, bar) != bar:
            raise malformed(f"{where}.time", open_ms, "one row for each time")
    return [found[ms] for ms in sorted(found) if start_ms <= ms < end_ms]


def premium(answer: object, symbol: str) -> Premium:
    """Return mark price, index price where there is one, and the rate that is forming."""
    where = f"funding rate of {symbol}"
    row = record(answer, where)
    index = number_or_none(row, "indexPrice", where)
    return Premium(
        symbol,
        positive(row, "markPrice", where),
        index,
        rate(row, "fundingRate", where),
        milliseconds(row, "fundingTimestamp", where),
        _hours(row.get("interval")),
    )


def _hours(interval: object) -> int | None:
    if isinstance(interval, str) and re.fullmatch(r"[0-9]{1,2}h", interval):
        return int(interval[:-1])
    return None


def rate(row: Row, key: str, where: str) -> Decimal:
    """Return a funding rate."""
    value = number(row, key, where)
    if not -1 < value < 1:
        raise malformed(f"{where}.{key}", value, "a fraction between -1 and 1")
    return value


def settled(answer: object, symbol: str, start_ms: int, end_ms: int) -> list[FundingRow]:
    """Return the settled rates of [start_ms, end_ms), oldest first."""
    found: dict[int, FundingRow] = {}
    for k, raw in enumerate(rows(answer, "funding rates")):
        where = f"funding rates[{k}]"
        row = record(raw, where)
        ts = milliseconds(row, "timestamp", where)
        found[ts] = FundingRow(symbol, ts, rate(row, "fundingRate", where))
    return [found[ts] for ts in sorted(found) if start_ms <= ts < end_ms]


_SIDES: Mapping[str, bool] = {"buy": False, "sell": True}


def trades(answer: Iterable[object], symbol: str) -> list[TradeRow]:
    """Return prints, oldest first; two without an id that are alike stay two."""
    found: list[TradeRow] = []
    seen: dict[tuple[object, ...], int] = {}
    for k, raw in enumerate(answer):
        where = f"trades[{k}]"
        row = record(raw, where)
        ts, price = milliseconds(row, "timestamp", where), positive(row, "price", where)
        amount, maker = positive(row, "amount", where), choice(row, "side", where, _SIDES)
        given = row.get("id")
        key = (ts, price, amount, maker)
        seen[key] = ordinal = seen.get(key, -1) + 1
        made = f"{ts}-{price}-{amount}-{'S' if maker else 'B'}-{ordinal}"
        name = given if isinstance(given, str) and given else made
        found.append(TradeRow(symbol, ts, price, amount, maker, name[:36]))
    return sorted(found, key=lambda trade: trade.ts_ms)


def best(answer: object, symbol: str, now_ms: int) -> BestRow | None:
    """Return best bid and ask of a ticker, None if a side is empty; exchanges without a stamp: now."""
    where = f"quote of {symbol}"
    row = record(answer, where)
    bid, ask = number_or_none(row, "bid", where), number_or_none(row, "ask", where)
    if bid is None or ask is None:
        return None
    if not 0 < bid < ask:
        raise malformed(where, f"bid {bid} ask {ask}", "the best bid below the best ask")
    ts = now_ms if row.get("timestamp") is None else milliseconds(row, "timestamp", where)
    sizes = [_size(row, key, where) for key in ("bidVolume", "askVolume")]
    return BestRow(symbol, ts, bid, sizes[0], ask, sizes[1])


def _size(row: Row, key: str, where: str) -> Decimal:
    value = row.get(key)
    return Decimal(0) if value is None else as_number(value, f"{where}.{key}")
