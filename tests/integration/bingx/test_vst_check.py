"""`crupto vst check` against the fake exchange: what it answers, what it notices, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from adapters.bingx import trial
from crupto_nautilus.cli.main import run
from tests.fakes.bingx import threaded
from tests.fakes.bingx.contracts import LISTED
from tests.fakes.bingx.settings import TEST_KEY, TEST_SECRET, Settings
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx.threaded import ThreadedBingx

QUESTIONS = set(range(1, 16))


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINGX_API_KEY", TEST_KEY)
    monkeypatch.setenv("BINGX_API_SECRET", TEST_SECRET)
    monkeypatch.delenv("BINGX_KEY_FILE", raising=False)


@contextmanager
def exchange(**choices: Any) -> Iterator[ThreadedBingx]:
    with threaded.running(Settings(**({"contracts": LISTED} | choices)), Waves(swing=0.0)) as venue:
        yield venue


def check(
    capsys: pytest.CaptureFixture[str], venue: ThreadedBingx, *more: str
) -> tuple[int, dict[str, Any], dict[Any, Any]]:
    """Run the command and return exit code, its JSON, and the findings by number (or question)."""
    where = ["--rest", venue.rest_url, "--stream", venue.ws_url]
    code = run(["vst", "check", *where, *more, "--json"])
    out = capsys.readouterr().out
    assert TEST_KEY not in out
    assert TEST_SECRET not in out
    data = json.loads(out)
    return code, data, {f["number"] or f["question"]: f for f in data.get("findings", [])}


def rising(venue: ThreadedBingx) -> None:
    """Let the price rise once a stop waits, so that it fires."""

    def watch(fake: Any) -> None:
        place = fake.venue.place

        def then_rise(params: Any) -> Any:
            order = place(params)
            if order.type == "STOP_MARKET" and order.is_buy:  # that of the short
                fake.venue.trade(order.symbol, order.stop_price, "5")
            return order

        fake.venue.place = then_rise

    venue.call(watch)


def hasty_switch(venue: ThreadedBingx) -> None:
    """Let the dead man's switch go off as soon as it is armed."""

    def watch(fake: Any) -> None:
        advance = fake.venue.advance_to

        def at_once(now_ms: int) -> None:
            if fake.venue.cancel_all_at_ms is not None:
                fake.venue.cancel_all_at_ms = fake.venue.time_ms
            advance(now_ms)

        fake.venue.advance_to = at_once

    venue.call(watch)


def test_reading_answers_without_an_order(capsys: pytest.CaptureFixture[str]) -> None:
    with exchange() as venue:
        code, data, found = check(capsys, venue, "--read-only")
        calls = venue.do("counts")["calls"]
    assert code == 0, data
    assert data["counts"] == {"ok": 9, "differs": 0, "unknown": 2}
    assert {n for n in found if isinstance(n, int)} == {6, 8, 9, 12, 13}
    assert found["position mode"]["answer"] == "hedge"
    assert found["contracts of our table"]["answer"].startswith("10 compared")
    assert not [call for call in calls if call.startswith(("POST /swap", "DELETE"))]


def test_round_trip_answers_every_question_and_leaves_the_account_flat(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with exchange(enforce_rate_limits=True) as venue:
        rising(venue)
        hasty_switch(venue)
        code, data, found = check(capsys, venue, "--round-trip", "--provoke-limit", "--dead-man")
        books = venue.do("books")
    assert code == 0, data
    assert set(found) >= QUESTIONS
    assert [f["number"] for f in data["findings"] if f["verdict"] == "unknown"] == [9]
    assert found[1]["answer"] == "VST"
    assert found[3]["answer"].startswith("pa -")
    assert "X=FILLED" in found[5]["answer"]
    assert found[13]["answer"].startswith("codes 100410")
    assert found["the account at the end"]["answer"] == "flat"
    assert books["positions"] == []
    assert "STOP_MARKET of" in found[15]["answer"]
    assert found[14]["answer"] == "the stop was cancelled"
    kinds = [o["type"] for o in books["orders"]]
    assert kinds == ["MARKET", "STOP_MARKET", "MARKET", "MARKET", "STOP_MARKET", "MARKET"]


def test_stop_that_does_not_fire_is_unknown_and_the_position_is_closed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with exchange() as venue:
        code, _, found = check(capsys, venue, "--round-trip", "--stop-wait", "1")
        books = venue.do("books")
    assert (code, found[5]["verdict"]) == (0, "unknown")
    assert (books["positions"], [o["status"] for o in books["orders"]]) == (
        [],
        ["FILLED", "CANCELLED", "FILLED"],
    )


@pytest.mark.parametrize(
    ("choices", "number"),
    [
        ({"fill_fields": False}, 2),
        ({"signed_one_way_amount": False}, 3),
        ({"trade_update_name": "TRADE_UPDATE"}, 4),
        ({"silent_triggers": True}, 5),
        ({"klines_start_only": "oldest"}, 6),
        ({"fee_asset": "BNB"}, 1),
    ],
)
def test_venue_that_is_not_as_relied_on_differs_and_exits_with_1(
    choices: dict[str, Any],
    number: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "silent_triggers" in choices:  # an event that never comes is waited for
        monkeypatch.setattr(trial, "EVENT_WAIT_S", 4.0)
    with exchange(**choices) as venue:
        rising(venue)
        code, data, found = check(capsys, venue, "--round-trip")
    assert code == 1
    assert [f["number"] for f in data["findings"] if f["verdict"] == "differs"] == [number]
    assert found["the account at the end"]["answer"] == "flat"


def test_contract_that_differs_from_our_table_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    coarse = replace(LISTED[0], quantity_precision=3)
    with exchange(contracts=(coarse, *LISTED[1:-1])) as venue:
        code, _, found = check(capsys, venue, "--read-only")
    answer = found["contracts of our table"]["answer"]
    assert code == 1
    assert "BTC-USDT: step 0.001 (ours 0.0001)" in answer
    assert "TRX-USDT is not listed" in answer


@pytest.mark.parametrize(
    ("choices", "rest", "code", "error"),
    [
        ({"host": "live", "allow_live": True}, None, 4, "SafetyStop"),
        ({}, "https://open-api.bingx.com", 4, "SafetyStop"),
        ({}, "http://127.0.0.1:9", 3, "VenueUnavailable"),
    ],
    ids=["account with real money", "real-money host", "nobody there"],
)
def test_refusals_have_their_exit_codes(
    choices: dict[str, Any],
    rest: str | None,
    code: int,
    error: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with exchange(**choices) as venue:
        where = ["--rest", rest or venue.rest_url, "--stream", venue.ws_url]
        assert run(["vst", "check", "--round-trip", *where, "--json"]) == code
        data = json.loads(capsys.readouterr().out)
        orders = venue.do("books")["orders"]
    assert (data["error"], orders) == (error, [])


def test_account_in_use_is_left_alone_by_the_round_trip(capsys: pytest.CaptureFixture[str]) -> None:
    with exchange(hedge=False) as venue:
        asked = {"symbol": "ETH-USDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
        venue.call(lambda fake: fake.venue.place(asked | {"positionSide": "BOTH"}))
        code, data, _ = check(capsys, venue, "--round-trip")
        books = venue.do("books")
    assert (code, data["error"]) == (4, "SafetyStop")
    assert (len(books["orders"]), len(books["positions"])) == (1, 1)


def test_missing_key_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BINGX_API_KEY")
    with exchange() as venue:
        assert check(capsys, venue, "--read-only")[0] == 2
