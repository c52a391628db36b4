"""The funding that BingX's demo account settles, on its way from the venue's client to the desk.

Guarantee: what the client has told waits here until the desk takes it between two instants, on its own
thread; repeats are passed on, the desk books each row once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from adapters.bingx.account_rows import IncomeRow
from adapters.bingx.constants import VENUE
from adapters.bingx.funding_paid import FundingReader, name_of
from risk.vocabulary import AccountFunding

MS = 1_000_000


class VstFunding:
    """Rows of the account's income that the desk has not taken yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[AccountFunding] = []
        self._until_ns = 0
        self._reader: FundingReader | None = None
        self._prompt: Callable[[], object] = lambda: None

    def read_with(self, reader: FundingReader, since_ms: int, prompt: Callable[[], object]) -> None:
        """Take rows from a client; `prompt` makes the desk look between two instants."""
        self._reader, self._prompt = reader, prompt
        reader.begin(since_ms, self._tell)

    @property
    def trouble(self) -> str:
        """Why the account's funding is not known at present."""
        return "" if self._reader is None else self._reader.trouble

    def take(self) -> tuple[list[AccountFunding], int]:
        """Return what is new, and up to where all is known."""
        with self._lock:
            rows, self._rows = self._rows, []
            return rows, self._until_ns

    def _tell(self, rows: list[IncomeRow], until_ms: int) -> None:
        with self._lock:
            self._rows += [account_funding(row) for row in rows]
            self._until_ns = until_ms * MS
        if rows:
            self._prompt()


def account_funding(row: IncomeRow) -> AccountFunding:
    """Return a row of the account's income as the desk knows it."""
    name = "/".join(map(str, name_of(row)))
    return AccountFunding(name, f"{row.symbol}.{VENUE}", row.ts_ms * MS, float(row.amount))
