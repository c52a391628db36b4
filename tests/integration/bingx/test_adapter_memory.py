"""A day of trading: orders that ended long ago are forgotten, what they filled is not told again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.bingx import tracked
from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx_node import execution_settings
from tests.fakes.bingx_scenario import BUY, SELL, Trader, play


def test_fills_of_a_forgotten_order_are_neither_told_again_nor_taken_for_somebody_elses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracked, "REMEMBERED", 1)
    with threaded.running(Settings(), Bars()) as venue:

        def steps(t: Trader) -> Iterator[Callable[[], Any]]:
            for k in range(3):
                t.market(f"in{k}", BUY, "0.1")
                yield t.closed(f"in{k}")
                t.market(f"out{k}", SELL, "0.1", reduce=True)
                yield t.closed(f"out{k}")
            runs = clients[-1].reconciler.runs
            venue.do("close_sockets", scope="private", code=1001)  # it reconciles when it is back
            t.market("last", BUY, "0.2")
            yield lambda: clients[-1].reconciler.runs > runs and t.closed("last")()
            sizes.append(t.size())

        clients: list[Any] = []
        sizes: list[float] = []
        out = play(venue, steps, execution_settings(venue, "BTC-USDT", reconcile_s=0.2), made=clients)
    assert [client.problems for client in out.clients if hasattr(client, "ledger")] == [[]]
    assert out.position == 0.2
    assert sizes == [pytest.approx(0.2)]
    assert out.execution.ledger.fills == len(out.fills) == 7
    assert out.execution.book.of_client("in0") is None  # it is forgotten indeed
