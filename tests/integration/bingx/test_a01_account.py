"""A1 and A17: what account and host the adapter accepts; A10 at start-up; A16 precision."""

from __future__ import annotations

import logging
import socket
from decimal import Decimal
from typing import Any

import pytest

from adapters.bingx.account_guard import secure_account
from adapters.bingx.config import Credentials, Endpoints, ExecutionSettings
from adapters.bingx.errors import BingxError, MalformedAnswer, SafetyStop, VenueRefused
from adapters.bingx.market_rows import contract
from adapters.bingx.order_params import text
from adapters.bingx.rest import BALANCE, EXTEND_KEY, PLACE, BingxRest
from tests.fakes.bingx.client import Client
from tests.fakes.bingx.contracts import BTC
from tests.fakes.bingx.rest_faults import RestFault, named
from tests.fakes.bingx.scenario import scenario
from tests.fakes.bingx.server import FakeBingx
from tests.fakes.bingx.settings import TEST_KEY, TEST_SECRET, Settings


def settings_of(fake: FakeBingx, **changes: Any) -> ExecutionSettings:
    credentials = Credentials.of(fake.settings.api_key, fake.settings.api_secret)
    values = {"symbols": ("BTC-USDT",), "timeout_s": 2.0} | changes
    return ExecutionSettings(credentials, Endpoints(fake.rest_url, fake.ws_url), **values)


async def secured(fake: FakeBingx, **changes: Any) -> Any:
    """Secure the account as the execution client does before anything else."""
    settings = settings_of(fake, **changes)
    rest = BingxRest(settings.endpoints, settings.credentials, timeout_s=settings.timeout_s)
    try:
        await rest.open()
        return await secure_account(rest, settings, settings.symbols)
    finally:
        await rest.close()


@scenario
async def test_a1_flat_hedge_account_is_converted_with_leverage_and_margin_mode_set() -> None:
    async with FakeBingx() as fake:
        assert fake.venue.account.hedge
        facts = await secured(fake, leverage=3)
        assert facts.converted_from_hedge
        assert not fake.venue.account.hedge
        assert fake.venue.account.leverage("BTC-USDT") == 3
        assert fake.venue.account.margin_type("BTC-USDT") == "ISOLATED"


@pytest.mark.parametrize("busy", ["position", "order"])
@scenario
async def test_a1_hedge_account_in_use_is_refused_and_left_alone(busy: str) -> None:
    async with FakeBingx() as fake, Client(fake) as client:
        more = {"type": "MARKET"} if busy == "position" else {"type": "LIMIT", "price": "50000"}
        asked = {"symbol": "BTC-USDT", "side": "BUY", "quantity": "0.01", "positionSide": "LONG"}
        await client.data("POST", "/swap/v2/trade/order", **asked, **more)
        with pytest.raises(SafetyStop, match="hedge mode"):
            await secured(fake)
        assert fake.venue.account.hedge
        assert len(fake.venue.orders) == 1


@scenario
async def test_a1_hedge_account_is_refused_when_conversion_is_not_wanted() -> None:
    async with FakeBingx() as fake:
        with pytest.raises(SafetyStop, match="hedge mode"):
            await secured(fake, convert_hedge_mode=False)


@pytest.mark.parametrize("answer", ["null_data", "empty_object", "truncate"])
@scenario
async def test_a10_malformed_positions_at_start_are_no_flat_account(answer: str) -> None:
    async with FakeBingx(Settings(hedge=False)) as fake, Client(fake) as client:
        await client.order("BUY", "MARKET", "0.01")
        fake.rest_faults.plan(named("/user/positions", answer, times=10))
        with pytest.raises(Exception) as caught:  # noqa: PT011  (a typed error of the adapter, below)
            await secured(fake)
        assert isinstance(caught.value, MalformedAnswer) or "no answer" in str(caught.value)


@scenario
async def test_a17_account_with_real_money_is_refused_before_anything_is_changed() -> None:
    async with FakeBingx(Settings(host="live", allow_live=True)) as fake:
        with pytest.raises(SafetyStop, match="not a VST account"):
            await secured(fake)
        assert fake.venue.account.hedge
        assert {name.split()[0] for name in fake.call_counts} == {"GET"}


@pytest.mark.parametrize(
    "rest",
    [
        "https://open-api.bingx.com",
        "https://open-api-vst.bingx.com.evil.example",
        "http://open-api-vst.bingx.com",
        "https://api.example.com",
    ],
)
def test_a17_real_money_host_is_refused_and_never_contacted(
    rest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacted: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: contacted.append(a))
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: contacted.append(address))
    credentials = Credentials.of(TEST_KEY, TEST_SECRET)
    with pytest.raises(SafetyStop):
        ExecutionSettings(credentials, Endpoints(rest, "wss://vst-open-api-ws.bingx.com/swap-market"))
    with pytest.raises(SafetyStop):
        BingxRest(Endpoints(rest, "wss://open-api-swap.bingx.com/swap-market"), credentials)
    assert contacted == []


@scenario
async def test_a17_key_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    async with FakeBingx(Settings(hedge=False)) as fake:
        settings = settings_of(fake)
        texts += [repr(settings), str(settings), repr(settings.credentials)]
        for name in ("drop_before", "truncate", "http_500", "null_data", "rate_100410"):
            fake.rest_faults.plan(named("/user/balance", name, times=10))
            with pytest.raises(BingxError) as failed:
                await secured(fake, timeout_s=0.5)
            error = failed.value
            assert "signature=" not in str(error)
            texts += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
            fake.rest_faults.planned.clear()
        rest = BingxRest(settings.endpoints, settings.credentials, timeout_s=2.0)
        await rest.open()
        fake.settings.api_secret = "another"  # our signature is wrong now  # pragma: allowlist secret
        with pytest.raises(Exception, match="100001") as caught:
            await secure_account(rest, settings, settings.symbols)
        texts += [str(caught.value), repr(caught.value)]
        await rest.close()
    texts += [record.getMessage() for record in caplog.records]
    assert len(texts) > 10
    for line in texts:
        assert TEST_KEY not in line
        assert TEST_SECRET not in line


@scenario
async def test_a17_redirect_of_a_signed_request_is_refused_and_not_followed() -> None:
    async with FakeBingx(Settings(hedge=False)) as fake, FakeBingx(Settings(hedge=False)) as elsewhere:
        settings = settings_of(fake)
        target = f"{elsewhere.rest_url}/openApi/swap/v3/user/balance"
        rest = BingxRest(settings.endpoints, settings.credentials, timeout_s=2.0)
        await rest.open()
        for endpoint, params in ((BALANCE, {}), (PLACE, {"symbol": "BTC-USDT"}), (EXTEND_KEY, {})):
            fake.rest_faults.plan(RestFault("", "status", status=307, body=target))
            with pytest.raises(VenueRefused, match="307"):
                await rest.call(endpoint, params)
        await rest.close()
        assert not elsewhere.calls


@pytest.mark.parametrize(("number", "digits"), [("0.01005", 4), ("64000.05", 1)], ids=["quantity", "price"])
def test_a16_number_finer_than_the_grid_is_refused_instead_of_cut(number: str, digits: int) -> None:
    listed = contract(BTC.row())
    assert (listed.size_digits, listed.price_digits) == (4, 1)
    with pytest.raises(BingxError, match="finer than the contract's grid"):
        text(Decimal(number), digits, "number", listed)
