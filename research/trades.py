"""Trades of a candidate as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from research import simulate
from research.market import Frame

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trades:
    """Closed trades in the order of their entries.

    Rows are those of the instrument's frame.  `gross`, `cost`, `funding` and `net` are fractions of the
    entry's notional (funding is positive where it is received), `r` is net over what the plan risked, costs
    included; `exit_price` is the average.
    """

    instrument: NDArray[np.str_]
    entry_row: Ints
    exit_row: Ints
    entry_ts: Ints
    exit_ts: Ints
    side: NDArray[np.int8]
    entry_price: Floats
    exit_price: Floats
    gross: Floats
    cost: Floats
    funding: Floats
    net: Floats
    r: Floats
    risk: Floats
    reason: NDArray[np.int8]  # position in `simulate.REASONS`

    def __len__(self) -> int:
        return len(self.entry_row)

    @classmethod
    def of(cls, rows: Floats, frame: Frame) -> Trades:
        """Return the trades of one instrument from the rows of `simulate.walk`."""
        columns = np.ascontiguousarray(rows.T)  # one copy; what follows are its rows
        entry_row = columns[simulate.ENTRY_ROW].astype(np.int64)
        exit_row = columns[simulate.EXIT_ROW].astype(np.int64)
        gross, cost, funding = columns[simulate.GROSS], columns[simulate.COST], columns[simulate.FUNDING]
        risk, net = columns[simulate.RISK], gross - cost + funding
        return cls(
            instrument=np.full(len(rows), frame.instrument),
            entry_row=entry_row,
            exit_row=exit_row,
            entry_ts=frame.ts_event[entry_row],
            exit_ts=frame.ts_event[exit_row],
            side=columns[simulate.SIDE].astype(np.int8),
            entry_price=columns[simulate.ENTRY_PRICE],
            exit_price=columns[simulate.EXIT_PRICE],
            gross=gross,
            cost=cost,
            funding=funding,
            net=net,
            r=net / risk,
            risk=risk,
            reason=columns[simulate.REASON].astype(np.int8),
        )

    @classmethod
    def join(cls, parts: list[Trades]) -> Trades:
        """Return the trades of several instruments by entry time, then in the order given."""
        if len(parts) == 1:
            return parts[0]
        order = np.argsort(np.concatenate([part.entry_ts for part in parts]), kind="stable")
        return cls(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])[order]
                for field in fields(cls)
            }
        )
