"""Funding that a venue's account settles by itself: which row is booked, and on whom.

Guarantees: each row of the account is booked once, however late it comes and however often; it goes to who
held the instrument at the hour that was settled, by the venue's own times of the fills, also when the
position has changed or closed since; what survives a restart says up to where rows were read.  How much was
paid is never worked out here: only the venue knows the size that it settled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from risk.books import Books
from risk.positions import Share, money
from risk.vocabulary import DAY_NS, HOUR_NS, AccountFunding, Fill, FundingPaid

OVERLAP_NS: Final = DAY_NS
"""How far back the account is read again each time: a row may be that late."""
_KEPT_NS: Final = 2 * OVERLAP_NS

Marks = list[tuple[int, list[Share]]]


class Settlements:
    """What was held at full hours, where settlements lie, and which rows have been booked."""

    def __init__(self) -> None:
        self.read_ns = 0  # the account was read to here; 0: not yet
        self._booked: dict[str, int] = {}  # transaction -> when it was settled
        self._marks: dict[str, Marks] = {}  # by instrument: what was held at an hour after which it changed
        self._last: dict[str, list[Share]] = {}  # by instrument: who held it last

    def before_fill(self, fill: Fill, books: Books) -> None:
        """Note what the instrument's holders had until this fill, if it is the first one of its hour."""
        name = fill.instrument
        held = _held(name, books)
        if held:
            self._last[name] = held
        hour = fill.ts_venue // HOUR_NS * HOUR_NS
        marks = self._marks.setdefault(name, [])
        if not marks or marks[-1][0] < hour:
            marks.append((hour, held))
            self._marks[name] = [mark for mark in marks if mark[0] > hour - _KEPT_NS]

    def take(self, row: AccountFunding, books: Books) -> list[Share] | None:
        """Return who held what a new row was paid on; None if it is booked, empty if nobody ever held it."""
        if row.transaction in self._booked:
            return None
        self._booked[row.transaction] = row.ts_venue
        return self._holders(row, books)

    def read_until(self, ts: int) -> None:
        """Take note of how far the account has been read, and forget rows that are not read again."""
        self.read_ns = max(self.read_ns, ts)
        oldest = self.read_ns - _KEPT_NS
        if any(at < oldest for at in self._booked.values()):
            self._booked = {name: at for name, at in self._booked.items() if at >= oldest}

    def _holders(self, row: AccountFunding, books: Books) -> list[Share]:
        hour = (row.ts_venue + HOUR_NS // 2) // HOUR_NS * HOUR_NS  # the venue stamps some seconds later
        name = row.instrument
        now = _held(name, books)
        then = next((held for at, held in self._marks.get(name, ()) if at >= hour), now)
        # Times of fills are the venue's to the millisecond or the second: who came or went at the full hour
        # may have been settled although it held nothing then.
        return then or now or self._last.get(name, [])

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        return {
            "read_ns": self.read_ns,
            "booked": dict(self._booked),
            "marks": {
                name: [[at, [list(share) for share in held]] for at, held in marks]
                for name, marks in self._marks.items()
            },
            "last": {name: [list(share) for share in held] for name, held in self._last.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.read_ns, self._booked = state["read_ns"], dict(state["booked"])
        self._marks = {
            name: [(at, [Share(*share) for share in held]) for at, held in marks]
            for name, marks in state["marks"].items()
        }
        self._last = {name: [Share(*share) for share in held] for name, held in state["last"].items()}


def booked(row: AccountFunding, shares: Sequence[Share], books: Books, ts: int) -> list[FundingPaid]:
    """Book a row on who held it, in proportion; the parts sum to the row exactly."""
    held = math.fsum(share.quantity for share in shares)
    left, paid = money(row.amount_usd), []
    for share in shares:
        part = left if share is shares[-1] else money(row.amount_usd * share.quantity / held)
        left = money(left - part)
        books.receive_funding(share, row.instrument, part)
        who = (ts, share.trace_id, share.strategy, row.instrument, share.side, share.quantity)
        paid.append(FundingPaid(*who, price=math.nan, rate=math.nan, amount_usd=part, ts_venue=row.ts_venue))
    return paid


def _held(instrument: str, books: Books) -> list[Share]:
    return [
        Share(p.trace_id, p.strategy, p.side, p.quantity)
        for p in books.positions.values()
        if p.instrument == instrument and p.quantity > 0.0
    ]
