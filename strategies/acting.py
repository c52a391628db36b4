"""What a strategy does when the machines of entry and exit have spoken: orders out, and the end of it told.

Guarantees: an entry is reported once, when its order has settled; targets are placed when the bar of the
entry is over; a close cancels everything else of its position first.
"""

from __future__ import annotations

from collections.abc import Iterator

from risk.vocabulary import EntryDone, Instant, Role, Signal
from strategies import bus
from strategies.entry import EntryAction, SendEntry
from strategies.exits import CloseAll, ExitAction, PlaceTarget, SetStop
from strategies.restore import RestoredDesk
from strategies.slot import Slot


class ActingDesk(RestoredDesk):
    """Base of `SignalStrategy`: carries out the actions of its machines."""

    _closed_ns: int  # the last instant whose bars are over

    def working_orders(self) -> Iterator[tuple[str, str]]:
        """Yield instrument and name of each order that has not ended, also of positions that are over."""
        for record in self._records.values():
            yield record.slot.signal.instrument, f"{record.role} order {record.order_id}"

    # --- entries -------------------------------------------------------------------------------------------

    def _act_entry(self, slot: Slot, actions: list[EntryAction]) -> None:
        signal = slot.signal
        for action in actions:
            if isinstance(action, SendEntry):
                if action.price is None:
                    record = self.send_market(
                        slot, Role.ENTRY, signal.side, action.quantity, slot.expected_slippage_bps
                    )
                elif slot.stop is None:
                    stop_price = slot.exits.stop_for(action.price)
                    record = self.send_protected_entry(
                        slot, signal.side, action.quantity, action.price, stop_price
                    )
                else:
                    record = self.send_limit(slot, Role.ENTRY, signal.side, action.quantity, action.price)
                record.attempt = action.attempt
                slot.entries[action.attempt] = record
            else:
                self.send_cancel(slot.entries.get(action.attempt))
        self._check_entry(slot)

    def _check_entry(self, slot: Slot) -> None:
        if slot.entry_reported or not slot.entry.done:
            return
        slot.entry_reported = True
        signal, exits = slot.signal, slot.exits
        self._entering.pop(signal.instrument, None)
        # Inside an instant the targets wait for its close: an order sent while its bars run makes a
        # backtest's venue look at all stops once more, and a sandbox's not.
        if self._closed_ns == self.desk_clock.now_ns:
            self._act_exits(slot, exits.entry_complete(self._closed_ns))
        self._report_entry(signal, exits.entered, exits.average_price, slot.entry.reason)
        self._drop_if_over(slot)

    def _report_entry(self, signal: Signal, filled: float, average_price: float, reason: str) -> None:
        done = EntryDone(
            self.desk_clock.now_ns,
            signal.trace_id,
            self.strategy_name,
            signal.instrument,
            filled,
            average_price,
            reason,
        )
        self.publish_message(bus.entry_done(self.strategy_name), done)

    # --- exits ---------------------------------------------------------------------------------------------

    def _act_exits(self, slot: Slot, actions: list[ExitAction]) -> None:
        side = -slot.signal.side
        for action in actions:
            if isinstance(action, SetStop):
                slot.stop_wanted = (action.quantity, action.price)
                self.sync_stop(slot)
            elif isinstance(action, PlaceTarget):
                slot.targets[action.role] = self.send_limit(
                    slot, action.role, side, action.quantity, action.price
                )
            elif isinstance(action, CloseAll):
                self._close(slot, action)

    def _close(self, slot: Slot, action: CloseAll) -> None:
        self._act_entry(slot, slot.entry.stop(action.reason))
        for record in slot.targets.values():
            self.send_cancel(record)
        notional = action.quantity * slot.exits.average_price
        slippage = self.slippage_bps(slot.signal.instrument, notional) + slot.overrun_bps
        slot.closing = self.send_market(
            slot, Role.EXIT, -slot.signal.side, action.quantity, slippage, action.reason
        )

    def _close_entry_bars(self, instant: Instant) -> None:
        """Close what its resting entry's own bar carried through the stop in one step; else place targets."""
        for name, slot in list(self.slots.items()):
            if slot.resting_fill_ns == instant.ts_event and slot.exits.left > 0.0:
                bars = (
                    bar for m in sorted(instant.bars) for bar in instant.bars[m] if bar.instrument == name
                )
                finest = next(bars, None)
                way_back_bps = slot.passed_by(finest) if finest is not None else None
                if way_back_bps is not None:
                    slot.overrun_bps = way_back_bps  # price must have gone through it after the fill
                    self._act_exits(slot, slot.exits.close("stop_passed"))
            if slot.entry_reported and slot.exits.bar_zero_ns == 0:
                self._act_exits(slot, slot.exits.entry_complete(instant.ts_event))

    def _drop_if_over(self, slot: Slot) -> None:
        if not slot.over:
            return
        self.send_cancel(slot.stop)
        for record in slot.targets.values():
            self.send_cancel(record)
        if self.slots.get(slot.signal.instrument) is slot:
            del self.slots[slot.signal.instrument]
