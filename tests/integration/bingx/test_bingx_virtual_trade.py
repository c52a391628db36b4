"""The virtual round trip with a made-up key, on the fake exchange."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from adapters.bingx.config import Credentials, Endpoints, ExecutionSettings
from adapters.bingx.errors import BingxError, SafetyStop
from adapters.bingx.virtual import order_id, run_virtual_vst_cycle
from crupto_nautilus.cli.main import run
from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import TEST_KEY, TEST_SECRET, Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx_node import execution_settings


@pytest.mark.parametrize("short", [False, True], ids=["long", "short"])
def test_cycle_opens_and_closes_and_marks_everything_with_the_virtual_asset(short: bool) -> None:
    with threaded.running(Settings(), Bars()) as venue:
        settings = execution_settings(venue, "BTC-USDT")
        done = run_virtual_vst_cycle(settings, "run-1", quantity=Decimal("0.25"), short=short)
        books = venue.do("books")
    assert [o.status for o in done.orders] == ["FILLED", "FILLED"]
    assert [o.side for o in done.orders] == (["sell", "buy"] if short else ["buy", "sell"])
    assert (done.position.side, done.position.quantity) == ("short" if short else "long", "0.2500")
    marked = [*done.orders, done.position, *done.trades]
    assert len(marked) == 5
    assert {part.virtual_asset for part in marked} == {"VST"}
    assert books["positions"] == []
    assert [o["clientOrderId"] for o in books["orders"]] == [
        order_id("run-1", "open"), order_id("run-1", "close"),
    ]  # fmt: skip
    assert [o.venue_order_id for o in done.orders] == [str(o["orderId"]) for o in books["orders"]]
    assert float(books["balance"]["balance"]) == pytest.approx(100_000 + done.pnl, abs=1e-3)


def test_quantity_is_some_ten_dollars_when_none_is_given() -> None:
    with threaded.running(Settings(), Bars()) as venue:
        done = run_virtual_vst_cycle(execution_settings(venue, "ETH-USDT"), "run-2", symbol="ETH-USDT")
    assert done.position.quantity == "0.01"  # 30 dollars: the contract's smallest


def test_cycle_does_not_touch_a_position_that_is_there() -> None:
    with threaded.running(Settings(hedge=False), Bars()) as venue:
        asked = {
            "symbol": "BTC-USDT",
            "side": "BUY",
            "type": "MARKET",
            "positionSide": "BOTH",
            "quantity": "0.1",
        }

        def set_up(fake: object) -> None:
            fake.venue.account.set_margin_type("BTC-USDT", "ISOLATED")  # type: ignore[attr-defined]
            fake.venue.account.set_leverage("BTC-USDT", "BOTH", 5)  # type: ignore[attr-defined]
            fake.venue.place(asked)  # type: ignore[attr-defined]

        venue.call(set_up)
        with pytest.raises(SafetyStop, match="holds a position"):
            run_virtual_vst_cycle(execution_settings(venue, "BTC-USDT"), "run-3")
        assert len(venue.do("books")["orders"]) == 1


def test_refused_order_is_an_error_and_leaves_nothing() -> None:
    with threaded.running(Settings(balance=Decimal(10)), Bars()) as venue:
        with pytest.raises(BingxError, match="did not come to its end"):
            run_virtual_vst_cycle(execution_settings(venue, "BTC-USDT"), "run-4", quantity=Decimal(1))
        books = venue.do("books")
    assert (books["orders"], books["positions"]) == ([], [])


def test_account_with_real_money_is_refused_before_any_order() -> None:
    with threaded.running(Settings(host="live", allow_live=True), Bars()) as venue:
        settings = execution_settings(venue, "BTC-USDT")
        with pytest.raises(SafetyStop, match="not a VST account"):
            run_virtual_vst_cycle(settings, "run-5", timeout_s=5.0)
        counts = venue.do("counts")["calls"]
    assert not [call for call in counts if "/trade/order" in call]


def test_live_host_is_refused_when_the_settings_are_made() -> None:
    with pytest.raises(SafetyStop):
        ExecutionSettings(
            Credentials.of(TEST_KEY, TEST_SECRET),
            Endpoints("https://open-api.bingx.com", "wss://open-api-swap.bingx.com/swap-market"),
        )


def test_command_needs_virtual_trading_and_prints_the_marked_orders(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BINGX_API_KEY", TEST_KEY)
    monkeypatch.setenv("BINGX_API_SECRET", TEST_SECRET)
    with threaded.running(Settings(), Bars()) as venue:
        command = ["vst", "cycle", "--rest", venue.rest_url, "--stream", venue.ws_url, "--json"]
        monkeypatch.delenv("USE_VIRTUAL_TRADING", raising=False)
        assert run(command) == 2
        assert json.loads(capsys.readouterr().out)["error"] == "UsageError"
        monkeypatch.setenv("USE_VIRTUAL_TRADING", "1")
        monkeypatch.setenv("VIRTUAL_ASSET", "VST")
        monkeypatch.setenv("VIRTUAL_EQUITY", "300")
        assert run(command) == 0
        books = venue.do("books")
    printed = json.loads(capsys.readouterr().out)
    assert [o["virtual_asset"] for o in printed["orders"]] == ["VST", "VST"]
    assert [o["status"] for o in printed["orders"]] == ["FILLED", "FILLED"]
    assert (books["positions"], len(books["orders"])) == ([], 2)
