"""A run on VST that goes on: its checkpoint against what the account holds, before there is a node.

Guarantees: each position and each resting order of the account must follow from the checkpoint and from what
the run's own orders filled since, else nothing is started and each thing that does not is named; what is
taken over keeps its owner, since client order ids are derived from run, signal, role and attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from adapters.bingx.account_guard import AccountFacts
from adapters.bingx.config import Takeover
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.order_rows import OrderRow
from adapters.bingx.rest import BingxRest
from adapters.bingx.symbols import venue_symbol
from adapters.bingx.takeover import find_order
from crupto_nautilus.errors import SafetyRefusal
from risk.costs import RESTORE_TAG
from strategies.order_ids import client_order_id


class Intent(NamedTuple):
    """An order of the checkpoint: what was left of it."""

    symbol: str
    role: str
    side: int
    left: Decimal
    price: Decimal
    attached: bool  # a stop that is part of its resting entry: the venue does not list it


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a checkpoint says that the run holds at its venue."""

    sizes: Mapping[str, Decimal] = field(default_factory=dict)  # signed, by symbol
    positions: Mapping[str, Decimal] = field(default_factory=dict)  # see `Takeover.positions`
    intents: Mapping[str, Intent] = field(default_factory=dict)  # by client id

    @property
    def takeover(self) -> Takeover:
        """What the execution client is to expect back."""
        alone = frozenset(name for name, intent in self.intents.items() if not intent.attached)
        return Takeover(self.positions, alone)


def holdings(state: Mapping[str, Any], run_id: str, session: int) -> Holdings:
    """Return what a checkpoint's strategies will submit again in a session (see `RestoredDesk.reopen`)."""
    sizes: dict[str, Decimal] = {}
    positions: dict[str, Decimal] = {}
    intents: dict[str, Intent] = {}
    for slot in (slot for one in state["strategies"].values() for slot in one["slots"]):
        signal, exits, entry = slot["signal"], slot["exits"], slot["entry"]
        symbol = venue_symbol(signal["instrument"])
        held = _number(exits["left"])
        if held > 0:
            name = client_order_id(run_id, signal["trace_id"], RESTORE_TAG, session)
            positions[name] = _number(exits["average_price"])
            sizes[symbol] = sizes.get(symbol, Decimal(0)) + signal["side"] * held
        open_entries = dict(entry["open"])
        entries = [order for order in slot["orders"] if order["role"] == "entry"]
        for order in slot["orders"]:
            left = _number(order["quantity"])
            if order["role"] == "entry":
                left = _number(open_entries[order["attempt"]])
            elif order["role"] == "exit":
                left = min(left, held)
            elif order["role"].startswith("target"):
                left = _number(exits["targets"][order["role"]])
            elif order["role"] == "stop" and held <= 0 and not entries:
                continue  # the stop of an entry that is over
            attached = order["role"] == "stop" and held <= 0
            intents[order["order_id"]] = Intent(
                symbol, order["role"], order["side"], left, _number(order["price"]), attached
            )
    return Holdings(sizes, positions, intents)


async def match(rest: BingxRest, journal: OrderJournal, held: Holdings, facts: AccountFacts) -> None:
    """Explain the account by the checkpoint.

    Raises
    ------
    SafetyRefusal
        Something of the account does not follow from it, or something of it is not there.
    """
    expected = dict(held.sizes)
    for client_id, intent in held.intents.items():
        found = await find_order(rest, journal, client_id, intent.symbol)
        if found is not None:
            news = found.trading.filled - found.filled_before(intent.left)
            expected[intent.symbol] = expected.get(intent.symbol, Decimal(0)) + intent.side * news
    problems = _positions(expected, facts) + _orders(journal, held, facts.orders)
    if problems:
        raise SafetyRefusal(
            "the demo account is not as this run left it",
            found="; ".join(problems[:6]),
            expected="what the checkpoint holds and what its own orders filled since",
            remedy="undo what is not the run's on BingX's demo site and resume again; or close everything "
            "there and start a new run",
        )


def _positions(expected: Mapping[str, Decimal], facts: AccountFacts) -> list[str]:
    there = {row.symbol: row.quantity for row in facts.positions}
    return [
        f"{symbol}: the account holds {there.get(symbol, Decimal(0)):f}, the run {expected.get(symbol, 0):f}"
        for symbol in sorted({*there, *expected})
        if there.get(symbol, Decimal(0)) != expected.get(symbol, Decimal(0))
    ]


def _orders(journal: OrderJournal, held: Holdings, resting: Iterable[OrderRow]) -> list[str]:
    problems = []
    for row in resting:
        client_id = journal.client_id(row)
        if client_id in held.intents or _attached(row, held):
            continue
        whose = f"sent after the last checkpoint ({client_id})" if client_id else "not of this run"
        problems.append(f"order {row.type} {row.symbol} {row.order_id}: {whose}")
    return problems


def _attached(row: OrderRow, held: Holdings) -> bool:
    """Whether an order is the stop that the venue placed by itself for a resting entry that filled."""
    return row.type == "STOP_MARKET" and any(
        intent.attached
        and (intent.symbol, intent.side, intent.price) == (row.symbol, row.side, row.stop_price)
        for intent in held.intents.values()
    )


def _number(value: float) -> Decimal:
    return Decimal(repr(float(value)))
