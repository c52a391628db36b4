"""Market data over REST."""

from __future__ import annotations

from typing import Any

from tests.fakes.bingx import frames, upkeep, views
from tests.fakes.bingx.errors import invalid
from tests.fakes.bingx.minutes import HOUR_MS, INTERVALS, LONGEST_RETENTION_MS, Minutes
from tests.fakes.bingx.routing import Route, integer
from tests.fakes.bingx.rules import Params
from tests.fakes.bingx.venue import Venue

DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
_FUNDING_START_MS = 1_606_608_000_000  # 2020-11-29, where Bitcoin's history begins


def server_time(venue: Venue, params: Params) -> Any:
    return {"serverTime": venue.time_ms}


def contracts(venue: Venue, params: Params) -> Any:
    wanted = params.get("symbol")
    return [c.row() for c in venue.contracts if wanted in (None, "", c.symbol)]


def klines(venue: Venue, params: Params) -> Any:
    """Return bars newest first, the forming one among them, in [startTime, endTime)."""
    bars, market = _bars(venue, params)
    return [frames.kline_row(market, bars, n) for n in reversed(range(len(bars)))]


def mark_klines(venue: Venue, params: Params) -> Any:
    """Return bars of the mark price: those of the last price, moved by the premium of the mark."""
    bars, market = _bars(venue, params)
    rows = []
    for n in reversed(range(len(bars))):
        row = frames.kline_row(market, bars, n)
        stamp = row.pop("time")
        rows.append({**row, "volume": "0", "openTime": stamp, "closeTime": stamp})
    return rows


def _bars(venue: Venue, params: Params) -> tuple[Minutes, Any]:
    contract = venue.contracts.get(params.get("symbol"))
    interval = params.get("interval", "")
    if interval not in INTERVALS:
        raise invalid("interval")
    limit = integer(params, "limit", 500)
    if not 1 <= limit <= 1440:
        raise invalid("limit")
    start = integer(params, "startTime", None)
    end = integer(params, "endTime", None)
    limit = min(limit, venue.settings.klines_cap)
    if start is not None and end is None and venue.settings.klines_start_only == "oldest":
        end = min(venue.time_ms + 1, start + limit * INTERVALS[interval])
    market = venue.markets[contract.symbol]
    return market.klines(interval, venue.time_ms, start, end, limit), market


def depth(venue: Venue, params: Params) -> Any:
    contract = venue.contracts.get(params.get("symbol"))
    limit = integer(params, "limit", 20)
    if limit not in DEPTHS:
        raise invalid("limit", "must be one of [5, 10, 20, 50, 100, 500, 1000]")
    bids, asks = frames.depth_sides(venue, contract.symbol, limit)
    return {"T": venue.time_ms, "bids": bids, "asks": asks, "bidsCoin": bids, "asksCoin": asks}


def trades(venue: Venue, params: Params) -> Any:
    contract = venue.contracts.get(params.get("symbol"))
    limit = integer(params, "limit", 500)
    if not 1 <= limit <= 1000:
        raise invalid("limit")
    return [
        {
            "time": p.time_ms,
            "isBuyerMaker": p.buyer_is_maker,
            "price": f"{p.price:f}",
            "qty": f"{p.quantity:f}",
            "quoteQty": f"{p.price * p.quantity:.2f}",
            "fillId": str(p.id),
        }
        for p in list(venue.markets[contract.symbol].prints)[:limit]
    ]


def historical_trades(venue: Venue, params: Params) -> Any:
    """Return trades from an id on, at most 100."""
    since = integer(params, "fromId", 0)
    rows = [row for row in trades(venue, {**params, "limit": "1000"}) if int(row["fillId"]) >= since]
    return rows[-min(integer(params, "limit", 100), 100) :]


def ticker(venue: Venue, params: Params) -> Any:
    if params.get("symbol"):
        return views.ticker_row(venue, venue.contracts.get(params["symbol"]).symbol)
    return [views.ticker_row(venue, symbol) for symbol in venue.contracts.symbols]


def book_ticker(venue: Venue, params: Params) -> Any:
    symbol = venue.contracts.get(params.get("symbol")).symbol
    bids, asks = frames.depth_sides(venue, symbol, 1)
    (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
    row = {"symbol": symbol, "bid_price": float(bid), "bid_qty": float(bid_size)}
    return {"book_ticker": row | {"ask_price": float(ask), "ask_qty": float(ask_size)}}


def premium(venue: Venue, params: Params) -> Any:
    """Return mark, index and funding of one symbol (a dict) or of all (a list)."""

    def row(symbol: str) -> dict[str, Any]:
        contract, market = venue.contracts.get(symbol), venue.markets[symbol]
        settled = venue.time_ms // (contract.funding_hours * HOUR_MS) * contract.funding_hours * HOUR_MS
        return {
            "symbol": symbol,
            "markPrice": contract.price_text(venue.mark(symbol)),
            "indexPrice": contract.price_text(market.last),
            "lastFundingRate": f"{venue.source.funding(contract, settled):.8f}",
            "nextFundingTime": upkeep.next_funding_ms(contract.funding_hours, venue.time_ms),
            "fundingIntervalHours": contract.funding_hours,
            "minFundingRate": "-0.003",
            "maxFundingRate": "0.003",
            "updateTime": venue.time_ms,
        }

    if params.get("symbol"):
        return row(venue.contracts.get(params["symbol"]).symbol)
    return [row(symbol) for symbol in venue.contracts.symbols]


def funding(venue: Venue, params: Params) -> Any:
    """Return settled rates, newest first; nothing in the range is null, not an empty list."""
    contract = venue.contracts.get(params.get("symbol"))
    limit = integer(params, "limit", 100)
    if not 1 <= limit <= 1000:
        raise invalid("limit")
    step = contract.funding_hours * HOUR_MS
    oldest = max(_FUNDING_START_MS, contract.launch_ms, venue.time_ms - LONGEST_RETENTION_MS)
    first = max(integer(params, "startTime", oldest), oldest)
    last = min(integer(params, "endTime", venue.time_ms), venue.time_ms) // step * step
    rows: list[dict[str, Any]] = []
    while last >= first and len(rows) < limit:
        rate = venue.source.funding(contract, last)
        rows.append({"symbol": contract.symbol, "fundingRate": f"{rate:.8f}", "fundingTime": last})
        last -= step
    return rows or None


def open_interest(venue: Venue, params: Params) -> Any:
    contract = venue.contracts.get(params.get("symbol"))
    value = 50_000 * float(contract.level_quantity) * float(venue.markets[contract.symbol].last)
    return {"openInterest": f"{value:.2f}", "symbol": contract.symbol, "time": venue.time_ms}


ROUTES = (
    Route("GET", "/swap/v2/server/time", server_time, signed=False),
    Route("GET", "/swap/v2/quote/contracts", contracts, signed=False),
    Route("GET", "/swap/v3/quote/klines", klines, signed=False),
    Route("GET", "/swap/v2/quote/klines", klines, signed=False),
    Route("GET", "/swap/v1/market/markPriceKlines", mark_klines, signed=False),
    Route("GET", "/swap/v2/quote/depth", depth, signed=False),
    Route("GET", "/swap/v2/quote/trades", trades, signed=False),
    Route("GET", "/swap/v1/market/historicalTrades", historical_trades, signed=False),
    Route("GET", "/swap/v2/quote/ticker", ticker, signed=False),
    Route("GET", "/swap/v2/quote/bookTicker", book_ticker, signed=False),
    Route("GET", "/swap/v2/quote/premiumIndex", premium, signed=False),
    Route("GET", "/swap/v2/quote/fundingRate", funding, signed=False),
    Route("GET", "/swap/v2/quote/openInterest", open_interest, signed=False),
)
