"""Account, positions, leverage and modes over REST."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.fakes.bingx import views
from tests.fakes.bingx.contracts import TIERS, text
from tests.fakes.bingx.errors import VenueError, invalid
from tests.fakes.bingx.minutes import DAY_MS
from tests.fakes.bingx.routing import Bare, Route, integer
from tests.fakes.bingx.rules import Params
from tests.fakes.bingx.venue import Venue

VST_GRANT = 20_000


def balance(venue: Venue, params: Params) -> Any:
    return views.balances(venue)


def positions(venue: Venue, params: Params) -> Any:
    return [views.position(venue, p) for p in venue.account.open_positions(params.get("symbol"))]


def leverage(venue: Venue, params: Params) -> Any:
    contract = venue.contracts.get(params.get("symbol"))
    long, short = ("LONG", "SHORT") if venue.account.hedge else ("BOTH", "BOTH")
    return {
        "longLeverage": venue.account.leverage(contract.symbol, long),
        "shortLeverage": venue.account.leverage(contract.symbol, short),
        "maxLongLeverage": contract.max_leverage,
        "maxShortLeverage": contract.max_leverage,
        "availableLongVol": "0.0000",
        "availableShortVol": "0.0000",
        "availableLongVal": "0.0",
        "availableShortVal": "0.0",
        "maxPositionLongVal": "0.0",
        "maxPositionShortVal": "0.0",
    }


def set_leverage(venue: Venue, params: Params) -> Any:
    contract = venue.contracts.get(params.get("symbol"))
    wanted = integer(params, "leverage", 0)
    venue.account.set_leverage(contract.symbol, params.get("side", ""), wanted)
    zero = dict.fromkeys(
        ("availableLongVol", "availableShortVol", "availableLongVal", "availableShortVal"), "0"
    )
    return {"leverage": wanted, "symbol": contract.symbol, **zero}


def margin_type(venue: Venue, params: Params) -> Any:
    return {"marginType": venue.account.margin_type(venue.contracts.get(params.get("symbol")).symbol)}


def set_margin_type(venue: Venue, params: Params) -> Any:
    symbol = venue.contracts.get(params.get("symbol")).symbol
    if venue.working(symbol):
        raise VenueError(109401, "The margin mode cannot be switched while there are open orders.")
    venue.account.set_margin_type(symbol, params.get("marginType", ""))
    return Bare()


def dual(venue: Venue, params: Params) -> Any:
    return {"dualSidePosition": "true" if venue.account.hedge else "false"}


def set_dual(venue: Venue, params: Params) -> Any:
    if params.get("dualSidePosition") not in ("true", "false"):
        raise invalid("dualSidePosition")
    venue.set_mode(params["dualSidePosition"] == "true")
    return dual(venue, params)


def commission(venue: Venue, params: Params) -> Any:
    contract = next(iter(venue.contracts))
    fees = {
        "takerCommissionRate": float(contract.taker_fee),
        "makerCommissionRate": float(contract.maker_fee),
    }
    return {"commission": fees}


def income(venue: Venue, params: Params) -> Any:
    """Return what moved the balance, newest first: 7 days by default."""
    end = integer(params, "endTime", venue.time_ms)
    start = integer(params, "startTime", end - 7 * DAY_MS)
    limit = integer(params, "limit", 100)
    shown_ms = venue.time_ms - venue.settings.income_delay_ms
    kept = [
        row
        for row in venue.account.income
        if start <= row.time_ms <= min(end, shown_ms)
        and params.get("symbol") in (None, "", row.symbol)
        and params.get("incomeType") in (None, "", row.kind)
    ]
    return [
        {
            "symbol": row.symbol,
            "incomeType": row.kind,
            "income": f"{row.amount:.4f}",
            "asset": row.asset,
            "info": row.info,
            "time": row.time_ms,
            "tranId": str(row.id),
            "tradeId": str(row.id),
        }
        for row in reversed(kept[-limit:])
    ]


def position_history(venue: Venue, params: Params) -> Any:
    symbol = venue.contracts.get(params.get("symbol")).symbol
    start, end = integer(params, "startTs", 0), integer(params, "endTs", venue.time_ms)
    rows = [r for r in venue.account.closed if r["symbol"] == symbol and start <= r["updateTime"] <= end]
    return {"positionHistory": rows[::-1], "total": len(rows)}


def get_vst(venue: Venue, params: Params) -> Any:
    """Grant virtual money, to a poor account only."""
    if venue.settings.host != "vst":
        raise VenueError(100400, "this api is not exist")
    if venue.account.balance >= VST_GRANT:
        raise VenueError(109400, f"VST can be claimed only when the balance is below {VST_GRANT}")
    venue.account.book(venue.time_ms, "TRANSFER", Decimal(VST_GRANT), "", "VST")
    return Bare({"timestamp": venue.time_ms, "data": {"amount": VST_GRANT}})


def tiers(venue: Venue, params: Params) -> Any:
    contract = venue.contracts.get(params.get("symbol"))
    floors = ["0", *(text(tier.up_to) for tier in TIERS)]
    return [
        {
            "tier": f"Tier {n + 1}",
            "symbol": contract.symbol,
            "minPositionVal": floors[n],
            "maxPositionVal": text(tier.up_to),
            "maintMarginRatio": text(tier.rate),
            "maintAmount": text(tier.deduction),
        }
        for n, tier in enumerate(TIERS)
    ]


def trading_rules(venue: Venue, params: Params) -> Any:
    contract = venue.contracts.get(params.get("symbol"))
    return {
        "symbol": contract.symbol,
        "minSizeCoin": text(contract.min_quantity),
        "minSizeUsd": text(contract.min_notional),
        "maxNumOrder": str(venue.settings.open_orders),
        "protectionThreshold": "0.05",
        "buyMaxPrice": "0.3",
        "buyMinPrice": "0.99",
        "sellMaxPrice": "99",
        "sellMinPrice": "0.3",
    }


ROUTES = (
    Route("GET", "/swap/v3/user/balance", balance),
    Route("GET", "/swap/v2/user/positions", positions),
    Route("GET", "/swap/v2/trade/leverage", leverage),
    Route("POST", "/swap/v2/trade/leverage", set_leverage),
    Route("GET", "/swap/v2/trade/marginType", margin_type, a_second=2),
    Route("POST", "/swap/v2/trade/marginType", set_margin_type, a_second=2),
    Route("GET", "/swap/v1/positionSide/dual", dual, a_second=2),
    Route("POST", "/swap/v1/positionSide/dual", set_dual, a_second=2),
    Route("GET", "/swap/v2/user/commissionRate", commission),
    Route("GET", "/swap/v2/user/income", income),
    Route("GET", "/swap/v1/trade/positionHistory", position_history),
    Route("POST", "/swap/v1/trade/getVst", get_vst),
    Route("POST", "/swap/v2/trade/getVst", get_vst),
    Route("GET", "/swap/v1/maintMarginRatio", tiers),
    Route("GET", "/swap/v1/tradingRules", trading_rules),
)
