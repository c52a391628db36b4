"""ReconcilerActor: books against venue, after a restart and between any two instants of a live run.

Guarantees: until a resumed run has found every position, every resting order and a stop for every position
at the venue, entries are refused with RECONCILING and what is missing is said; what an exit filled beyond
its own position is booked where the venue took it from, at the price of the fill; a position that became
smaller without the desk is booked at the last price and halts its instrument; one that became larger or
turned is never touched, and halts its instrument until an operator says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from actors.agent import DeskAgent
from risk.books import Books
from risk.engine import RiskDesk
from risk.vocabulary import Alarm, DeskState, Fill
from strategies import bus
from strategies.guarded import guarded
from strategies.order_desk import FOREIGN_CHANGE
from strategies.signal_strategy import SignalStrategy

RECONCILING = "reconciling"
"""Flag that refuses entries: something at the venue is not explained (yet); `@<instrument>` limits it."""

NETTED = "netted"
"""Kind of the alarm, and exit reason, of what one strategy's exit took out of another one's position."""

_SIZE_NOISE = 1e-9
_SIZE_DIGITS = 12


def held_back(instrument: str) -> str:
    """Return the start of the flag that keeps entries of one instrument back."""
    return f"{RECONCILING}@{instrument}"


class ReconcilerActor(DeskAgent):
    """Compares what the desk believes with what the engine's cache holds."""

    agent: ClassVar[str] = "reconciler"

    def setup(
        self,
        risk_desk: RiskDesk,
        strategies: Sequence[SignalStrategy],
        flags: set[str],
        desk_state: Callable[[], DeskState],
        *,
        restarted: bool,
    ) -> ReconcilerActor:
        """Hand over the books, the strategies, the flags that refuse entries, and the desk state in force."""
        self._desk_state = desk_state
        self._desk, self._strategies, self._flags = risk_desk, strategies, flags
        self._told: dict[str, float] = {}  # instrument -> difference that was told already
        if restarted:
            self._block("positions and orders are being opened again after a restart")
        return self

    def on_start(self) -> None:
        """Subscribe before the monitor, so that what is found belongs to the same checkpoint."""
        self.hear(bus.RESTORED, self.on_restored, bus.MONITOR_PRIORITY + 1)
        self.hear(bus.SETTLED, self.on_settled, bus.MONITOR_PRIORITY + 1)
        self.hear(bus.ALARM, self.on_alarm, bus.MONITOR_PRIORITY + 1)
        self.hear(bus.SURPLUS, self.on_surplus, bus.MONITOR_PRIORITY + 1)

    @property
    def _reconciling(self) -> bool:
        return any(flag.partition(":")[0] == RECONCILING for flag in self._flags)

    def _block(self, detail: str) -> None:
        self._unblock()
        self._flags.add(f"{RECONCILING}:{detail}")

    def _unblock(self) -> None:
        self._flags -= {flag for flag in self._flags if flag.partition(":")[0] == RECONCILING}

    @guarded
    def on_restored(self, ts: int) -> None:
        """Look whether everything came back; entries are allowed again if it did."""
        for strategy in self._strategies:
            strategy.obey(self._desk_state())  # what an operator said while the run was stopped
        problems = self._problems()
        if not problems:
            self._unblock()
            return
        detail = "; ".join(problems)
        self._block(detail)
        self.publish_message(bus.ALARM, Alarm(ts, RECONCILING, "restart", detail))

    @guarded
    def on_settled(self, ts: int) -> None:
        """Compare the positions; look again at what was missing after a restart."""
        if self._reconciling:
            if self._problems():
                return
            self._unblock()
            detail = "everything the desk holds is at the venue, with its stop"
            self.publish_message(bus.ALARM, Alarm(ts, RECONCILING, "explained", detail))
        self._compare(ts)

    @guarded
    def on_alarm(self, alarm: Alarm) -> None:
        """Keep entries of an instrument back on which something happened that the desk did not cause."""
        if alarm.kind == FOREIGN_CHANGE:
            self._flags.add(f"{held_back(alarm.subject)}:{alarm.detail}")

    @guarded
    def on_surplus(self, fill: Fill) -> None:
        """Book what an exit filled beyond its position on those that the venue took it from.

        The account is netted: reduce-only clips an order at the account's position, not at the strategy's.
        """
        left, name = fill.quantity, fill.instrument
        for strategy in self._strategies:
            held = self._desk.books.positions.get((strategy.strategy_name, name))
            if (
                held is None
                or held.side == fill.side
                or left <= 0.0
                or strategy.strategy_name == fill.strategy
            ):
                continue
            part = min(left, held.quantity)
            left = max(0.0, round(left - part, _SIZE_DIGITS))
            detail = (
                f"{part:g} of {fill.role} order {fill.client_order_id} of {fill.strategy} closed what "
                f"{strategy.strategy_name} holds: the venue nets one position an instrument"
            )
            self.publish_message(bus.ALARM, Alarm(fill.ts_event, NETTED, name, detail))
            share = part / fill.quantity
            strategy.adopt_reduction(
                name,
                part,
                fill.price,
                round(fill.fee * share, 8),
                round(fill.slippage_usd * share, 8),
                NETTED,
            )
        if left > 0.0:
            detail = f"{left:g} of {fill.role} order {fill.client_order_id} filled beyond every position"
            self.publish_message(bus.ALARM, Alarm(fill.ts_event, FOREIGN_CHANGE, name, detail))

    def _problems(self) -> list[str]:
        """Return what the desk believes to hold and the venue does not, in words."""
        problems = [problem for strategy in self._strategies for problem in strategy.not_restored()]
        engine = self._engine_positions()
        expected = {
            (name, instrument): p.side * p.quantity
            for (name, instrument), p in self._desk.books.positions.items()
        }
        for key in sorted({*engine, *expected}):
            here, there = expected.get(key, 0.0), engine.get(key, 0.0)
            if abs(here - there) > _SIZE_NOISE * max(1.0, abs(here)):
                problems.append(f"{key[0]} {key[1]}: the books hold {here:g}, the venue {there:g}")
        for strategy in self._strategies:
            problems += strategy.unprotected_slots()
        return problems

    def _engine_positions(self) -> dict[tuple[str, str], float]:
        names = {str(strategy.strategy_id): strategy.strategy_name for strategy in self._strategies}
        found: dict[tuple[str, str], float] = {}
        for position in self.cache.positions_open():
            owner = str(position.strategy_id)
            key = (names.get(owner, owner), str(position.instrument_id))
            found[key] = found.get(key, 0.0) + _signed(position)
        return found

    def _compare(self, ts: int) -> None:
        """Find net positions that the desk did not make."""
        books = self._desk.books
        net: dict[str, float] = {}
        for position in self.cache.positions_open():
            name = str(position.instrument_id)
            net[name] = net.get(name, 0.0) + _signed(position)
        ours: dict[str, float] = {}
        for held in books.positions.values():
            ours[held.instrument] = ours.get(held.instrument, 0.0) + held.side * held.quantity
        for name in sorted({*net, *ours}):
            here, there = ours.get(name, 0.0), net.get(name, 0.0)
            if abs(here - there) <= _SIZE_NOISE * max(1.0, abs(here)):
                self._told.pop(name, None)
            elif self._told.get(name) != there - here:
                self._told[name] = there - here
                self._explain(ts, name, here, there, books)

    def _explain(self, ts: int, name: str, here: float, there: float, books: Books) -> None:
        price = self._desk.market.price(name)
        smaller = here * there >= 0.0 and abs(there) < abs(here)
        detail = f"{name}: the books hold {here:g}, the venue {there:g}, and the desk did not trade"
        if not smaller or price is None:
            detail += "; it is left alone, an operator must look at it"
            self.publish_message(bus.ALARM, Alarm(ts, FOREIGN_CHANGE, name, detail))
            return
        gone = abs(here) - abs(there)
        detail += f"; {gone:g} booked as closed at the last price {price:g}"
        self.publish_message(bus.ALARM, Alarm(ts, FOREIGN_CHANGE, name, detail))
        for strategy in self._strategies:
            position = books.positions.get((strategy.strategy_name, name))
            if position is not None and gone > 0.0 and name in strategy.slots:
                part = min(gone, position.quantity)
                strategy.adopt_reduction(name, part, price)
                gone -= part


def _signed(position: Any) -> float:
    return float(position.signed_qty)
