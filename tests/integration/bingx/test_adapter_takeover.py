"""What a killed process left and the venue carried on with: found again by what it looks like."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.bingx.config import Credentials, Endpoints
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.order_rows import State
from adapters.bingx.rest import BingxRest
from adapters.bingx.takeover import Found, find_order
from tests.fakes.bingx import threaded
from tests.fakes.bingx.contracts import BTC
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars

STOP = {
    "symbol": "BTC-USDT",
    "type": "STOP_MARKET",
    "side": "SELL",
    "quantity": "0.2000",
    "stopPrice": "63000.0",
}


@pytest.mark.parametrize("fired", [False, True], ids=["it rests", "it has fired"])
def test_the_stop_of_an_entry_that_filled_while_nobody_was_there_is_found(
    fired: bool, tmp_path: Path
) -> None:
    settings = Settings(hedge=False, contracts=(BTC,))
    with threaded.running(settings, Bars()) as venue:

        def happen(fake: Any) -> None:
            entry = {
                "symbol": "BTC-USDT", "side": "BUY", "positionSide": "BOTH", "type": "LIMIT",
                "price": "64000", "quantity": "0.2", "stopLoss": '{"type":"STOP_MARKET","stopPrice":63000.0}',
            }  # fmt: skip
            fake.venue.place(entry)
            fake.venue.trade("BTC-USDT", "64000", "5")
            if fired:
                fake.venue.trade("BTC-USDT", "62900", "50")

        async def look() -> Found | None:
            journal = OrderJournal(tmp_path / "orders.jsonl")
            await journal.intend("stop", dict(STOP))  # written down before the entry was sent
            rest = BingxRest(
                Endpoints(venue.rest_url, venue.ws_url),
                Credentials.of(settings.api_key, settings.api_secret),
            )
            await rest.open()
            try:
                return await find_order(rest, OrderJournal(tmp_path / "orders.jsonl"), "stop", "BTC-USDT")
            finally:
                await rest.close()

        venue.call(happen)
        found = asyncio.run(look())
    assert found is not None
    assert found.row.type == "STOP_MARKET"
    assert found.row.stop_price == Decimal(63000)
    assert (found.child is not None) is fired
    assert found.trading.state is (State.FILLED if fired else State.NEW)
    assert found.trading.filled == (Decimal("0.2") if fired else 0)
