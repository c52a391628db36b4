"""The audit of a soak: what the desk wanted, told and booked, against the exchange's own books."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from actors.reconciler import NETTED
from adapters.bingx.tracked import base_client_id
from strategies.order_desk import FOREIGN_CHANGE
from tests.fakes.bingx_soak import Soak

STALE_MS = 60_000  # an entry belongs to the minute after its signal


@dataclass(slots=True)
class Audit:
    """Findings by rule; all lists are empty when all is well."""

    intents: int = 0
    venue_orders: int = 0
    fills: int = 0
    doubled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    overfilled: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    fills_differ: list[str] = field(default_factory=list)
    positions_differ: list[str] = field(default_factory=list)
    funding_differs: list[str] = field(default_factory=list)
    netted: list[str] = field(default_factory=list)  # one strategy at a time is on an instrument
    foreign_changes: list[str] = field(default_factory=list)  # nobody else trades on this account
    balance_difference: float = 0.0
    unexplained: dict[str, Any] = field(default_factory=dict)

    def faultless(self) -> bool:
        lists = (
            self.doubled, self.missing, self.foreign, self.overfilled, self.stale, self.foreign_changes,
            self.netted,
        )  # fmt: skip
        more = (self.fills_differ, self.positions_differ, self.funding_differs, self.unexplained)
        return not any(lists) and not any(more) and abs(self.balance_difference) <= 0.01


def audit(out: Soak) -> Audit:
    """Compare the run's record with the venue's books."""
    desk = out.folder.table("orders")
    found = Audit(unexplained=out.unexplained, fills=len(out.books["fills"]))
    by_intent, children = _by_intent(out)
    submits = desk[desk["action"] == "submit"].set_index("client_order_id")
    found.intents, found.venue_orders = len(submits), len(out.books["orders"])
    modified = desk[desk["action"] == "modify"].groupby("client_order_id").size()
    ends = desk[desk["action"].isin(["rejected", "denied"])]["client_order_id"].unique()
    for client_id, row in submits.iterrows():
        placed = by_intent.get(str(client_id), [])
        allowed = 1 + int(modified.get(client_id, 0))
        alive = [o for o in placed if o["status"] in ("NEW", "PENDING", "PARTIALLY_FILLED")]
        if len(placed) > allowed or len(alive) > 1:
            found.doubled.append(f"{client_id} {row['role']}: {[_short(o) for o in placed]}")
        if not placed and client_id not in ends and not _cancelled_unsent(desk, client_id):
            found.missing.append(f"{client_id} {row['role']}")
        filled = sum(float(o["executedQty"]) for o in placed)
        filled += sum(float(o["executedQty"]) for o in children.get(str(client_id), []))
        if filled > float(row["quantity"]) + 1e-9:
            found.overfilled.append(f"{client_id} {row['role']}: {filled} of {row['quantity']}")
    known = set(submits.index)
    found.foreign = [_short(o) for name, rows in by_intent.items() if name not in known for o in rows]
    found.stale = _stale(submits, by_intent)
    alarms = out.folder.table("alarms")
    found.foreign_changes = list(alarms[alarms["kind"] == FOREIGN_CHANGE]["detail"])
    found.netted = list(alarms[alarms["kind"] == NETTED]["detail"])
    found.fills_differ = _fills(out)
    _positions(out, found)
    return found


def _by_intent(out: Soak) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Return the venue's orders by the desk's client id, and apart what triggered stops became."""
    by_intent: dict[str, list[Any]] = defaultdict(list)
    children: dict[str, list[Any]] = defaultdict(list)
    for order in out.books["orders"]:
        trigger = order["triggerOrderId"]
        own = base_client_id(order["clientOrderId"]) or out.names.get(str(order["orderId"]), "")
        if trigger:
            children[out.names.get(str(trigger), "")].append(order)
        else:
            by_intent[own or f"unnamed {order['orderId']}"].append(order)
    return by_intent, children


def _cancelled_unsent(desk: pd.DataFrame, client_id: object) -> bool:
    """Return whether an order ended by its own cancel before it was sent: a stop whose entry never filled."""
    mine = desk[desk["client_order_id"] == client_id]["action"]
    return "canceled" in set(mine) and "accepted" not in set(mine)


def _stale(submits: pd.DataFrame, by_intent: dict[str, list[Any]]) -> list[str]:
    entries = submits[submits["role"] == "entry"]
    return [
        f"{client_id} signal {int(row['ts_event']) // 10**6}, order {order['time']}"
        for client_id, row in entries.iterrows()
        for order in by_intent.get(str(client_id), [])
        if order["time"] - int(row["ts_event"]) // 10**6 > STALE_MS
    ]


def _fills(out: Soak) -> list[str]:
    """Compare quantity, value and fees of all fills by instrument and side."""
    ours: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    theirs: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for row in out.folder.table("fills").to_dict("records"):
        key = (str(row["instrument"]).rpartition(".")[0], int(row["side"]))
        _add(ours[key], row["quantity"], row["price"], row["fee"] + row["slippage_usd"])
    for fill in out.books["fills"]:
        key = (fill["symbol"], 1 if fill["side"] == "buy" else -1)
        _add(theirs[key], float(fill["qty"]), float(fill["price"]), -float(fill["commission"]))
    return [
        f"{key}: desk {ours[key]}, venue {theirs[key]}"
        for key in sorted({*ours, *theirs})
        if any(abs(a - b) > 1e-4 for a, b in zip(ours[key], theirs[key], strict=True))
    ]


def _add(total: list[float], quantity: float, price: float, fee: float) -> None:
    for n, value in enumerate((quantity, quantity * price, fee)):
        total[n] += value


def _positions(out: Soak, found: Audit) -> None:
    venue: dict[str, float] = defaultdict(float)
    for row in out.books["positions"]:
        sign = 1 if row["positionSide"] == "LONG" else -1
        venue[row["symbol"]] += sign * float(row["positionAmt"])
    for symbol in sorted({*venue, *out.witness.positions}):
        ours = out.witness.positions.get(symbol, 0.0)
        if abs(ours - venue[symbol]) > 1e-9:
            found.positions_differ.append(f"{symbol}: desk {ours:g}, venue {venue[symbol]:g}")
    summary = out.folder.read_json("summary.json")
    funding = summary["venue_funding"]
    if funding is None:
        found.funding_differs.append("the account's income was not read")
    else:
        found.funding_differs += map(str, funding["differing"])
    start = summary["equity_start"]
    moved = float(out.books["balance"]["balance"]) - out.opening
    found.balance_difference = round(out.witness.balance - start - moved, 6)


def _short(order: dict[str, Any]) -> str:
    names = ("orderId", "type", "status", "executedQty", "origQty", "clientOrderId")
    return " ".join(str(order[name]) for name in names)
