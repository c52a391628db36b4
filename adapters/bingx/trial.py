"""One minimal round trip on the demo account: open a short, let a stop close it, see what the venue sends.

Guarantees: it starts only on a flat account without orders in one-way mode; it ends flat, whatever happened
in between, or says that it does not; the quantity is the smallest that the contract allows.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from typing import Any

from adapters.bingx.account_guard import secure_account
from adapters.bingx.account_rows import positions
from adapters.bingx.config import ExecutionSettings
from adapters.bingx.errors import BingxError, SafetyStop, VenueRefused
from adapters.bingx.findings import Finding, judged, unknown
from adapters.bingx.market_rows import contracts
from adapters.bingx.rest import (
    CANCEL_ALL,
    CONTRACTS,
    GET_VST,
    PLACE,
    POSITIONS,
    PREMIUM,
    BingxRest,
)
from adapters.bingx.switch_trial import not_asked, switch_and_stop
from adapters.bingx.user_stream import UserStream
from adapters.live.rows import Contract

Frame = dict[str, Any]

NOTIONAL_USD = Decimal(6)  # above the minimum of 2, below anything that matters
STOP_AWAY = Decimal("1.0004")
EVENT_WAIT_S = 10.0
ORDER_EVENTS = ("ORDER_TRADE_UPDATE", "TRADE_UPDATE")


@dataclass(slots=True)
class Heard:
    """User events in the order of their arrival."""

    frames: list[Frame] = field(default_factory=list)

    def orders(self, *ids: str) -> list[tuple[str, Frame]]:
        """Return (event name, `o`) of events that name one of the orders, as its own id or as its trigger."""
        return [
            (str(frame.get("e")), frame["o"])
            for frame in self.frames
            if isinstance(frame.get("o"), dict)
            and {str(frame["o"].get("i")), str(frame["o"].get("ti"))} & set(ids)
        ]

    def position_amounts(self, symbol: str) -> list[str]:
        """Return every `pa` of a symbol in ACCOUNT_UPDATE."""
        found = []
        for frame in self.frames:
            account = frame.get("a")
            rows = account.get("P") if isinstance(account, dict) else None
            found += [str(row.get("pa")) for row in rows or [] if row.get("s") == symbol]
        return found


class Trial:
    """Runs the round trip and judges what came back."""

    def __init__(
        self,
        rest: BingxRest,
        settings: ExecutionSettings,
        symbol: str,
        stop_wait_s: float = 90.0,
        *,
        dead_man: bool = False,
    ) -> None:
        self._rest, self._settings, self._symbol, self._stop_wait_s = rest, settings, symbol, stop_wait_s
        self._dead_man = dead_man
        self._heard = Heard()
        self._up = asyncio.Event()

    async def run(self) -> list[Finding]:
        """Open, stop out, close what is left, and return the findings.

        Raises
        ------
        SafetyStop
            The account is not a demo account, or is not flat.
        """
        facts = await secure_account(self._rest, self._settings, (self._symbol,))
        if facts.positions or facts.orders:
            raise SafetyStop(
                "the demo account is not flat",
                found=f"{len(facts.positions)} positions, {len(facts.orders)} open orders",
                expected="none: the round trip closes what it finds at the end",
                remedy="close them, or run without the round trip",
            )
        stream = UserStream(
            self._rest,
            self._settings.endpoints.stream,
            self._settings.stream,
            self._settings.timebase,
            self._heard.frames.append,
            self._on_up,
            self._settings.key_renewal_s,
        )
        stream.start()
        findings = [await self._grant()]
        try:
            await asyncio.wait_for(self._up.wait(), EVENT_WAIT_S)
            findings += await self._round_trip()
        except TimeoutError:
            findings.append(unknown(4, "user stream", "it connects", "no connection within 10 s"))
        except BingxError as error:
            findings.append(unknown(10, "market order", "accepted", str(error).splitlines()[0]))
        finally:
            left = await self._flatten()
            await stream.close()
        findings.append(left)
        return findings

    async def _on_up(self) -> None:
        self._up.set()

    async def _grant(self) -> Finding:
        number, question, expected = 7, "a grant of VST", "v1 exists (a rich account is refused)"
        try:
            await self._rest.call(GET_VST)
        except VenueRefused as refusal:
            exists = refusal.code != 100400
            return judged(number, question, expected, f"v1: {refusal.code} {refusal.reason}", holds=exists)
        except BingxError as error:
            return unknown(number, question, expected, str(error).splitlines()[0])
        return judged(number, question, expected, "v1 granted VST", holds=True)

    async def _round_trip(self) -> list[Finding]:
        listed, _ = contracts(await self._rest.call(CONTRACTS, {"symbol": self._symbol}))
        contract = listed[self._symbol]
        quantity = smallest(contract, await self._mark())
        client_id = f"Crupto-VST-{secrets.token_hex(4)}"
        answer = await self._rest.call(
            PLACE, self._order("SELL", "MARKET", quantity, clientOrderID=client_id)
        )
        opened = answer["order"]
        order_id = str(opened.get("orderID") or opened.get("orderId"))
        events = await self._until(lambda: self._heard.orders(order_id), lambda found: _filled(found))
        await self._until(lambda: self._heard.position_amounts(self._symbol), bool)
        findings = [
            self._ids(client_id, opened, events),
            *self._fill_fields(events),
            self._sign(),
        ]
        findings += await self._stop(contract, quantity)
        if not self._dead_man:
            return findings + not_asked()
        await self._close()
        return findings + await switch_and_stop(self._rest, contract, quantity, await self._mark())

    def _order(self, side: str, kind: str, quantity: str, **more: str) -> dict[str, object]:
        return {
            "symbol": self._symbol,
            "side": side,
            "positionSide": "BOTH",
            "type": kind,
            "quantity": quantity,
            **more,
        }

    async def _mark(self) -> Decimal:
        premium = await self._rest.call(PREMIUM, {"symbol": self._symbol})
        return Decimal(str(premium["markPrice"]))

    def _ids(self, client_id: str, opened: Frame, events: list[tuple[str, Frame]]) -> Finding:
        echoes = {name: str(opened[name]) for name in ("clientOrderID", "clientOrderId") if name in opened}
        on_stream = events[0][1].get("c") if events else None
        answer = f"sent {client_id}; answer {echoes}, stream c={on_stream!r}; status {opened.get('status')}"
        lower = client_id.lower()
        holds = lower in echoes.values() and on_stream in (None, lower)
        return judged(
            10, "client order id", "lower case in the answer and on the stream", answer, holds=holds
        )

    def _fill_fields(self, events: list[tuple[str, Frame]]) -> list[Finding]:
        fills = [(name, order) for name, order in events if order.get("x") == "TRADE"]
        if not fills:
            why = "no fill came on the user stream"
            return [
                unknown(1, "asset of the fee (N)", "VST or USDT", why),
                unknown(2, "td, l and L of a fill", "present", why),
                unknown(4, "name of the order event", ORDER_EVENTS[0], why),
            ]
        name, last = fills[-1]
        fields = {key: last.get(key) for key in ("td", "l", "L")}
        present = ", ".join(f"{key} {'absent' if fields[key] is None else 'present'}" for key in fields)
        asset = str(last.get("N"))
        return [
            judged(1, "asset of the fee (N)", "VST or USDT", asset, holds=asset in ("VST", "USDT")),
            judged(
                2, "td, l and L of a fill", "present",
                present, holds=None not in fields.values(),
            ),
            judged(4, "name of the order event", ORDER_EVENTS[0], name, holds=name == ORDER_EVENTS[0]),
        ]  # fmt: skip

    def _sign(self) -> Finding:
        question, expected = "sign of pa for a short in one-way mode", "below zero"
        amounts = self._heard.position_amounts(self._symbol)
        if not amounts:
            return unknown(3, question, expected, "no ACCOUNT_UPDATE named the position")
        return judged(3, question, expected, f"pa {amounts[-1]}", holds=amounts[-1].startswith("-"))

    async def _stop(self, contract: Contract, quantity: str) -> list[Finding]:
        """Let a stop just above the price close the short, and see what the stream says of it."""
        accepted, told = "reduceOnly of a STOP_MARKET", "event of a stop that fires"
        expected = "an order event that names the stop"
        price = (await self._mark() * STOP_AWAY).quantize(contract.tick, ROUND_UP) + contract.tick
        order = self._order(
            "BUY",
            "STOP_MARKET",
            quantity,
            stopPrice=f"{price:f}",
            reduceOnly="true",
            workingType="MARK_PRICE",
        )
        try:
            placed = (await self._rest.call(PLACE, order))["order"]
        except VenueRefused as refusal:
            answer = f"refused: {refusal.code} {refusal.reason}"
            return [
                judged(11, accepted, "accepted in one-way mode", answer, holds=False),
                unknown(5, told, expected, "the stop was not placed"),
            ]
        stop_id = str(placed.get("orderID") or placed.get("orderId"))
        findings = [judged(11, accepted, "accepted in one-way mode", "accepted", holds=True)]
        if not await self._flat_within(self._stop_wait_s):
            why = f"the price did not reach {price:f} within {self._stop_wait_s:g} s; try again"
            return [*findings, unknown(5, told, expected, why)]
        events = await self._until(lambda: self._heard.orders(stop_id), lambda found: _filled(found))
        texts = [
            f"{o.get('o')} x={o.get('x')} X={o.get('X')} i={o.get('i')} ti={o.get('ti')}" for _, o in events
        ]
        answer = "; ".join(texts) or "no order event, only ACCOUNT_UPDATE"
        return [*findings, judged(5, told, expected, answer, holds=_filled(events))]

    async def _flat_within(self, seconds: float) -> bool:
        waited = 0.0
        while waited < seconds:
            if not positions(await self._rest.call(POSITIONS, {"symbol": self._symbol})):
                return True
            await asyncio.sleep(0.5)
            waited += 0.5
        return False

    async def _until[T](self, read: Callable[[], T], enough: Callable[[T], bool]) -> T:
        deadline = asyncio.get_running_loop().time() + EVENT_WAIT_S
        while not enough(found := read()) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        return found

    async def _close(self) -> None:
        await self._rest.call(CANCEL_ALL, {"symbol": self._symbol})
        for row in positions(await self._rest.call(POSITIONS, {"symbol": self._symbol})):
            side = "SELL" if row.quantity > 0 else "BUY"
            closing = self._order(side, "MARKET", f"{abs(row.quantity):f}", reduceOnly="true")
            await self._rest.call(PLACE, closing)

    async def _flatten(self) -> Finding:
        """Cancel and close whatever is left."""
        question, expected = "the account at the end", "flat, no open orders"
        try:
            await self._close()
            flat = await self._flat_within(EVENT_WAIT_S)
        except BingxError as error:
            return unknown(0, question, expected, str(error).splitlines()[0])
        return judged(0, question, expected, "flat" if flat else "A POSITION IS LEFT", holds=flat)


def smallest(contract: Contract, price: Decimal) -> str:
    """Return the smallest sensible quantity as text: at least the contract's minimum and some dollars."""
    wanted = (NOTIONAL_USD / price).quantize(contract.step, ROUND_UP)
    return f"{max(contract.min_quantity, wanted):f}"


def _filled(events: list[tuple[str, Frame]]) -> bool:
    return any(order.get("X") == "FILLED" for _, order in events)
