"""REST payloads of the account, positions, orders and fills, in the shapes of the captures."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.fakes.bingx import frames, upkeep
from tests.fakes.bingx.contracts import text
from tests.fakes.bingx.minutes import DAY_MS
from tests.fakes.bingx.orders import Fill, Order

if TYPE_CHECKING:
    from tests.fakes.bingx.account import Position
    from tests.fakes.bingx.venue import Venue

Row = dict[str, Any]


def balances(venue: Venue) -> list[Row]:
    """Return the balance row, in either spelling."""
    account, settings = venue.account, venue.settings
    frozen = settings.balance_spelling == "frozen"

    def amount(value: Decimal) -> str:
        return "" if settings.empty_amounts and not value else f"{value:.4f}"

    return [
        {
            "userId": "116***295",
            "asset": account.asset,
            "balance": f"{account.balance:.4f}",
            "equity": f"{account.equity:.4f}",
            "unrealizedProfit": amount(account.unrealised),
            "realizedProfit" if frozen else "realisedProfit": amount(account.realised),
            "availableMargin": f"{venue.available_margin:.4f}",
            "usedMargin": amount(account.used_margin),
            "frozenMargin" if frozen else "freezedMargin": amount(venue.frozen_margin),
            "shortUid": "12851936",
        }
    ]


def position(venue: Venue, held: Position) -> Row:
    """Return a position row; the amount is unsigned, the side says LONG or SHORT in one-way mode too."""
    account = venue.account
    mark, margin = venue.mark(held.symbol), account.margin_of(held)
    profit = held.unrealised(mark)
    room = max(Decimal(0), venue.available_margin)
    return {
        "positionId": str(held.id),
        "symbol": held.symbol,
        "currency": account.asset,
        "positionAmt": text(held.size),
        "availableAmt": text(held.size),
        "positionSide": held.shown_side,
        "isolated": account.margin_type(held.symbol) != "CROSSED",
        "avgPrice": f"{held.average:.8f}".rstrip("0").rstrip("."),
        "initialMargin": f"{margin:.4f}",
        "margin": f"{margin + profit:.4f}",
        "leverage": account.leverage(held.symbol, held.side),
        "unrealizedProfit": f"{profit:.4f}",
        "realisedProfit": f"{held.realised - held.commission + held.funding:.4f}",
        "liquidationPrice": float(upkeep.liquidation_price(venue, held)),
        "pnlRatio": f"{profit / margin:.4f}",
        "maxMarginReduction": f"{min(room, margin):.4f}" if held.margin else "0.0000",
        "riskRate": f"{upkeep.maintenance(venue, held) / max(account.equity, Decimal('0.0001')):.4f}",
        "markPrice": text(mark),
        "positionValue": f"{held.size * mark:.4f}",
        "onlyOnePosition": held.side == "BOTH",
        "updateTime": held.updated_ms,
    }


_NO_LEG = {"type": "", "quantity": 0, "stopPrice": 0, "price": 0, "workingType": "", "stopGuaranteed": ""}


def order(venue: Venue, made: Order) -> Row:
    """Return an order as GET, DELETE and the lists show it."""
    contract = venue.contracts.get(made.symbol)
    has_stop = made.stop_price > 0
    return {
        "symbol": made.symbol,
        "orderId": made.id,
        "side": made.side,
        "positionSide": made.position_side,
        "type": made.type,
        "origQty": contract.quantity_text(made.quantity),
        "price": contract.price_text(made.price),
        "executedQty": contract.quantity_text(made.filled),
        "avgPrice": contract.price_text(made.average),
        "cumQuote": f"{made.average * made.filled:.0f}",
        "stopPrice": contract.price_text(made.stop_price) if has_stop else "",
        "profit": f"{made.profit:.4f}",
        "commission": f"{-made.fee:.6f}",
        "status": made.status,
        "time": made.created_ms,
        "updateTime": made.updated_ms,
        "clientOrderId": made.client_id,
        "leverage": f"{made.leverage}X",
        "takeProfit": dict(_NO_LEG),
        "stopLoss": dict(_NO_LEG),
        "advanceAttr": 0,
        "positionID": 0,
        "takeProfitEntrustPrice": 0,
        "stopLossEntrustPrice": 0,
        "orderType": "",
        "workingType": made.working_type,
        "onlyOnePosition": made.position_side == "BOTH",
        "reduceOnly": made.reduce_only,
        "stopGuaranteed": False,
        "triggerOrderId": made.trigger_order_id,
        "isTwap": False,
        "mainOrderId": "",
        "postOnly": made.time_in_force == "PostOnly",
        "trailingStopRate": float(made.price_rate),
        "trailingStopDistance": 0 if made.price_rate else float(made.price) * made.type.startswith("TRAIL"),
        "closePosition": "true" if made.close_position else "",
    }


def placed(venue: Venue, made: Order) -> Row:
    """Return an order as POST answers it: the recorded answer, or the documented subset."""
    row: Row = {
        "orderId": made.id,
        "orderID": str(made.id),
        "symbol": made.symbol,
        "positionSide": made.position_side,
        "side": made.side,
        "type": made.type,
        "clientOrderID": made.client_id,
        "workingType": made.working_type,
    }
    if venue.settings.short_order_answer:
        return row
    contract = venue.contracts.get(made.symbol)
    return row | {
        "price": float(made.price),
        "quantity": float(made.quantity),
        "quoteOrderQty": 0,
        "stopPrice": float(made.stop_price),
        "clientOrderId": "",
        "timeInForce": made.time_in_force,
        "priceRate": float(made.price_rate),
        "stopLoss": made.stop_loss,
        "takeProfit": made.take_profit,
        "reduceOnly": made.reduce_only,
        "activationPrice": float(made.activation_price),
        "closePosition": "true" if made.close_position else "",
        "stopGuaranteed": "",
        "status": made.status,
        "avgPrice": contract.price_text(made.average),
        "executedQty": contract.quantity_text(made.filled),
    }


def _seconds(time_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_ms / 1000))


def fill_history(venue: Venue, made: Fill) -> Row:
    """Return a row of fillHistory, the only place with a trade id; whole seconds only."""
    stamp = _seconds(made.time_ms)
    return {
        "filledTm": f"{stamp}Z",
        "volume": text(made.quantity),
        "price": text(made.price),
        "qty": text(made.quantity),
        "quoteQty": f"{made.price * made.quantity:.4f}",
        "commission": f"{-made.fee:.8f}",
        "commissionAsset": venue.settings.fee_asset or venue.settings.asset,
        "orderId": str(made.order_id),
        "tradeId": str(made.trade_id),
        "filledTime": f"{stamp}.000+0800",  # the digits are UTC, whatever it says
        "symbol": made.symbol,
        "role": "maker" if made.maker else "taker",
        "side": made.side.lower(),
        "positionSide": made.position_side.lower(),
    }


def all_fills(venue: Venue, made: Fill) -> Row:
    """Return a row of allFillOrders: no trade id and no side."""
    stamp = _seconds(made.time_ms)
    return {
        "filledTm": f"{stamp}Z",
        "volume": text(made.quantity),
        "price": text(made.price),
        "amount": f"{made.price * made.quantity:.4f}",
        "commission": f"{-made.fee:.4f}",
        "currency": venue.settings.fee_asset or venue.settings.asset,
        "orderId": str(made.order_id),
        "liquidatedPrice": "",
        "liquidatedMarginRatio": "",
        "filledTime": f"{stamp}.000+0800",
        "clientOrderID": made.client_id,
        "symbol": made.symbol,
    }


def ticker_row(venue: Venue, symbol: str) -> Row:
    """Return the 24-hour ticker of a symbol."""
    market = venue.markets[symbol]
    digits = market.contract.price_precision
    day = market.klines("1h", venue.time_ms, venue.time_ms - DAY_MS, None, 25)
    opened = float(day.open[0]) if len(day) else float(market.last)
    last = float(market.last)
    bids, asks = frames.depth_sides(venue, symbol, 1)
    return {
        "symbol": symbol,
        "priceChange": f"{last - opened:.{digits}f}",
        "priceChangePercent": f"{(last / opened - 1) * 100:.2f}%",
        "lastPrice": market.contract.price_text(market.last),
        "lastQty": text(market.prints[0].quantity) if market.prints else "0",
        "highPrice": f"{max([last, *day.high]):.{digits}f}",
        "lowPrice": f"{min([last, *day.low]):.{digits}f}",
        "volume": f"{float(day.volume.sum()):.4f}",
        "quoteVolume": f"{float((day.volume * day.close).sum()):.2f}",
        "openPrice": f"{opened:.{digits}f}",
        "openTime": venue.time_ms - DAY_MS,
        "closeTime": venue.time_ms,
        "askPrice": asks[0][0],
        "askQty": asks[0][1],
        "bidPrice": bids[0][0],
        "bidQty": bids[0][1],
    }
