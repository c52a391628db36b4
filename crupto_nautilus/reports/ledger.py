"""The books of a run, rebuilt from its fills and funding alone.

Guarantees: nothing here reads what the desk's own ledger wrote (`trades`, `equity`), so the two can be
compared. Money is USDT; gross is price PnL at fill prices, fees and slippage are positive costs, funding
received is positive, and so is what the venue bore of a liquidation.  What cannot be booked (an exit larger
than the position, an entry against one) is kept in `problems`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from crupto_nautilus.reports.facts import RunFacts
from crupto_nautilus.reports.run_folder import RunFolder

ENTRY = "entry"
MONEY_DIGITS = 8
"""Decimals of USDT to which the venue rounds each booking; rounding alike, long runs do not drift."""

Key = tuple[str, str]  # strategy, instrument


def money(amount: float) -> float:
    """Round to the venue's unit of money."""
    return round(amount, MONEY_DIGITS)


class Event(NamedTuple):
    """One row of one table, in the order in which it happened."""

    ts_event: int
    seq: int
    table: str
    row: Any  # named tuple with the table's columns


def timeline(rows: Callable[[str], list[Any]], tables: Iterable[str]) -> list[Event]:
    """Return the rows of several tables in one order: time, recording order, order of `tables`.

    `rows` gives the rows of a table as named tuples.
    """
    events: list[tuple[int, int, int, Event]] = []
    for rank, name in enumerate(tables):
        for row in rows(name):
            events.append((row.ts_event, row.seq, rank, Event(row.ts_event, row.seq, name, row)))
    events.sort(key=lambda item: item[:3])
    return [item[3] for item in events]


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """Return the rows of a frame as named tuples of plain Python values."""
    names = [str(name) for name in frame.columns]
    row_type = NamedTuple("Row", [(name, Any) for name in names])  # type: ignore[misc]
    columns = [frame[name].tolist() for name in names]
    return list(map(row_type, *columns)) if len(frame) else []


@dataclass(slots=True)
class Position:
    """A position from its first entry fill; `quantity` is what is held now, 0 once it is closed."""

    trace_id: str
    strategy: str
    instrument: str
    side: int
    ts_open: int
    quantity: float = 0.0
    average_price: float = 0.0
    entered: float = 0.0
    exited: float = 0.0
    entry_value: float = 0.0
    exit_value: float = 0.0
    gross_usd: float = 0.0
    fees_usd: float = 0.0
    slippage_usd: float = 0.0
    funding_usd: float = 0.0
    liquidation_usd: float = 0.0
    ts_close: int = 0
    last_role: str = ""

    @property
    def net_usd(self) -> float:
        """Booked so far: gross - fees - slippage + funding + liquidation."""
        costs = self.fees_usd + self.slippage_usd
        return self.gross_usd - costs + self.funding_usd + self.liquidation_usd

    @property
    def entry_price(self) -> float:
        """Average price of all entry fills."""
        return self.entry_value / self.entered if self.entered else 0.0

    @property
    def exit_price(self) -> float:
        """Average price of all exit fills; 0 before the first."""
        return self.exit_value / self.exited if self.exited else 0.0

    @property
    def cost_usd(self) -> float:
        """Signed value of what is held, at its average price."""
        return self.side * self.quantity * self.average_price


class Ledger:
    """Applies fills and funding one by one.

    Parameters
    ----------
    balance
        Starting balance.
    steps
        Size step of each instrument: half a step counts as flat.
    """

    def __init__(self, balance: float, steps: Mapping[str, float]) -> None:
        self.balance = balance
        self.open: dict[Key, Position] = {}
        self.closed: list[Position] = []
        self.problems: list[str] = []
        self.late_funding_usd = 0.0  # what the venue's account showed after its trade had closed
        self._steps = steps

    def dust(self, instrument: str) -> float:
        """Quantities below this are nothing."""
        return self._steps.get(instrument, 1e-8) / 2

    def apply_fill(self, fill: Any) -> None:
        """Book one fill."""
        self.balance = money(self.balance - money(fill.fee + fill.slippage_usd - fill.liquidation_usd))
        key = (fill.strategy, fill.instrument)
        position = self.open.get(key)
        if fill.role == ENTRY:
            if position is None:
                position = self.open[key] = Position(
                    fill.trace_id, fill.strategy, fill.instrument, fill.side, fill.ts_event
                )
            elif position.side != fill.side or position.trace_id != fill.trace_id:
                self.problems.append(f"{fill.trace_id}: entry fill into the position of {position.trace_id}")
                return
            self._enter(position, fill)
            return
        if position is None:
            self.problems.append(f"{fill.trace_id}: {fill.role} fill of {fill.quantity:g} without a position")
            return
        if fill.side == position.side or fill.quantity > position.quantity + self.dust(fill.instrument):
            self.problems.append(
                f"{fill.trace_id}: {fill.role} fill of {fill.side * fill.quantity:+g} on a position of "
                f"{position.side * position.quantity:+g}"
            )
            return
        self._exit(position, fill)
        if position.quantity <= self.dust(fill.instrument):
            position.quantity = 0.0
            position.ts_close = fill.ts_event
            self.closed.append(self.open.pop(key))

    def _enter(self, position: Position, fill: Any) -> None:
        held = position.quantity + fill.quantity
        position.average_price = (
            position.average_price * position.quantity + fill.price * fill.quantity
        ) / held
        position.quantity = held
        position.entered += fill.quantity
        position.entry_value += fill.price * fill.quantity
        position.fees_usd += fill.fee
        position.slippage_usd += fill.slippage_usd

    def _exit(self, position: Position, fill: Any) -> None:
        gross = money((fill.price - position.average_price) * position.side * fill.quantity)
        self.balance = money(self.balance + gross)
        position.gross_usd += gross
        position.quantity -= fill.quantity
        position.exited += fill.quantity
        position.exit_value += fill.price * fill.quantity
        position.fees_usd += fill.fee
        position.slippage_usd += fill.slippage_usd
        position.liquidation_usd += fill.liquidation_usd
        position.last_role = fill.role

    def apply_funding(self, paid: Any) -> None:
        """Book one funding settlement on the position it names."""
        self.balance = money(self.balance + paid.amount_usd)
        position = self.open.get((paid.strategy, paid.instrument))
        if position is None or position.trace_id != paid.trace_id:
            if paid.ts_venue and any(over.trace_id == paid.trace_id for over in self.closed):
                self.late_funding_usd += paid.amount_usd  # its trade had closed when the venue's row came
                return
            self.problems.append(f"{paid.trace_id}: funding without a position")
            return
        position.funding_usd += paid.amount_usd
        if paid.ts_venue:
            return  # only the venue knows size, mark and rate that it settled
        expected = -position.side * position.quantity * paid.price * paid.rate
        if abs(expected - paid.amount_usd) > max(1e-6, 1e-6 * abs(expected)):
            self.problems.append(
                f"{paid.trace_id}: funding of {paid.amount_usd:.8f} USDT on {position.quantity:g} x "
                f"{paid.price:g} at {paid.rate:g}, expected {expected:.8f}"
            )


def size_steps(facts: RunFacts) -> dict[str, float]:
    """Return the size step of each instrument of a run."""
    return {instrument.instrument: instrument.step for instrument in facts.instruments}


def rebuild(folder: RunFolder) -> Ledger:
    """Return the books after the last event of a run."""
    ledger = Ledger(folder.facts.starting_equity, size_steps(folder.facts))
    for event in timeline(lambda name: rows_of(folder.table(name)), ("fills", "funding")):
        if event.table == "fills":
            ledger.apply_fill(event.row)
        else:
            ledger.apply_funding(event.row)
    return ledger
