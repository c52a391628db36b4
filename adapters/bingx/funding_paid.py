"""What the venue really paid or took as funding: the rows of the account's income."""

from __future__ import annotations

from adapters.bingx.account_rows import IncomeRow, incomes
from adapters.bingx.constants import HISTORY_WINDOW_MS
from adapters.bingx.rest import INCOME, BingxRest

KIND = "FUNDING_FEE"
PAGE = 1000
KEPT_MS = 90 * 86_400_000  # three months of income are kept


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
            found.update({(r.transaction_id, r.symbol, r.ts_ms): r for r in rows if r.kind == KIND})
            return end
        end = start + (end - start) // 2
