"""Funding of the account is read until it is known: late, repeated, refused, and told of before its row."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from adapters.bingx import funding_paid
from adapters.bingx.account_rows import IncomeRow
from adapters.bingx.errors import BingxError
from adapters.bingx.funding_paid import AGAIN_MS, HOUR_MS, OVERLAP_MS, POLL_MS, TROUBLE_MS, FundingReader
from adapters.bingx.user_events import AccountEvent

EIGHT = 1_780_000_000_000 // (8 * HOUR_MS) * 8 * HOUR_MS


class Account:
    """A client, its clock and the income that its account shows."""

    rest: Any = None

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time_ms = EIGHT - 60_000
        self.income: list[IncomeRow] = []
        self.broken = False
        self.asked: list[tuple[int, int]] = []
        self.problems: list[str] = []
        self.told: list[tuple[list[str], int]] = []
        monkeypatch.setattr(funding_paid, "funding_paid", self._read)
        self.reader = FundingReader(self)
        self.reader.begin(self.time_ms, self._hear)

    def _hear(self, rows: list[IncomeRow], until_ms: int) -> None:
        self.told.append(([row.transaction_id for row in rows], until_ms))

    async def _read(self, rest: Any, since_ms: int, until_ms: int) -> list[IncomeRow]:
        self.asked.append((since_ms, until_ms))
        if self.broken:
            raise BingxError("the venue is busy")
        return [row for row in self.income if since_ms <= row.ts_ms <= until_ms]

    def now_ms(self) -> int:
        return self.time_ms

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def read(self) -> bool:
        return asyncio.run(self.reader.read())

    def shows(self, name: str, ts_ms: int = EIGHT, symbol: str = "BTC-USDT") -> None:
        self.income.append(IncomeRow(symbol, "FUNDING_FEE", Decimal("0.5"), "VST", ts_ms, name))

    def pays(self, ts_ms: int = EIGHT, wallet: str = "100.5", reason: str = "FUNDING_FEE") -> None:
        self.reader.heard(AccountEvent(reason, ts_ms, {"VST": Decimal(wallet)}, {}))


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


def test_it_is_asked_every_minute_back_over_a_day_and_a_row_is_told_once(account: Account) -> None:
    assert account.reader.is_due
    assert account.read()
    assert not account.reader.is_due
    account.time_ms += POLL_MS
    assert account.reader.is_due
    account.shows("a", account.time_ms)
    assert account.read()
    assert account.read()
    account.shows("late", account.time_ms - 30_000)
    account.time_ms += OVERLAP_MS - POLL_MS
    assert account.read()
    assert [names for names, _ in account.told] == [[], ["a"], [], ["late"]]
    assert account.told[-1][1] == account.time_ms
    assert account.reader.rows == 2
    account.time_ms += HOUR_MS
    account.read()
    account.read()
    assert account.asked[-1] == (account.time_ms - OVERLAP_MS, account.time_ms)


def test_two_rows_of_one_transaction_are_two_if_they_are_of_two_instruments(account: Account) -> None:
    account.time_ms = EIGHT
    account.shows("a")
    account.shows("a", symbol="ETH-USDT")
    account.read()
    assert account.told[-1][0] == ["a", "a"]


def test_a_request_that_fails_is_repeated_soon_and_told_when_it_lasts(account: Account) -> None:
    account.broken = True
    assert not account.read()
    assert (account.told, account.problems) == ([], ["funding: the venue is busy"])
    account.time_ms += AGAIN_MS
    assert account.reader.is_due
    assert account.reader.trouble == ""
    account.time_ms += TROUBLE_MS
    account.read()
    assert "could not be read for 10 minutes: the venue is busy" in account.reader.trouble
    account.broken = False
    account.shows("a", EIGHT)
    assert account.read()
    assert account.reader.trouble == ""
    assert account.told[-1][0] == ["a"]


def test_a_payment_that_the_stream_told_of_is_asked_for_until_it_has_its_row(account: Account) -> None:
    account.time_ms = EIGHT + 50
    account.read()
    account.pays(wallet="100.5")
    account.pays(wallet="100.5")  # the frame came twice
    account.pays(wallet="101.0")  # the other instrument
    account.pays(reason="ORDER", wallet="99.0")
    assert account.reader.is_due
    account.read()
    assert account.reader.owed == "2 payments of funding have no row yet"
    account.time_ms += AGAIN_MS
    assert account.reader.is_due
    account.shows("a")
    account.read()
    assert account.reader.owed
    account.time_ms += TROUBLE_MS + AGAIN_MS
    account.read()
    assert "no row yet" in account.reader.trouble
    account.shows("b", symbol="ETH-USDT")
    account.read()
    assert (account.reader.owed, account.reader.trouble) == ("", "")
    assert not account.reader.is_due
    account.pays(wallet="100.5")  # once more, long after its row
    account.read()
    assert account.reader.owed == ""


def test_nobody_asks_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(monkeypatch)
    account.reader = FundingReader(account)
    account.pays()
    assert account.read()
    assert (account.reader.is_due, account.reader.owed, account.reader.trouble) == (False, "", "")
    assert account.asked == []
