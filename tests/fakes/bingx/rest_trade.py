"""Orders and fills over REST."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.fakes.bingx import views
from tests.fakes.bingx.errors import VenueError, invalid
from tests.fakes.bingx.minutes import DAY_MS
from tests.fakes.bingx.orders import Fill, Order
from tests.fakes.bingx.routing import Bare, Route, integer
from tests.fakes.bingx.rules import Params
from tests.fakes.bingx.venue import Venue

BATCH_PLACE, BATCH_CANCEL = 5, 10


def place(venue: Venue, params: Params) -> Any:
    return {"order": views.placed(venue, venue.place(params))}


def place_test(venue: Venue, params: Params) -> Any:
    return {"order": views.placed(venue, venue.test(params))}


def get(venue: Venue, params: Params) -> Any:
    return {"order": views.order(venue, venue.find(params))}


def get_open(venue: Venue, params: Params) -> Any:
    order = venue.find(params)
    if not order.is_open:
        raise VenueError(109421, f"order not exist: {order.id}")
    return {"order": views.order(venue, order)}


def cancel(venue: Venue, params: Params) -> Any:
    return {"order": views.order(venue, venue.cancel(params))}


def cancel_all(venue: Venue, params: Params) -> Any:
    ended = venue.cancel_all(params.get("symbol"))
    return {"success": [views.order(venue, o) for o in ended], "failed": None}


def open_orders(venue: Venue, params: Params) -> Any:
    return {"orders": _rows(venue, params, venue.working())}


def all_orders(venue: Venue, params: Params) -> Any:
    """Return orders newest first, at most 1000, of a range of at most 7 days."""
    start, end = integer(params, "startTime", None), integer(params, "endTime", None)
    if start is not None and end is not None and end - start > 7 * DAY_MS:
        raise VenueError(109400, "the query range is more than seven days")
    since = integer(params, "orderId", 0)
    rows = [
        o
        for o in venue.orders.values()
        if (start is None or o.created_ms >= start) and (end is None or o.created_ms <= end) and o.id >= since
    ]
    limit = integer(params, "limit", 500)
    if not 1 <= limit <= 1000:
        raise invalid("limit")
    return {"orders": _rows(venue, params, reversed(rows))[:limit]}


def _rows(venue: Venue, params: Params, orders: Iterable[Order]) -> list[dict[str, Any]]:
    kept = [o for o in orders if params.get("symbol") in (None, "", o.symbol)]
    return [views.order(venue, o) for o in kept]


def place_batch(venue: Venue, params: Params) -> Any:
    """Place up to 5 orders; some may fail while the answer as a whole is code 0."""
    asked = _json(params, "batchOrders")
    if not 1 <= len(asked) <= BATCH_PLACE:
        raise invalid("batchOrders")
    made: list[dict[str, Any]] = []
    for one in asked:
        try:
            made.append(views.placed(venue, venue.place({k: _text(v) for k, v in one.items()})))
        except VenueError as error:
            failed = {"symbol": one.get("symbol", ""), "orderId": 0, "side": one.get("side", "")}
            failed |= {"positionSide": one.get("positionSide", ""), "type": one.get("type", "")}
            made.append(failed | {"errorCode": error.code, "errorMessage": error.message})
    return {"orders": made}


def cancel_batch(venue: Venue, params: Params) -> Any:
    names = _json(params, "orderIdList") if params.get("orderIdList") else []
    clients = _json(params, "clientOrderIDList") if params.get("clientOrderIDList") else []
    if not 1 <= len(names) + len(clients) <= BATCH_CANCEL:
        raise invalid("orderIdList")
    ended, failed = [], []
    wanted = [{"orderId": str(n)} for n in names] + [{"clientOrderID": str(c)} for c in clients]
    for one in wanted:
        try:
            ended.append(views.order(venue, venue.cancel(one)))
        except VenueError as error:
            row = {"orderId": int(one.get("orderId", 0)), "clientOrderId": one.get("clientOrderID", "")}
            failed.append(row | {"errorCode": error.code, "errorMessage": error.message})
    return {"success": ended, "failed": failed or None}


def cancel_replace(venue: Venue, params: Params) -> Any:
    """Cancel one order and place another; STOP_ON_FAILURE places nothing when the cancel fails."""
    mode = params.get("cancelReplaceMode", "STOP_ON_FAILURE")
    reference = {"orderId": params.get("cancelOrderId", "")}
    reference["clientOrderID"] = params.get("cancelClientOrderId", "") or params.get(
        "cancelClientOrderID", ""
    )
    answer: dict[str, Any] = {"cancelResult": "true", "cancelMsg": "", "cancelResponse": {}}
    answer |= {"replaceResult": "true", "replaceMsg": "", "newOrderResponse": {}}
    try:
        answer["cancelResponse"] = views.order(venue, venue.cancel(reference))
    except VenueError as error:
        answer |= {"cancelResult": "false", "cancelMsg": error.message}
        if mode == "STOP_ON_FAILURE":
            return answer | {"replaceResult": "false", "replaceMsg": "not attempted"}
    try:
        answer["newOrderResponse"] = views.placed(venue, venue.place(params))
    except VenueError as error:
        answer |= {"replaceResult": "false", "replaceMsg": error.message}
    return answer


def amend(venue: Venue, params: Params) -> Any:
    order = venue.amend(params)
    row = {"orderId": order.id, "clientOrderId": order.client_id, "symbol": order.symbol}
    return Bare({"data": row | {"quantity": float(order.quantity)}, "timestamp": venue.time_ms})


def cancel_all_after(venue: Venue, params: Params) -> Any:
    """Arm or disarm the dead-man switch: everything is cancelled unless it is armed again in time."""
    kind = params.get("type")
    if kind == "CLOSE":
        venue.cancel_all_at_ms = None
        return {"triggerTime": 0, "status": "CLOSED", "note": "cancelled"}
    seconds = integer(params, "timeOut", 0)
    if kind != "ACTIVATE" or not 10 <= seconds <= 120:
        raise invalid("timeOut", "between 10 and 120 seconds")
    venue.cancel_all_at_ms = venue.time_ms + seconds * 1000
    return {
        "triggerTime": venue.cancel_all_at_ms // 1000,
        "status": "ACTIVATED",
        "note": "All your perpetual contracts orders will be cancelled if it is not activated again",
    }


def close_all(venue: Venue, params: Params) -> Any:
    return {"success": [o.id for o in venue.close_all(params.get("symbol"))], "failed": None}


def close_one(venue: Venue, params: Params) -> Any:
    wanted = params.get("positionId", "")
    held = [p for p in venue.account.open_positions() if str(p.id) == wanted]
    if not held:
        raise VenueError(101205, "No position to close")
    order = venue.close_all(held[0].symbol)[0]
    return {"orderId": order.id, "positionId": wanted, "symbol": order.symbol, "side": order.side}


def all_fills(venue: Venue, params: Params) -> Any:
    """Return fills without trade ids; `tradingUnit`, `startTs` and `endTs` must be there."""
    for name in ("tradingUnit", "startTs", "endTs"):
        if not params.get(name):
            raise invalid(name)
    start, end = integer(params, "startTs", 0), integer(params, "endTs", 0)
    kept = [f for f in _fills(venue, params, 30) if start <= f.time_ms <= end]
    return {"fill_orders": [views.all_fills(venue, f) for f in reversed(kept)]}


def fill_history(venue: Venue, params: Params) -> Any:
    """Return fills with trade ids, newest first, in pages; 7 days are kept."""
    start, end = integer(params, "startTs", 0), integer(params, "endTs", venue.time_ms)
    kept = [f for f in _fills(venue, params, 7) if start // 1000 <= f.time_ms // 1000 <= end // 1000]
    kept.reverse()
    size = min(integer(params, "pageSize", 50), 1000)
    at = (max(integer(params, "pageIndex", 1), 1) - 1) * size
    rows = [views.fill_history(venue, f) for f in kept[at : at + size]]
    return {"fill_history_orders": rows, "total": len(kept)}


def _fills(venue: Venue, params: Params, days: int) -> list[Fill]:
    oldest = venue.time_ms - days * DAY_MS
    order = params.get("orderId", "")
    return [
        f
        for f in venue.fills
        if f.time_ms >= oldest
        and params.get("symbol") in (None, "", f.symbol)
        and (not order or str(f.order_id) == order)
    ]


def _json(params: Params, name: str) -> list[Any]:
    try:
        value = json.loads(params.get(name, ""))
    except json.JSONDecodeError:
        raise invalid(name) from None
    if not isinstance(value, list):
        raise invalid(name)
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


ROUTES = (
    Route("POST", "/swap/v2/trade/order", place, places_orders=True),
    Route("POST", "/swap/v2/trade/order/test", place_test),
    Route("GET", "/swap/v2/trade/order", get),
    Route("DELETE", "/swap/v2/trade/order", cancel, places_orders=True),
    Route("GET", "/swap/v2/trade/openOrder", get_open),
    Route("GET", "/swap/v2/trade/openOrders", open_orders),
    Route("GET", "/swap/v2/trade/allOrders", all_orders),
    Route("GET", "/swap/v1/trade/fullOrder", all_orders),
    Route("POST", "/swap/v2/trade/batchOrders", place_batch, places_orders=True),
    Route("DELETE", "/swap/v2/trade/batchOrders", cancel_batch, places_orders=True),
    Route("DELETE", "/swap/v2/trade/allOpenOrders", cancel_all, places_orders=True),
    Route("POST", "/swap/v1/trade/cancelReplace", cancel_replace, places_orders=True),
    Route("POST", "/swap/v1/trade/amend", amend, places_orders=True),
    Route("POST", "/swap/v2/trade/cancelAllAfter", cancel_all_after, a_second=2),
    Route("POST", "/swap/v2/trade/closeAllPositions", close_all, places_orders=True),
    Route("POST", "/swap/v1/trade/closePosition", close_one, places_orders=True),
    Route("GET", "/swap/v2/trade/allFillOrders", all_fills),
    Route("GET", "/swap/v2/trade/fillHistory", fill_history),
)
