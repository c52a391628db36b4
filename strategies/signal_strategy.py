"""The base of every strategy: rule -> signal -> approved ticket -> entry -> exits, driven by whole instants.

Guarantees: an entry is sent only for an `Approved` of its own signal and never while the gate is shut; a
signal gets exactly one answer (none after the publish returned counts as TOOL_ERROR); exits are never gated,
always reduce-only and sized once the entry order has settled; bars decide, no clock is read.
"""

from __future__ import annotations

from typing import Any

from risk.vocabulary import (
    MINUTE_NS,
    Approved,
    Bar,
    Decision,
    DeskMode,
    DeskState,
    Fill,
    Instant,
    RefusalReason,
    Refused,
    Role,
)
from strategies import bus
from strategies.acting import ActingDesk
from strategies.entry import EntryMachine
from strategies.exits import ExitMachine
from strategies.guarded import guarded
from strategies.registry import StrategySpec
from strategies.rule import Rule, Setup, signal_of
from strategies.slot import OrderRecord, Slot

# What the simulated venue says of a stop whose trigger lies at or beyond the market.
IN_THE_MARKET = "was in the market"


class SignalStrategy(ActingDesk):
    """Runs one pure rule per instrument; subclasses only name their rule."""

    def setup(self, spec: StrategySpec, priority: int, **orders: Any) -> SignalStrategy:
        """Hand over the strategy's spec, its bus priority and the arguments of `setup_orders`."""
        self.setup_orders(spec.name, **orders)
        self.setup_restore()
        self.spec, self.priority = spec, priority
        self.panel = spec.rule.panel(sorted(self.rules))
        self.rule: dict[str, Rule] = self.panel.rules
        self.slots: dict[str, Slot] = {}
        self._entering: dict[str, Slot] = {}
        self._gate_shut: str = ""
        self._closed_ns = 0  # the last instant whose bars are over
        self._in_fill = False
        self._postponed: DeskState | None = None
        self._answered = ""
        self._decision_topic, self._signal_topic = bus.decision(spec.name), bus.signal(spec.name)
        return self

    def on_start(self) -> None:
        """Subscribe to the desk's topics; market data comes through the router only."""
        self.hear(bus.INSTANT, self.on_instant, self.priority)
        self.hear(self._decision_topic, self.on_decision, 10)
        self.hear(bus.STATE, self.on_desk_state, bus.STATE_PRIORITY_OFFSET + self.priority)

    # --- bars -> signals -----------------------------------------------------------------------------------

    @guarded
    def on_instant(self, instant: Instant) -> None:
        """Feed the rules, manage what is held, then speak about new setups."""
        spec = self.spec
        self._closed_ns = instant.ts_event
        if instant.funding and (spec.rule.uses_funding or self.slots):
            self._take_funding(instant)
        if spec.rule.uses_reference:
            for name, price in instant.references:
                if name in self.rule:
                    self.rule[name].on_reference(instant.ts_event, price)
        if self._entering:
            self._advance_entries(instant)
        if self.slots:
            self._close_entry_bars(instant)
        warm_only, slots = instant.warm_only, self.slots
        for bar, setup in self.panel.read(instant.bars.get(spec.minutes, ()), slots):
            if warm_only:
                continue
            slot = slots.get(bar.instrument)
            if slot is not None and slot.exits.left > 0.0:
                self._manage(slot, bar, self.rule[bar.instrument])
            if setup is not None and bar.ts_event == instant.ts_event:
                self._speak(setup, bar)

    def _take_funding(self, instant: Instant) -> None:
        for funding in instant.funding:
            rule = self.rule.get(funding.instrument)
            if rule is not None and self.spec.rule.uses_funding:
                rule.on_funding(funding)
            slot = self.slots.get(funding.instrument)
            if slot is not None:
                slot.exits.settled(instant.ts_event)

    def _speak(self, setup: Setup, bar: Bar) -> None:
        signal = signal_of(self.spec.rule, bar, setup)
        self._answered = ""
        self.publish_message(self._signal_topic, signal)
        if self._answered != signal.trace_id:
            refusal = Refused(
                signal.ts_event, signal, RefusalReason.TOOL_ERROR, "no agent answered the signal"
            )
            self.publish_message(self._decision_topic, refusal)

    @guarded
    def on_decision(self, decision: Decision) -> None:
        """Start the entry that was approved; a refusal needs no action."""
        if self._answered == decision.signal.trace_id:
            return
        self._answered = decision.signal.trace_id
        if not isinstance(decision, Approved):
            return
        if self._gate_shut:
            self._report_entry(decision.signal, 0.0, 0.0, self._gate_shut.lower())
        else:
            self._enter(decision)

    def _enter(self, approved: Approved) -> None:
        ticket, signal = approved.ticket, approved.signal
        rules = self.rules[signal.instrument]
        plan = ticket.plan
        entry = EntryMachine(
            ticket.style,
            ticket.children,
            ticket.limit_price,
            signal.ts_event + signal.minutes * MINUTE_NS,
            rules,
        )
        costs = plan.costs.per_unit - plan.costs.funding
        exits = ExitMachine(signal.side, signal.exits, rules, signal.minutes, costs / signal.reference_price)
        slot = self.slots[signal.instrument] = Slot(signal, entry, exits)
        slot.expected_slippage_bps = ticket.expected_slippage_bps
        self._entering[signal.instrument] = slot
        self._act_entry(slot, entry.start())

    # --- bars -> entries and exits -------------------------------------------------------------------------

    def _advance_entries(self, instant: Instant) -> None:
        fresh = {bar.instrument for bars in instant.bars.values() for bar in bars}
        for instrument, slot in list(self._entering.items()):
            if instrument in fresh and instant.ts_event > slot.signal.ts_event:
                self._act_entry(slot, slot.entry.on_instant(instant.ts_event))

    def _manage(self, slot: Slot, bar: Bar, rule: Rule) -> None:
        spec = slot.signal.exits
        condition = rule.exit_due(slot.signal.side) if spec.on_condition else None
        self._act_exits(slot, slot.exits.bar_closed(bar.ts_event, bar.close, rule.atr, condition))

    # --- engine events -------------------------------------------------------------------------------------

    @guarded
    def on_order_filled(self, event: Any) -> None:
        """Book a fill, then let the machines say what follows."""
        if self._reopening and self.restore_filled(event):
            return
        record = self.record_of(event)
        if record is None:
            self.log.error(f"fill of an unknown order {event.client_order_id}")
            return
        order = self.cache.order(event.client_order_id)
        closed = order is None or order.is_closed
        if closed:
            self.order_ended(record)
        # The fill itself may be what halts the desk: what is flattened then is what is held after it.
        self._in_fill = True
        try:
            fill = self.publish_fill(record, event)
        finally:
            self._in_fill = False
        self._book(record, fill, closed)
        if self._postponed is not None:
            state, self._postponed = self._postponed, None
            self.obey(state)

    def _book(self, record: OrderRecord, fill: Fill, closed: bool) -> None:
        slot, role = record.slot, record.role
        if role is Role.ENTRY:
            slot.entry.child_filled(record.attempt, fill.quantity, closed)
            resting = record.order_type == "limit"
            if resting:
                slot.resting_fill_ns = fill.ts_event
            self._act_exits(slot, slot.exits.entry_filled(fill.quantity, fill.price, closed or resting))
            self._check_entry(slot)
            return
        actions = slot.exits.exit_filled(role, fill.quantity, closed)
        if slot.exits.left <= 0.0:
            self._act_entry(slot, slot.entry.stop("position closed"))
            self._drop_if_over(slot)
            return
        self._act_exits(slot, actions)
        if role is Role.EXIT and closed:
            self._act_exits(slot, slot.exits.close_failed())

    @guarded
    def on_order_accepted(self, event: Any) -> None:
        """Mark an order as working; a stop may want another size by now."""
        if self.restoring and self.restore_accepted(event):
            return
        record = self.record_of(event)
        if record is None:
            return
        record.working = True
        self.publish_outcome(record, "accepted")
        if record.role is Role.STOP:
            self.publish_protection(record.slot)
            self.sync_stop(record.slot)

    @guarded
    def on_order_updated(self, event: Any) -> None:
        """Take over the size and price the venue confirmed (it also shrinks reduce-only orders by itself)."""
        record = self.record_of(event)
        if record is None:
            return
        self.take_over(record, event)
        self.publish_outcome(record, "updated")
        if record.role is Role.STOP:
            self.publish_protection(record.slot)
            self.sync_stop(record.slot)

    @guarded
    def on_order_modify_rejected(self, event: Any) -> None:
        """A stop that cannot be moved to where it must be means the market is beyond it: close."""
        record = self.record_of(event)
        if record is None:
            return
        self.publish_outcome(record, "modify_rejected", str(event.reason))
        record.pending = None
        if record.role is Role.STOP and record.working:
            self._act_exits(record.slot, record.slot.exits.close("stop_passed"))

    @guarded
    def on_order_rejected(self, event: Any) -> None:
        """Handle a venue's refusal."""
        self._ended(event, "rejected")

    @guarded
    def on_order_denied(self, event: Any) -> None:
        """Handle a refusal by the engine's own risk checks."""
        self._ended(event, "denied")

    @guarded
    def on_order_canceled(self, event: Any) -> None:
        """Handle a cancel, ours or the venue's."""
        self._ended(event, "canceled")

    @guarded
    def on_order_expired(self, event: Any) -> None:
        """Handle an expiry."""
        self._ended(event, "expired")

    def _ended(self, event: Any, action: str) -> None:
        if self.restoring and self.restore_refused(event, action):
            return
        record = self.record_of(event)
        if record is None:
            return
        self.order_ended(record)
        self.publish_outcome(record, action, str(getattr(event, "reason", "") or ""))
        self.tell_foreign_end(record, action)
        slot = record.slot
        if record.role is Role.ENTRY:
            actions = slot.entry.child_ended(record.attempt, action)
            self._act_exits(slot, slot.exits.protect())
            self._act_entry(slot, actions)
        elif record.role is Role.STOP:
            self._stop_ended(slot, record, str(getattr(event, "reason", "") or ""))
        elif record.role is Role.EXIT and slot.exits.left > 0.0:
            self._act_exits(slot, slot.exits.close_failed())

    def _stop_ended(self, slot: Slot, record: OrderRecord, reason: str) -> None:
        if slot.stop is record:
            slot.stop = None
        if slot.exits.left > 0.0:
            self.publish_protection(slot)
            passed = IN_THE_MARKET in reason  # price went through the stop before it could be placed
            self._act_exits(slot, slot.exits.close("stop_passed") if passed else slot.exits.stop_lost())

    # --- desk ----------------------------------------------------------------------------------------------

    @guarded
    def on_desk_state(self, state: DeskState) -> None:
        """Shut or open the gate for entries; exits are never gated."""
        self._gate_shut = "" if state.mode is DeskMode.ACTIVE else str(state.reason or state.mode)
        if self._in_fill:
            self._postponed = state
        else:
            self.obey(state)

    def obey(self, state: DeskState) -> None:
        """Cancel entries while the gate is shut; close everything if that is what the state says."""
        if not self._gate_shut:
            return
        for slot in list(self.slots.values()):
            self._act_entry(slot, slot.entry.stop(self._gate_shut.lower()))
            if state.flatten:
                self._act_exits(slot, slot.exits.close(self._gate_shut.lower()))
