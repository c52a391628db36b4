"""A2: the full life of every order type, in an account that was one-way and in one that was hedged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nautilus_trader.model import TimeInForce

from tests.fakes.bingx import threaded
from tests.fakes.bingx.book import BookShape
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx_node import execution_settings
from tests.fakes.bingx_scenario import BUY, SELL, Outcome, Trader, play

Steps = Iterator[Callable[[], Any]]


@pytest.mark.parametrize("hedge", [True, False], ids=["was hedged", "was one-way"])
def test_a2_every_order_type_lives_its_whole_life(hedge: bool) -> None:
    settings = Settings(hedge=hedge, book=BookShape(roughness=0.0))
    with threaded.running(settings, Bars()) as venue:

        def trade(price: str, quantity: str = "50") -> None:
            venue.do("trade", symbol="BTC-USDT", price=price, quantity=quantity)

        def script(t: Trader) -> Steps:
            t.market("entry", BUY, "0.5")
            yield t.closed("entry")
            t.limit("resting", BUY, "0.1", "64000.0")
            yield t.is_("resting", "Accepted")
            trade("64000")
            yield t.closed("resting")
            t.limit("dropped", BUY, "3.0", "64000.1", time_in_force=TimeInForce.IOC)
            yield t.closed("dropped")
            t.limit("crossing", BUY, "0.1", "64500.0", post_only=True)
            yield t.is_("crossing", "Rejected")
            t.limit("taken back", BUY, "0.1", "60000.0", post_only=True)
            yield t.is_("taken back", "Accepted")
            t.cancel("taken back")
            yield t.closed("taken back")
            t.conditional("market_if_touched", "profit", SELL, "0.1", "65000.0")
            t.conditional("limit_if_touched", "profit limit", SELL, "0.1", "65100.0", price="65000.0")
            yield lambda: t.is_("profit", "Accepted")() and t.is_("profit limit", "Accepted")()
            trade("65100")
            yield lambda: t.closed("profit")() and t.closed("profit limit")()
            t.conditional("stop_market", "entry stop", BUY, "0.1", "65500.0", reduce_only=False)
            yield t.is_("entry stop", "Accepted")
            trade("65500")
            yield t.closed("entry stop")
            t.stop("stop", SELL, "0.1", "64500.0")
            t.conditional("stop_limit", "stop limit", SELL, "0.1", "64400.0", price="64300.0")
            yield lambda: t.is_("stop", "Accepted")() and t.is_("stop limit", "Accepted")()
            trade("64400")
            yield lambda: t.closed("stop")() and t.closed("stop limit")()
            t.market("exit", SELL, f"{t.size():.4f}", reduce=True)
            yield lambda: t.closed("exit")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))

    ends = {name: out.trader.told(name)[-1] for name in {str(e.client_order_id) for e in out.trader.events}}
    assert ends == {
        "entry": "Filled", "resting": "Filled", "dropped": "Canceled", "crossing": "Rejected",
        "taken back": "Canceled", "profit": "Filled", "profit limit": "Filled", "entry stop": "Filled",
        "stop": "Filled", "stop limit": "Filled", "exit": "Filled",
    }  # fmt: skip
    assert out.position == 0
    assert _volume(out) == sum(float(str(e.last_qty)) for e in out.trader.events if hasattr(e, "last_qty"))
    assert out.execution.problems == []


def _volume(out: Outcome) -> float:
    return round(sum(float(f["qty"]) for f in out.fills), 6)
