"""Captured payloads become the engine objects that they mean."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.bingx.order_rows import State
from tests.fakes.bingx_payloads import captured


@pytest.fixture
def read(shared_dir: Path) -> dict[str, Any]:
    return {case.name: case.read(case.payload) for case in captured(shared_dir)}


def test_bars_are_stamped_at_their_close_with_the_figures_of_the_venue(read: dict[str, Any]) -> None:
    bar = read["klines"][0]
    assert [str(v) for v in (bar.open, bar.high, bar.low, bar.close, bar.volume)] == [
        "0.7034", "0.7081", "0.7033", "0.7065", "635494.00",
    ]  # fmt: skip
    assert bar.ts_event == (1_702_717_200_000 + 60_000) * 10**6
    frame = read["kline frame"][0]
    assert (str(frame.open), str(frame.close), frame.ts_event) == (
        "2991.50", "2989.57", 1_714_650_600_000 * 10**6,
    )  # fmt: skip


def test_a_book_is_best_first_although_the_venue_sends_asks_worst_first(read: dict[str, Any]) -> None:
    depth = read["depth"]
    assert [str(level.price) for level in depth.asks][:2] == ["0.000009856", "0.000009857"]
    assert str(depth.bids[0].size) == "483909000"  # coins, where the venue gives both
    quote = read["depth frame"]
    assert (str(quote.bid_price), str(quote.ask_price), str(quote.ask_size)) == (
        "2990.64",
        "2990.71",
        "15.26",
    )
    assert quote.ts_event == 1_714_650_397_486 * 10**6


def test_prices_and_forming_funding(read: dict[str, Any]) -> None:
    mark, index, funding = read["premium index"][0]
    assert (str(mark.value), str(index.value)) == ("42216.4", "42219.9")
    assert "0.00025100" in funding


def test_the_account(read: dict[str, Any]) -> None:
    row = read["balance"]["USDT"]
    assert (row.balance, row.available, row.used) == (Decimal("19.9003"), Decimal("19.9003"), Decimal(0))
    assert read["leverage"] == (50, 50)
    assert read["set leverage"] == 8
    assert read["fees of the account"] == (Decimal("0.0002"), Decimal("0.0005"))


def test_orders_become_reports_of_the_same_state(read: dict[str, Any]) -> None:
    resting, filled = read["open orders"][0], read["all orders"][0]
    assert (resting.order_status.name, str(resting.price), str(resting.quantity)) == (
        "ACCEPTED", "44459.6", "0.0030",
    )  # fmt: skip
    assert str(resting.venue_order_id) == "1733405587011123500"
    assert (filled.order_status.name, str(filled.filled_qty), filled.avg_px) == (
        "FILLED", "33", Decimal("0.3916"),
    )  # fmt: skip


def test_answers_to_orders(read: dict[str, Any]) -> None:
    assert read["placed order"].order_id == "1735950529123455000"
    assert read["placed order"].state is None  # the short form says nothing of it
    replaced = read["replaced order"]
    assert replaced.cancelled
    assert replaced.new.order_id == "987654321"
    assert read["cancel several"][0] == ["1735924831603391200", "1735924833239172400"]


def test_a_fill_on_the_user_stream(read: dict[str, Any]) -> None:
    event = read["order event"]
    assert (event.order_id, event.state, event.is_trade) == ("1711312357852147712", State.FILLED, True)
    assert (event.filled, event.average_price, event.fee) == (
        Decimal("0.1"), Decimal("64.36"), Decimal("0.003218"),
    )  # fmt: skip
    assert event.ts_ms == 1_696_843_635_475  # T is 0 in the capture: the event's own time
    assert (event.last_quantity, event.trade_id) == (None, "")


def test_prints_keep_who_was_the_aggressor(read: dict[str, Any]) -> None:
    print_ = read["trade frame"][0]
    assert (str(print_.price), str(print_.size), print_.aggressor_side.name) == ("29023.5", "0.0421", "BUY")
