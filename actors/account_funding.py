"""Funding that the venue's account settles, on its way from there into the books."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from actors.sinks import FundingSource
from risk.engine import RiskDesk
from risk.vocabulary import Alarm, FundingPaid
from strategies.order_desk import FOREIGN_CHANGE

FUNDING_UNREAD: Final = "funding_unread"
"""Kind of the alarm of an account whose funding cannot be read: the books lack it until it can."""


class AccountFundingIntake:
    """Takes what the account says, books it, and tells when it cannot be read."""

    def __init__(self, source: FundingSource, risk_desk: RiskDesk) -> None:
        self._source, self._risk_desk, self._trouble = source, risk_desk, ""

    def take(self, ts: int) -> Iterator[FundingPaid | Alarm]:
        """Book what is new at desk time `ts`; yields what is to be published."""
        source, desk = self._source, self._risk_desk
        rows, until_ns = source.take()
        for row in rows:
            found = desk.on_account_funding(row, ts)
            if isinstance(found, str):
                yield Alarm(ts, FOREIGN_CHANGE, row.instrument, found)
            else:
                yield from found
        desk.funding_read_until(until_ns)
        trouble = source.trouble
        if trouble != self._trouble:
            self._trouble = trouble
            yield Alarm(ts, FUNDING_UNREAD, "funding", trouble or "the account's funding is read again")
