"""The balance that the engine ends with is the newest one, and none comes after silence."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from adapters.bingx import account_news
from adapters.bingx.account_news import AccountNews
from adapters.bingx.account_rows import BalanceRow


def _row(balance: int) -> BalanceRow:
    return BalanceRow("VST", Decimal(balance), Decimal(balance), Decimal(balance), Decimal(0), Decimal(0))


class _Client:
    settings = type("Settings", (), {"virtual_asset": "VST"})()
    rest: Any = None
    fatal = ""

    def __init__(self) -> None:
        self.is_silent = False
        self.told: list[float] = []

    def now_ms(self) -> int:
        return 1_780_000_000_000

    def problem(self, text: str) -> None:
        raise AssertionError(text)

    def generate_account_state(self, *, balances: list[Any], **_: Any) -> None:
        self.told.append(balances[0].total.as_double())


@pytest.mark.parametrize("silent", [False, True])
def test_a_slow_answer_never_follows_one_that_was_asked_for_later(
    silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    balance = [100]

    async def venue(*_: Any) -> BalanceRow:
        seen = balance[0]
        await asyncio.sleep(0.02 if seen == 100 else 0.0)  # the first one hangs
        return _row(seen)

    async def story() -> list[float]:
        client = _Client()
        news = AccountNews(client)
        slow = asyncio.create_task(news.refresh())
        await asyncio.sleep(0)
        balance[0] = 90  # a fill
        fast = asyncio.create_task(news.refresh())
        client.is_silent = silent
        assert await asyncio.gather(slow, fast) == [True, True]
        return client.told

    monkeypatch.setattr(account_news, "virtual_balance", venue)
    assert asyncio.run(story()) == ([] if silent else [100.0, 90.0])
