"""A12, A13 and A16: hundreds of topics, bars without gap or double, numbers on the venue's grid."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.bingx.config import StreamSettings
from adapters.bingx.stream import MarketStream
from catalog.feed import bar_type
from tests.fakes.bingx import threaded
from tests.fakes.bingx.contracts import many
from tests.fakes.bingx.minutes import MINUTE_MS
from tests.fakes.bingx.scenario import scenario, until
from tests.fakes.bingx.server import FakeBingx
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx_node import QUICK, data_settings, execution_settings
from tests.fakes.bingx_scenario import BTC, BUY, SELL, Trader, play

Steps = Iterator[Callable[[], Any]]


@scenario
async def test_a12_250_symbols_are_spread_over_sockets_and_all_are_heard() -> None:
    contracts = many(250)
    async with FakeBingx(Settings(contracts=contracts, speed=0), Bars()) as fake:

        async def up(_: tuple[str, ...]) -> None:
            return None

        quick = StreamSettings(subscribes_per_second=1_000.0)
        stream = MarketStream(fake.ws_url, quick, up)
        heard: set[str] = set()
        try:
            for contract in contracts:
                topic = f"{contract.symbol}@trade"
                await stream.subscribe(topic, lambda frame: heard.add(frame["dataType"]))
            sizes = sorted(len(socket.handlers) for socket in stream.sockets)
            assert sizes == [70, 180]
            # A socket whose first connect is still under way subscribes when it is up.
            await until(lambda: sum(len(c.topics) for c in fake.stream.connections) == 250)
            await asyncio.sleep(0.1)  # acknowledgements of the last ones
            for contract in contracts:
                await fake.trade(contract.symbol, contract.price, 10)
            await until(lambda: len(heard) == 250)
        finally:
            await stream.close()


@pytest.mark.parametrize("gap", ["muted topic", "socket down", "frames lost"])
def test_a13_gap_of_the_stream_is_filled_without_a_double_or_forming_bar(gap: str) -> None:
    with threaded.running(Settings(speed=60.0), Waves(9)) as venue:
        early: list[int] = []

        def check(t: Trader) -> None:
            for bar in t.bars:
                if bar.ts_event // 10**6 > venue.fake.clock.now_ms():
                    early.append(bar.ts_event)

        def script(t: Trader) -> Steps:
            t.subscribe_bars(bar_type(str(BTC), 1))
            yield lambda: len(t.bars) >= 2
            if gap == "muted topic":
                venue.do("stream", muted_topics=["BTC-USDT@kline_1m"])
            elif gap == "socket down":
                venue.do("stream", refuse_handshakes=[[503, 1]] * 3)
                venue.do("close_sockets", scope="public", code=None)
            else:
                venue.do("random_frame_faults", seed=3, rate=0.5, kinds=["drop", "bad_gzip", "duplicate"])
            start = venue.fake.clock.now_ms()
            yield lambda: venue.fake.clock.now_ms() - start > 3 * MINUTE_MS
            venue.do("stream", muted_topics=[])
            venue.do("random_frame_faults", seed=3, rate=0.0, kinds=[])
            seen = len(t.bars)
            yield lambda: len(t.bars) >= max(seen, 2) + 3
            check(t)

        data = data_settings(venue, "BTC-USDT", stream=QUICK)
        out = play(venue, script, execution_settings(venue, "BTC-USDT"), data)
        opens = [bar.ts_event // 10**6 - MINUTE_MS for bar in out.trader.bars]
        real = venue.call(
            lambda fake: fake.venue.markets["BTC-USDT"].klines(
                "1m", fake.venue.time_ms, opens[0], opens[-1] + MINUTE_MS, 100
            )
        )
    assert early == []
    assert opens == real.time_ms.tolist()
    for name in ("open", "high", "low", "close"):
        ours = [float(str(getattr(bar, name))) for bar in out.trader.bars]
        assert ours == getattr(real, name).tolist(), name


def test_a16_numbers_arrive_at_the_venue_as_they_were_sent() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            instrument = t.cache.instrument(BTC)
            quantity, price = str(instrument.make_qty(0.123456)), str(instrument.make_price(64000.06))
            assert (quantity, price) == ("0.1235", "64000.1")
            t.limit("odd", BUY, quantity, price)
            yield t.is_("odd", "Accepted")
            venue.do("trade", symbol="BTC-USDT", price="64000.1", quantity="50")
            yield t.closed("odd")
            t.market("exit", SELL, quantity, reduce=True)
            yield lambda: t.closed("exit")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert [(o["origQty"], o["price"]) for o in out.orders] == [("0.1235", "64000.1"), ("0.1235", "0.0")]
    assert out.position == 0
