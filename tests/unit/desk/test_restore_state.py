"""What a strategy and the selection hold comes back from JSON as it was; where the market is opened again."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nautilus_trader.model import ClientOrderId

from actors.selection import _row, _row_state
from crupto_nautilus.desk.checkpoint import CHECKPOINT_SCHEMA, Resumed, check_schema
from crupto_nautilus.desk.reopening import opening_balance, reopening_prices
from crupto_nautilus.errors import UsageError
from risk.liquidation import Takeover
from risk.vocabulary import EntryStyle, ExitSpec, MandateRow, RefusalReason, Role, Signal
from strategies.entry import EntryMachine
from strategies.exits import ExitMachine
from strategies.restore import _records_of, _slot, _slot_state
from strategies.slot import OrderRecord, Slot
from tests.unit.risk.builders import BTC, rules

prices = st.floats(0.01, 1e6)
sizes = st.floats(0.0, 1e4)
sides = st.sampled_from([1, -1])
names = st.text("abcdefgh0123456789", min_size=1, max_size=8)


@st.composite
def slots(draw: st.DrawFn) -> tuple[Slot, dict[str, OrderRecord]]:
    """Draw a slot in any state, with the orders of it that are alive."""
    spec = ExitSpec(
        draw(prices), tuple(draw(st.lists(prices, max_size=2))), draw(st.none() | prices),
        draw(st.none() | prices), draw(st.none() | st.integers(1, 90)), None, draw(st.booleans()),
    )  # fmt: skip
    signal = Signal(
        draw(names), draw(st.integers(0, 2**62)), "breakout_4h", BTC, 240, draw(sides), draw(prices), spec,
        draw(st.floats(0, 1)), draw(prices), draw(st.sampled_from(EntryStyle)),
        tuple(draw(st.lists(st.tuples(names, prices), max_size=3))),
    )  # fmt: skip
    entry = EntryMachine(
        signal.entry_style, tuple(draw(st.lists(sizes, max_size=5))), draw(prices), 7, rules()
    )
    entry.open = draw(st.dictionaries(st.integers(1, 9), sizes, max_size=2))
    exits = ExitMachine(signal.side, spec, rules(), 240, 0.001, draw(sizes), draw(sizes), draw(prices))
    exits.closing, exits.stop_failures = draw(names), draw(st.integers(0, 3))
    exits.targets = draw(st.dictionaries(st.sampled_from([Role.TARGET_1, Role.TARGET_2]), sizes))
    slot = Slot(signal, entry, exits, stop_wanted=draw(st.none() | st.tuples(sizes, prices)))
    slot.attempts = draw(st.dictionaries(names, st.integers(1, 9), max_size=3))
    slot.entry_reported, slot.overrun_bps = draw(st.booleans()), draw(sizes)
    live: dict[str, OrderRecord] = {}

    def record(role: Role, attempt: int) -> OrderRecord:
        order_id = f"{role.value}{attempt}"
        made = OrderRecord(
            slot, order_id, ClientOrderId(order_id), role, attempt, draw(sides), draw(sizes), draw(prices),
            draw(st.sampled_from(["limit", "stop_market"])), role is not Role.ENTRY, draw(names),
            takeover=draw(st.none() | st.builds(Takeover, sides, prices, prices)),
            tags=tuple(draw(st.lists(names, max_size=2))),
        )  # fmt: skip
        live[order_id] = made
        return made

    slot.entries = {attempt: record(Role.ENTRY, attempt) for attempt in entry.open}
    slot.stop = record(Role.STOP, 1) if draw(st.booleans()) else None
    slot.targets = {role: record(Role(role), 1) for role in exits.targets}
    return slot, live


@given(slots())
def test_a_slot_comes_back_as_it_was_with_the_orders_that_are_alive(
    drawn: tuple[Slot, dict[str, OrderRecord]],
) -> None:
    slot, live = drawn
    saved = json.loads(json.dumps(_slot_state(slot, live)))
    again = _slot(saved)
    records = _records_of(again, saved["orders"])
    assert (again.signal, again.entry, again.exits) == (slot.signal, slot.entry, slot.exits)
    assert (again.stop_wanted, again.attempts) == (slot.stop_wanted, slot.attempts)
    assert (again.entry_reported, again.overrun_bps) == (slot.entry_reported, slot.overrun_bps)
    assert [r.order_id for r in records] == list(live)
    assert json.loads(json.dumps(_slot_state(again, {r.order_id: r for r in records}))) == saved


@given(
    st.builds(
        MandateRow,
        names,
        st.booleans(),
        st.lists(sides, max_size=2).map(tuple),
        st.none() | st.sampled_from(RefusalReason),
        names,
        st.none() | st.floats(-9, 9),
        st.integers(0, 2**62),
        st.integers(0, 2**62),
    )
)
def test_a_row_of_a_mandate_comes_back_as_it_was(row: MandateRow) -> None:
    assert _row(json.loads(json.dumps(_row_state(row)))) == row


def resumed(
    last: float, orders: list[dict[str, Any]], positions: list[dict[str, Any]] | None = None
) -> Resumed:
    books = {"balance": 1_000.0, "funding_usd": -2.0, "positions": positions or []}
    slot = {"signal": {"instrument": BTC}, "orders": orders}
    state = {
        "prices": {BTC: last},
        "strategies": {"s": {"slots": [slot]}},
        "risk": {"desk": {"books": books}},
    }
    return Resumed(1, state, (), 2)


LEVELS = st.integers(5_000, 15_000).map(lambda ticks: ticks / 100)


@given(LEVELS, st.lists(st.floats(0, 30), max_size=4), st.lists(st.floats(0, 30), max_size=4), st.data())
def test_no_resting_order_touches_the_price_at_which_the_market_is_opened_again(
    last: float, under: list[float], over: list[float], data: st.DataObject
) -> None:
    """Orders rest at the last close or away from it, on their side of the market."""
    orders = []
    for distances, sign in ((under, -1), (over, 1)):
        for distance in distances:
            kind = data.draw(st.sampled_from(["limit", "stop_market"]))
            side = -sign if kind == "limit" else sign
            touching = 0.0 if kind == "limit" and not over else 0.02
            price = round(last + sign * max(distance, touching), 2)
            orders.append({"side": side, "order_type": kind, "price": price})
    price = reopening_prices(resumed(last, orders), {BTC: rules()})[BTC]
    for order in orders:
        below = (order["side"] > 0) == (order["order_type"] == "limit")
        assert order["price"] < price if below else order["price"] > price
    assert abs(price - last) <= 0.0100001
    assert math.isclose(price * 100, round(price * 100), abs_tol=1e-6)


def test_the_account_opens_with_the_balance_at_which_its_equity_is_the_ledgers() -> None:
    held = {"instrument": BTC, "side": -1, "quantity": 2.0, "average_price": 110.0}
    balance = opening_balance(resumed(100.0, [], [held]), {BTC: 100.0})
    assert balance == 1_000.0 + 2.0 + 2.0 * 10.0  # the ledger's, funding apart, and what the short has gained


def test_a_checkpoint_of_another_version_is_refused() -> None:
    check_schema({"schema": CHECKPOINT_SCHEMA})
    with pytest.raises(UsageError, match="another version"):
        check_schema({"schema": CHECKPOINT_SCHEMA + 1})
