"""What the venue pushes: user events and market frames, in the shapes of the captures."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.fakes.bingx.account import Position
from tests.fakes.bingx.contracts import ZERO
from tests.fakes.bingx.minutes import Minutes
from tests.fakes.bingx.orders import Fill, Order

if TYPE_CHECKING:
    from tests.fakes.bingx.market import Market, Print
    from tests.fakes.bingx.venue import Venue

Payload = dict[str, Any]

_WIRE_STATUS = {"CANCELLED": "CANCELED", "PENDING": "NEW"}


def _eight(value: Decimal) -> str:
    return f"{value:.8f}"


def order_update(venue: Venue, order: Order, execution: str, fill: Fill | None = None) -> Payload:
    """Return an ORDER_TRADE_UPDATE; `execution` is NEW, TRADE, CANCELED, EXPIRED or CALCULATED."""
    settings = venue.settings
    body: Payload = {
        "s": order.symbol,
        "c": order.client_id,
        "i": str(order.id) if settings.text_ids else order.id,
        "S": order.side,
        "o": order.type,
        "q": _eight(order.quantity),
        "p": _eight(order.price),
        "sp": _eight(order.stop_price),
        "ap": _eight(order.average),
        "x": execution,
        "X": _WIRE_STATUS.get(order.status, order.status),
        "N": settings.fee_asset or settings.asset,
        "n": _eight(-fill.fee if fill else ZERO),
        "T": fill.time_ms if fill else 0,
        "wt": order.working_type,
        "ps": order.position_side,
        "rp": _eight(fill.realised if fill else ZERO),
        "z": _eight(order.filled),
        "sg": "false",
        "ti": order.trigger_order_id,
        "ro": order.reduce_only,
        "td": fill.trade_id if fill else 0,
        "tv": _eight(fill.price * fill.quantity) if fill else "0",
    }
    if settings.fill_fields:
        body["l"] = _eight(fill.quantity if fill else ZERO)
        body["L"] = _eight(fill.price if fill else ZERO)
    now = venue.time_ms
    return {"e": settings.trade_update_name, "E": now, "T": now, "o": body}


def account_update(venue: Venue, reason: str, change: Decimal, positions: list[Position]) -> Payload:
    """Return an ACCOUNT_UPDATE: the balance, what changed it besides trading, positions touched."""
    account = venue.account
    balance = {
        "a": account.asset,
        "wb": _eight(account.balance),
        "cw": _eight(account.balance),
        "bc": _eight(change),
    }
    rows = [
        {
            "s": p.symbol,
            "pa": _eight(p.amount if p.side == "BOTH" and venue.settings.signed_one_way_amount else p.size),
            "ep": _eight(p.average),
            "up": _eight(p.unrealised(venue.mark(p.symbol))),
            "mt": "cross" if account.margin_type(p.symbol) == "CROSSED" else "isolated",
            "iw": _eight(p.margin),
            "ps": p.side,
            "cr": _eight(p.realised),
        }
        for p in positions
    ]
    now = venue.time_ms
    return {"e": "ACCOUNT_UPDATE", "E": now, "T": now, "a": {"m": reason, "B": [balance], "P": rows}}


def config_update(venue: Venue, symbol: str) -> Payload:
    """Return an ACCOUNT_CONFIG_UPDATE of one symbol."""
    account = venue.account
    long, short = ("LONG", "SHORT") if account.hedge else ("BOTH", "BOTH")
    kind = "cross" if account.margin_type(symbol) == "CROSSED" else "isolated"
    return {
        "e": "ACCOUNT_CONFIG_UPDATE",
        "E": venue.time_ms,
        "ac": {
            "s": symbol,
            "l": account.leverage(symbol, long),
            "S": account.leverage(symbol, short),
            "mt": kind,
        },
    }


def trades(symbol: str, prints: list[Print]) -> Payload:
    """Return a trade frame, newest first; `m`: the buyer was the maker."""
    rows = [
        {"q": f"{p.quantity:f}", "p": f"{p.price:f}", "T": p.time_ms, "m": p.buyer_is_maker, "s": symbol}
        for p in reversed(prints)
    ]
    return {"code": 0, "dataType": f"{symbol}@trade", "data": rows}


def kline(market: Market, interval: str, bars: Minutes) -> Payload:
    """Return the newest bar as a kline frame; T is its OPEN time and nothing says whether it is closed."""
    row = kline_row(market, bars, len(bars) - 1)
    data = {"c": row["close"], "o": row["open"], "h": row["high"], "l": row["low"], "v": row["volume"]}
    symbol = market.contract.symbol
    return {
        "code": 0,
        "dataType": f"{symbol}@kline_{interval}",
        "s": symbol,
        "data": [{**data, "T": row["time"]}],
    }


def kline_row(market: Market, bars: Minutes, n: int) -> Payload:
    """Return one bar with the strings of the venue."""
    digits, size_digits = market.contract.price_precision, market.contract.quantity_precision
    return {
        "open": f"{bars.open[n]:.{digits}f}",
        "close": f"{bars.close[n]:.{digits}f}",
        "high": f"{bars.high[n]:.{digits}f}",
        "low": f"{bars.low[n]:.{digits}f}",
        "volume": f"{bars.volume[n]:.{size_digits}f}",
        "time": int(bars.time_ms[n]),
    }


def depth_sides(venue: Venue, symbol: str, levels: int) -> tuple[list[list[str]], list[list[str]]]:
    """Return bids and asks, best first, as text."""
    market, book = venue.markets[symbol], venue.books[symbol]
    contract = market.contract
    sides = []
    for buy_side in (True, False):
        rows = book.side(buy_side, market.last, venue.time_ms, levels)
        sides.append([[contract.price_text(price), contract.quantity_text(size)] for price, size in rows])
    return sides[0], sides[1]


def depth(venue: Venue, symbol: str, topic: str, levels: int) -> Payload:
    """Return a partial book; the asks come worst first in some captures."""
    bids, asks = depth_sides(venue, symbol, levels)
    if venue.settings.asks_worst_first:
        asks = asks[::-1]
    return {"code": 0, "dataType": topic, "ts": venue.time_ms, "data": {"bids": bids, "asks": asks}}


def book_ticker(venue: Venue, symbol: str, time_ms: int | None = None) -> Payload:
    """Return the touch; `time_ms` makes it as stale as real ones can be."""
    bids, asks = depth_sides(venue, symbol, 1)
    stamp = venue.time_ms if time_ms is None else time_ms
    data = {"e": "bookTicker", "u": stamp % 10**9, "E": venue.time_ms, "T": stamp, "s": symbol}
    data |= {"b": bids[0][0], "B": bids[0][1], "a": asks[0][0], "A": asks[0][1]}
    return {"code": 0, "dataType": f"{symbol}@bookTicker", "data": data}


def mark_price(venue: Venue, symbol: str) -> Payload:
    price = venue.markets[symbol].contract.price_text(venue.mark(symbol))
    data = {"e": "markPriceUpdate", "E": venue.time_ms, "s": symbol, "p": price}
    return {"code": 0, "dataType": f"{symbol}@markPrice", "data": data}


def last_price(venue: Venue, symbol: str) -> Payload:
    market = venue.markets[symbol]
    price = market.contract.price_text(market.last)
    data = {"e": "lastPriceUpdate", "E": venue.time_ms, "s": symbol, "p": price, "c": price}
    return {"code": 0, "dataType": f"{symbol}@lastPrice", "data": data}


def ticker(venue: Venue, symbol: str) -> Payload:
    """Return the 24-hour ticker frame."""
    from tests.fakes.bingx.views import ticker_row

    row = ticker_row(venue, symbol)
    data = {
        "e": "24hTicker",
        "E": venue.time_ms,
        "s": symbol,
        "p": row["priceChange"],
        "P": row["priceChangePercent"].rstrip("%"),
        "c": row["lastPrice"],
        "L": row["lastQty"],
        "h": row["highPrice"],
        "l": row["lowPrice"],
        "v": row["volume"],
        "q": row["quoteVolume"],
        "o": row["openPrice"],
        "O": row["openTime"],
        "C": row["closeTime"],
        "A": row["askPrice"],
        "a": row["askQty"],
        "B": row["bidPrice"],
        "b": row["bidQty"],
    }
    return {"code": 0, "dataType": f"{symbol}@ticker", "data": data}
