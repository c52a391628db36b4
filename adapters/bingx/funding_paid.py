"""What the venue really paid or took as funding: the rows of the account's income, as they come.

Guarantees: the account is asked again and again, each time back over `OVERLAP_MS`, so that a row may be late
and a request may fail; each row is told at least once, in a process once; a payment that the user stream told
of and that has no row is asked for until it has one; what cannot be read for `TROUBLE_MS` is said.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from adapters.bingx.account_rows import IncomeRow, incomes
from adapters.bingx.constants import HISTORY_WINDOW_MS
from adapters.bingx.errors import BingxError
from adapters.bingx.rest import INCOME, BingxRest
from adapters.bingx.user_events import AccountEvent

KIND = "FUNDING_FEE"
PAGE = 1000
KEPT_MS = 90 * 86_400_000  # three months of income are kept
HOUR_MS = 3_600_000
OVERLAP_MS = 24 * HOUR_MS
POLL_MS = 60_000
AGAIN_MS = 5_000  # after a request that failed, and while a row is owed
TROUBLE_MS = 10 * 60_000

Told = Callable[[list[IncomeRow], int], object]


class Client(Protocol):
    """What the reader needs of the execution client."""

    rest: BingxRest

    def now_ms(self) -> int:
        """Return the venue's time."""

    def problem(self, text: str) -> None:
        """Tell what went wrong."""


class FundingReader:
    """Reads the account's funding while a node runs; it rests until `begin`.

    Attributes
    ----------
    rows : int
        How many rows have been told.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._told: Told | None = None
        self._start_ms = self._since_ms = self._until_ms = self._next_ms = 0
        self._known: dict[tuple[str, str, int], int] = {}
        self._owed: dict[tuple[object, ...], int] = {}  # payments that the stream told of, without their row
        self._error = ""
        self.rows = 0

    def begin(self, since_ms: int, told: Told) -> None:
        """Read from a time on; `told` gets the new rows and the time up to which the account was read."""
        self._start_ms, self._since_ms, self._told = since_ms, since_ms, told
        self._until_ms = self._client.now_ms()

    @property
    def is_due(self) -> bool:
        """Whether the account should be asked now."""
        return self._told is not None and not self._lock.locked() and self._client.now_ms() >= self._next_ms

    @property
    def owed(self) -> str:
        """Payments that have no row yet, in words; empty if there are none."""
        return f"{len(self._owed)} payments of funding have no row yet" if self._owed else ""

    @property
    def trouble(self) -> str:
        """Why the funding is not known; empty while all is well or a failure is young."""
        if self._told is None:
            return ""
        oldest = self._client.now_ms() - TROUBLE_MS
        if self._until_ms < oldest:
            return f"the account's income could not be read for {TROUBLE_MS // 60_000} minutes: {self._error}"
        return self.owed if any(at < oldest for at in self._owed.values()) else ""

    def heard(self, event: AccountEvent) -> None:
        """Take note of an account event: funding may have been paid."""
        if self._told is not None and event.reason == KIND:
            self._owed[event.ts_ms, *sorted(event.balances.items())] = event.ts_ms
            self._next_ms = 0

    async def read(self) -> bool:
        """Read the account and tell what is new; returns whether that worked."""
        told = self._told
        if told is None:
            return True
        async with self._lock:
            asked_ms = self._client.now_ms()
            self._next_ms = asked_ms + AGAIN_MS
            try:
                found = await funding_paid(self._client.rest, self._since_ms, asked_ms)
            except BingxError as error:
                self._error = str(error).splitlines()[0]
                self._client.problem(f"funding: {error}")
                return False
            self._until_ms = asked_ms
            self._since_ms = max(self._start_ms, asked_ms - OVERLAP_MS)
            new = [row for row in found if name_of(row) not in self._known]
            self._known = {name_of(row): row.ts_ms for row in found}
            self.rows += len(new)
            self._settle(found)
            if not self._owed:
                self._next_ms = asked_ms + POLL_MS
            told(new, asked_ms)
            return True

    def _settle(self, found: list[IncomeRow]) -> None:
        """Strike out payments whose hour has as many rows; an event does not name its instrument."""
        rows = Counter(_hour(row.ts_ms) for row in found)
        events = Counter(_hour(at) for at in self._owed.values())
        self._owed = {key: at for key, at in self._owed.items() if rows[_hour(at)] < events[_hour(at)]}


def name_of(row: IncomeRow) -> tuple[str, str, int]:
    """Return what tells a row from any other one."""
    return row.transaction_id, row.symbol, row.ts_ms


def _hour(ts_ms: int) -> int:
    return (ts_ms + HOUR_MS // 2) // HOUR_MS


async def funding_paid(rest: BingxRest, since_ms: int, until_ms: int) -> list[IncomeRow]:
    """Return the funding settlements of the account in a span, oldest first, each once.

    Raises
    ------
    BingxError
        The venue could not be read to the end, or a window has more rows than a page: then nothing is said.
    """
    found: dict[tuple[str, str, int], IncomeRow] = {}
    start = max(since_ms, until_ms - KEPT_MS)
    while start <= until_ms:
        end = min(until_ms, start + HISTORY_WINDOW_MS - 1)
        end = await _window(rest, start, end, found)
        start = end + 1
    return sorted(found.values(), key=lambda row: (row.ts_ms, row.symbol))


async def _window(rest: BingxRest, start: int, end: int, found: dict[tuple[str, str, int], IncomeRow]) -> int:
    """Read one window, halved until it fits a page; returns where it ended."""
    while True:
        query: dict[str, object] = {"incomeType": KIND, "startTime": start, "endTime": end, "limit": PAGE}
        rows = incomes(await rest.call(INCOME, query))
        if len(rows) < PAGE or end <= start:
            found.update({name_of(row): row for row in rows if row.kind == KIND})
            return end
        end = start + (end - start) // 2
