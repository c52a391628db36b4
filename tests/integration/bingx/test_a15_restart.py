"""A15: a node that starts again finds its position, its stop and its resting entry, and doubles nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx_node import execution_settings
from tests.fakes.bingx_scenario import BTC, BUY, SELL, Trader, play

Steps = Iterator[Callable[[], Any]]


def test_a15_restart_adopts_position_stop_and_resting_entry(tmp_path: Path) -> None:
    journal = tmp_path / "orders.jsonl"
    with threaded.running(Settings(), Bars()) as venue:

        def first(t: Trader) -> Steps:
            t.market("entry", BUY, "0.5")
            yield t.closed("entry")
            t.stop("stop", SELL, "0.5", "64000.0")
            t.limit("more", BUY, "0.1", "64500.0")
            yield lambda: t.is_("stop", "Accepted")() and t.is_("more", "Accepted")()

        before = play(venue, first, execution_settings(venue, "BTC-USDT", journal=journal))
        assert [o["status"] for o in before.orders] == ["FILLED", "NEW", "PENDING"]
        found: list[tuple[str, str]] = []

        def second(t: Trader) -> Steps:
            yield lambda: abs(t.size() - 0.5) < 1e-9
            yield lambda: len(t.cache.orders_open(instrument_id=BTC)) == 2
            found.extend(sorted((str(o.client_order_id), o.order_type.name) for o in t.cache.orders_open()))
            t.cancel("more")
            yield t.closed("more")
            venue.do("trade", symbol="BTC-USDT", price="63999", quantity="50")
            yield lambda: t.closed("stop")() and t.size() == 0

        after = play(venue, second, execution_settings(venue, "BTC-USDT", journal=journal))
    assert found == [("more", "LIMIT"), ("stop", "STOP_MARKET")]
    assert [o["type"] for o in after.orders] == ["MARKET", "STOP_MARKET", "LIMIT", "MARKET"]
    assert after.position == 0
    assert after.execution.reconciler.unexplained == {}


def test_a15_what_happened_while_the_node_was_down_is_known_after_the_start(tmp_path: Path) -> None:
    journal = tmp_path / "orders.jsonl"
    with threaded.running(Settings(), Bars()) as venue:

        def first(t: Trader) -> Steps:
            t.market("entry", BUY, "0.5")
            yield t.closed("entry")
            t.stop("stop", SELL, "0.5", "64000.0")
            yield t.is_("stop", "Accepted")

        play(venue, first, execution_settings(venue, "BTC-USDT", journal=journal))
        venue.do("trade", symbol="BTC-USDT", price="63999", quantity="50")

        def second(t: Trader) -> Steps:
            t.market("again", BUY, "0.2")
            yield t.closed("again")
            assert abs(t.size() - 0.2) < 1e-9
            t.market("exit", SELL, "0.2", reduce=True)
            yield lambda: t.closed("exit")() and t.size() == 0

        after = play(venue, second, execution_settings(venue, "BTC-USDT", journal=journal))
    assert after.position == 0
    assert after.execution.reconciler.unexplained == {}
