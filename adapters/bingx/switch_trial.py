"""Two questions that need a position and a few seconds: the stop that comes with an entry, and the dead man's
switch beside it.

The adapter assumes the worse answer to each: that such a stop has no client id, and that the switch would
cancel it.  Whoever runs this learns how cautious that is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

from adapters.bingx.errors import BingxError
from adapters.bingx.findings import Finding, judged, unknown
from adapters.bingx.order_rows import OrderRow, orders
from adapters.bingx.rest import DEAD_MAN, OPEN_ORDERS, PLACE, BingxRest
from adapters.live.rows import Contract

STOP_AWAY = Decimal("0.9")  # far below: it is not to fire
SECONDS = 10  # the shortest that the venue takes
SLACK_S = 4.0
LOOK_S = 0.3
APPEARS_S = 10.0

_ATTACHED = 15, "the stop that comes with an entry", "an open STOP_MARKET without a client id"
_SWITCH = 14, "cancelAllAfter and a stop that rests", "either: it is never armed beside a stop"


async def switch_and_stop(rest: BingxRest, contract: Contract, quantity: str, mark: Decimal) -> list[Finding]:
    """Open a position with a stop attached, let the switch go off, and say what became of the stop.

    The caller closes the position; the switch is off at the end unless the venue refuses.
    """
    trigger = (mark * STOP_AWAY).quantize(contract.tick, ROUND_DOWN)
    stop = {"type": "STOP_MARKET", "stopPrice": float(trigger), "workingType": "MARK_PRICE"}
    entry: dict[str, object] = {
        "symbol": contract.symbol, "side": "BUY", "positionSide": "BOTH", "type": "MARKET",
        "quantity": quantity, "stopLoss": json.dumps(stop, separators=(",", ":")),
    }  # fmt: skip
    try:
        await rest.call(PLACE, entry)
        found = await _until(rest, contract.symbol, APPEARS_S, bool)
    except BingxError as error:
        why = str(error).splitlines()[0]
        return [unknown(*_ATTACHED, why), unknown(*_SWITCH, why)]
    if not found:
        why = f"no stop within {APPEARS_S:g} s"
        return [judged(*_ATTACHED, why, holds=False), unknown(*_SWITCH, why)]
    row = found[0]
    answer = (
        f"{row.type} of {row.quantity:f} at {row.stop_price:f}, client id {row.client_id!r}, "
        f"reduceOnly {row.reduce_only}"
    )
    holds = (row.type, row.client_id) == ("STOP_MARKET", "") and row.stop_price == trigger
    return [judged(*_ATTACHED, answer, holds=holds), await _switch(rest, contract.symbol)]


async def _switch(rest: BingxRest, symbol: str) -> Finding:
    try:
        await rest.call(DEAD_MAN, {"type": "ACTIVATE", "timeOut": SECONDS})
        try:
            left = await _until(rest, symbol, SECONDS + SLACK_S, lambda rows: not rows)
        finally:
            await rest.call(DEAD_MAN, {"type": "CLOSE"})
    except BingxError as error:
        return unknown(*_SWITCH, str(error).splitlines()[0])
    answer = "the stop rests on" if left else "the stop was cancelled"
    return judged(*_SWITCH, answer, holds=True)


async def _until(
    rest: BingxRest, symbol: str, seconds: float, enough: Callable[[list[OrderRow]], bool]
) -> list[OrderRow]:
    """Return the stops that rest, once there are enough of them or the time is over."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        rows = [row for row in orders(await rest.call(OPEN_ORDERS, {"symbol": symbol})) if row.stop_price]
        if enough(rows) or asyncio.get_running_loop().time() > deadline:
            return rows
        await asyncio.sleep(LOOK_S)


def not_asked() -> list[Finding]:
    """Return both as not asked."""
    why = "not asked; --dead-man opens one more position and waits 14 s"
    return [unknown(*_ATTACHED, why), unknown(*_SWITCH, why)]
