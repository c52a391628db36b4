"""What a strategy holds across a restart: its state for the checkpoint, and the way back into the market.

Guarantees: a restored position is opened again with one order that the ledger never hears of, its stop is
sent in the handler of that order's fill, and every resting order comes back under its own id with its own
tags, so what it fills for later is booked as if nothing had happened; what the venue refuses is told in
`restore_problems`, and a stop that it refuses is handled like any lost stop.
"""

from __future__ import annotations

from typing import Any

from nautilus_trader.model import ClientOrderId

from risk.costs import RESTORE_TAG
from risk.liquidation import Takeover
from risk.vocabulary import DeskMode, DeskState, EntryStyle, ExitSpec, Fill, Role, Signal
from strategies.entry import EntryMachine
from strategies.exits import ExitAction, ExitMachine
from strategies.order_desk import FOREIGN_CHANGE, OrderDesk
from strategies.order_ids import client_order_id
from strategies.slot import OrderRecord, Slot

_NUMBERS = (
    "entry_reported",
    "expected_slippage_bps",
    "resting_fill_ns",
    "overrun_bps",
)


class RestoredDesk(OrderDesk):
    """Base of `SignalStrategy`: saves what is held and opens it again."""

    slots: dict[str, Slot]
    _entering: dict[str, Slot]
    _gate_shut: str

    def setup_restore(self) -> None:
        """Begin with nothing to restore."""
        self.restore_problems: list[str] = []
        self._reopening: dict[str, Slot] = {}  # order id of the restore order -> what it opens again
        self._returning: dict[str, OrderRecord] = {}  # resting orders on their way back

    # --- state ---------------------------------------------------------------------------------------------

    def saved_state(self) -> dict[str, Any]:
        """Return what must survive a restart, JSON-able and independent of what happens later."""
        live = self._records
        return {"slots": [_slot_state(slot, live) for slot in self.slots.values()]}

    def load_state(self, state: dict[str, Any], desk: DeskState) -> None:
        """Take over what `saved_state` returned; nothing is sent yet."""
        self._gate_shut = "" if desk.mode is DeskMode.ACTIVE else str(desk.reason or desk.mode)
        self.slots, self._entering, self._records = {}, {}, {}
        for values in state["slots"]:
            slot = _slot(values)
            name = slot.signal.instrument
            self.slots[name] = slot
            if not slot.entry_reported:
                self._entering[name] = slot
            for record in _records_of(slot, values["orders"]):
                self._records[record.order_id] = record

    # --- the way back --------------------------------------------------------------------------------------

    def reopen(self, session: int) -> None:
        """Send what brings positions and resting orders back; `session` counts the starts of the run."""
        for name, slot in self.slots.items():
            if slot.exits.left <= 0.0:
                self._return_orders(slot)
                continue
            order_id = client_order_id(self.run_id, slot.signal.trace_id, RESTORE_TAG, session)
            side = slot.signal.side
            record = OrderRecord(
                slot, order_id, ClientOrderId(order_id), Role.ENTRY, session, side, slot.exits.left, 0.0,
                "market", False, RESTORE_TAG, tags=(RESTORE_TAG,),
            )  # fmt: skip
            self._reopening[order_id] = slot
            self.log.info(f"restore: {name} {side:+d} {slot.exits.left:g}")
            self.submit_order(self.engine_order(record, slot.exits.left))

    def _return_orders(self, slot: Slot) -> None:
        """Send the resting orders of a slot again: the stop first."""
        exits = slot.exits
        resting = [record for record in slot.entries.values() if record.order_id in self._records]
        stop = slot.stop
        if stop is not None and exits.left <= 0.0:
            if resting:  # the stop is attached to the first of them
                self._returning[resting[0].order_id] = resting[0]
                self.submit_protected_entry(resting[0], stop)
        elif stop is not None:
            self._return_order(stop, stop.quantity)
        elif slot.stop_wanted is not None:
            self.sync_stop(slot)
        for role, record in slot.targets.items():
            if record.order_id in self._records:
                self._return_order(record, exits.targets[role])
        for record in resting:
            if record.order_id not in self._returning:
                self._return_order(record, slot.entry.open[record.attempt])
        closing = slot.closing
        if closing is not None and closing.order_id in self._records:
            self._return_order(closing, min(closing.quantity, exits.left))
        else:
            self._act_exits(slot, exits.close_lost())

    def _return_order(self, record: OrderRecord, quantity: float) -> None:
        self._returning[record.order_id] = record
        self.submit_order(self.engine_order(record, quantity))

    def _act_exits(self, slot: Slot, actions: list[ExitAction]) -> None:
        raise NotImplementedError

    def _drop_if_over(self, slot: Slot) -> None:
        raise NotImplementedError

    @property
    def restoring(self) -> bool:
        """Whether something has not come back yet."""
        return bool(self._reopening or self._returning)

    def not_restored(self) -> list[str]:
        """Return what could not come back or has not yet, in words."""
        waiting = [f"{self.strategy_name}: order {name} has not come back" for name in self._reopening]
        return [
            *self.restore_problems,
            *waiting,
            *(f"{self.strategy_name}: order {name} has not come back" for name in self._returning),
        ]

    def restore_filled(self, event: Any) -> bool:
        """Take the fill of a restore order; True if it was one: the books do not hear of it."""
        slot = self._reopening.get(str(event.client_order_id))
        if slot is None:
            return False
        order = self.cache.order(event.client_order_id)
        if order is None or order.is_closed:
            del self._reopening[str(event.client_order_id)]
            self._return_orders(slot)
        return True

    def restore_accepted(self, event: Any) -> bool:
        """Take the acceptance of an order that came back; True if it was one."""
        record = self._returning.pop(str(event.client_order_id), None)
        if record is None:
            return str(event.client_order_id) in self._reopening
        record.working = True
        if record.role is Role.STOP:
            self.sync_stop(record.slot)  # a change that was under way when the run stopped
        return True

    def restore_refused(self, event: Any, action: str) -> bool:
        """Note an order that could not come back; True if the strategy has nothing more to do about it."""
        order_id = str(event.client_order_id)
        reason = f"{action}: {getattr(event, 'reason', '') or 'no reason'}"
        slot = self._reopening.pop(order_id, None)
        if slot is not None:
            signal = slot.signal
            self.restore_problems.append(
                f"{self.strategy_name} {signal.instrument}: the position could not be opened again, {reason}"
            )
            return True
        record = self._returning.pop(order_id, None)
        if record is not None:
            self.restore_problems.append(
                f"{self.strategy_name} {record.slot.signal.instrument}: {record.role} order {order_id} "
                f"could not be placed again, {reason}"
            )
        return False  # a resting order that is lost is handled as at any other time

    # --- what happened without the desk --------------------------------------------------------------------

    def unprotected_slots(self) -> list[str]:
        """Return the positions without a working stop of at least their size, in words."""
        found = []
        for name, slot in self.slots.items():
            stop, left = slot.stop, slot.exits.left
            if left <= 0.0 or (stop is not None and stop.working and stop.quantity >= left):
                continue
            found.append(f"{self.strategy_name} {name}: no stop works for {left:g}")
        return found

    def adopt_reduction(
        self,
        instrument: str,
        quantity: float,
        price: float,
        fee_usd: float = 0.0,
        slippage_usd: float = 0.0,
        reason: str = FOREIGN_CHANGE,
    ) -> None:
        """Book that a part of a position was closed by no order of this strategy; go on with the rest."""
        slot = self.slots[instrument]
        signal, now = slot.signal, self.desk_clock.now_ns
        fill = Fill(
            now, now, signal.trace_id, self.strategy_name, instrument,
            client_order_id(self.run_id, signal.trace_id, reason, slot.next_attempt(reason)),
            Role.EXIT, -signal.side, quantity, price, fee_usd, slippage_usd, False, self._virtual_asset,
            reason,
        )  # fmt: skip
        self.publish_message(self._topics["fill"], fill)
        actions = slot.exits.exit_filled(Role.EXIT, quantity, True)
        self._act_exits(slot, actions)
        self._drop_if_over(slot)


def _slot_state(slot: Slot, live: dict[str, OrderRecord]) -> dict[str, Any]:
    signal, stop = slot.signal, slot.stop
    single = [order for order in (stop, slot.closing) if order is not None]
    orders = [*slot.entries.values(), *single, *slot.targets.values()]
    return {
        "signal": {**signal._asdict(), "exits": signal.exits._asdict()},
        "entry": slot.entry.state(),
        "exits": slot.exits.state(),
        "stop_wanted": slot.stop_wanted,
        "attempts": dict(slot.attempts),
        "orders": [_order_state(record) for record in orders if record.order_id in live],
        **{name: getattr(slot, name) for name in _NUMBERS},
    }


def _order_state(record: OrderRecord) -> dict[str, Any]:
    return {
        "order_id": record.order_id,
        "role": record.role.value,
        "attempt": record.attempt,
        "side": record.side,
        "quantity": record.quantity,
        "price": record.price,
        "order_type": record.order_type,
        "reason": record.reason,
        "takeover": None if record.takeover is None else list(record.takeover),
        "tags": list(record.tags),
    }


def _slot(values: dict[str, Any]) -> Slot:
    spoken = dict(values["signal"])
    exits = dict(spoken["exits"])
    exits["targets_r"] = tuple(exits["targets_r"])
    spoken |= {
        "exits": ExitSpec(**exits),
        "entry_style": EntryStyle(spoken["entry_style"]),
        "indicators": tuple((name, value) for name, value in spoken["indicators"]),
    }
    slot = Slot(
        Signal(**spoken), EntryMachine.from_state(values["entry"]), ExitMachine.from_state(values["exits"])
    )
    wanted = values["stop_wanted"]
    slot.stop_wanted = None if wanted is None else (wanted[0], wanted[1])
    slot.attempts = dict(values["attempts"])
    for name in _NUMBERS:
        setattr(slot, name, values[name])
    return slot


def _records_of(slot: Slot, orders: list[dict[str, Any]]) -> list[OrderRecord]:
    """Return the records of a slot's resting orders and put them into their places."""
    records = []
    for values in orders:
        role, taken = Role(values["role"]), values["takeover"]
        record = OrderRecord(
            slot, values["order_id"], ClientOrderId(values["order_id"]), role, values["attempt"],
            values["side"], values["quantity"], values["price"], values["order_type"],
            role is not Role.ENTRY, values["reason"],
            takeover=None if taken is None else Takeover(*taken), tags=tuple(values["tags"]),
        )  # fmt: skip
        if role is Role.ENTRY:
            slot.entries[record.attempt] = record
        elif role is Role.STOP:
            slot.stop = record
        elif role is Role.EXIT:
            slot.closing = record
        else:
            slot.targets[role] = record
        records.append(record)
    return records
