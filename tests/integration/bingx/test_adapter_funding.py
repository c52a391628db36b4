"""What the account was paid and charged as funding is read from its income, to the last row."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from adapters.bingx import funding_paid as module
from adapters.bingx.account_rows import IncomeRow
from adapters.bingx.config import Credentials, Endpoints
from adapters.bingx.funding_paid import funding_paid
from adapters.bingx.rest import BingxRest
from tests.fakes.bingx import threaded
from tests.fakes.bingx.contracts import BTC
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Waves

HOURS = 30
START_MS = 1_767_225_600_000


def test_every_settlement_is_read_once_over_many_windows_and_where_a_page_is_too_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HISTORY_WINDOW_MS", 20 * 3_600_000)
    monkeypatch.setattr(module, "PAGE", 2)  # a window is halved until it fits
    settings = Settings(speed=0.0, start_ms=START_MS, hedge=False, contracts=(BTC,))
    with threaded.running(settings, Waves(3)) as venue:
        asked = {"symbol": "BTC-USDT", "side": "BUY", "positionSide": "BOTH", "type": "MARKET"}
        venue.call(lambda fake: fake.venue.place(asked | {"quantity": "0.5"}))
        venue.do("advance", seconds=HOURS * 3_600.0)
        end, booked = venue.call(
            lambda fake: (
                fake.venue.time_ms,
                [(r.time_ms, r.amount) for r in fake.venue.account.income if r.kind == "FUNDING_FEE"],
            )
        )

        async def read() -> list[IncomeRow]:
            rest = BingxRest(
                Endpoints(venue.rest_url, venue.ws_url),
                Credentials.of(settings.api_key, settings.api_secret),
            )
            await rest.open()
            try:
                return await funding_paid(rest, START_MS, end)
            finally:
                await rest.close()

        rows = asyncio.run(read())
    assert len(booked) == HOURS // 8
    assert [(row.ts_ms, row.amount) for row in rows] == [
        (ts, amount.quantize(Decimal("0.0001"))) for ts, amount in booked
    ]
    assert {row.symbol for row in rows} == {"BTC-USDT"}
