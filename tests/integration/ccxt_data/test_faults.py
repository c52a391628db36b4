"""What an exchange of ccxt does wrong, and what becomes of it: typed errors, new sockets, no lost bar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from adapters.ccxt_data.config import CcxtSettings
from adapters.ccxt_data.exchange import CcxtSource
from adapters.ccxt_data.stream import CcxtStream
from adapters.live.bar_publisher import BarPublisher, Closed
from adapters.live.errors import MalformedAnswer, VenueError, VenueUnavailable
from tests.fakes.bingx.contracts import BTC
from tests.fakes.bingx.minutes import MINUTE_MS
from tests.fakes.bingx.scenario import scenario, until
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx_soak import START_MS
from tests.fakes.bybit.node import data_of
from tests.fakes.bybit.server import FakeBybit

SYMBOL, UNIFIED = "BTCUSDT-PERP", "BTC/USDT:USDT"


@asynccontextmanager
async def exchange(speed: float = 60.0, **changes: Any) -> AsyncIterator[tuple[FakeBybit, CcxtSource]]:
    """Run a fake and a source that has its markets."""
    fake = FakeBybit(Settings(contracts=(BTC,), start_ms=START_MS, speed=speed, pump_s=0.01), Waves(3))
    await fake.start()
    source = CcxtSource(data_of(fake, **changes))
    try:
        await source.open()
        await source.contracts()
        yield fake, source
    finally:
        await source.close()
        await fake.stop()


@scenario
async def test_answers_that_are_none_are_typed_errors_and_never_no_bars() -> None:
    async with exchange(speed=1.0) as (fake, source):
        now = source.clock.now_ms()
        window = (SYMBOL, 1, now - 5 * MINUTE_MS, now + MINUTE_MS)
        assert len(await source.bars(*window)) >= 5
        row = [str(START_MS - MINUTE_MS), "1", "2", "0.5", "nan", "3", "4"]
        wrong: list[tuple[object, type[VenueError]]] = [
            ({"retCode": 0, "result": {}}, MalformedAnswer),
            ({"retCode": 0, "result": {"list": []}}, MalformedAnswer),
            ({"retCode": 0, "result": {"list": [row]}}, MalformedAnswer),
            ({"retCode": 0, "result": {"list": [[None]]}}, MalformedAnswer),
            ({"retCode": 0, "result": {"list": "many"}}, MalformedAnswer),
            ([], VenueError),
            ({"retCode": 10001, "retMsg": "params error"}, VenueError),
        ]
        for answer, error in wrong:
            fake.faults.answers["kline"] = answer
            with pytest.raises(error):
                await source.bars(*window)
        fake.faults.answers.clear()
        fake.faults.status["kline"] = 503
        with pytest.raises(VenueUnavailable):
            await source.bars(*window)
        fake.faults.status.clear()
        assert len(await source.bars(*window)) >= 5


@pytest.mark.parametrize("fault", ["mute", "unreadable frame", "dropped sockets"])
@scenario
async def test_a_stream_that_falls_silent_is_opened_anew(fault: str) -> None:
    told: list[str] = []
    async with exchange(silence_s=0.4, last_pause_s=0.1) as (fake, source):
        stream = CcxtStream(source, source.settings, told.append)
        heard: list[Any] = []
        stream.watch("prints", lambda: source.exchange.watch_trades(UNIFIED), heard.append)
        await until(lambda: len(heard) > 2)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)  # what ends ccxt's loop is told there
        match fault:
            case "mute":
                fake.faults.mute = True
                await until(lambda: stream.silences > 0)
                fake.faults.mute = False
            case "unreadable frame":
                fake.faults.frame = '{"topic": "publicTrade.BTCUSDT", "data": [{"T": '
                await until(lambda: stream.silences > 0)
            case _:
                await fake.drop()
                await until(lambda: stream.failures > 0)
        before = len(heard)
        await until(lambda: len(heard) > before + 2)
        assert fake.connects >= 2
        assert told
        await stream.close()


@scenario
async def test_bars_are_published_once_in_order_closed_and_after_a_gap() -> None:
    published: list[Closed] = []
    early: list[int] = []
    async with exchange(speed=120.0) as (fake, source):
        settings: CcxtSettings = source.settings
        contract = (await source.contracts())[0][SYMBOL]

        def publish(closed: Closed) -> None:
            published.append(closed)
            if closed.row.open_ms + MINUTE_MS > fake.clock.now_ms():
                early.append(closed.row.open_ms)

        async def stale(_: str) -> None:
            return

        bars = BarPublisher(source, settings, publish, stale)
        bars.add("topic", contract, 1, None)
        keeping = asyncio.create_task(bars.keep_time())
        await until(lambda: len(published) >= 2, 20.0)
        fake.faults.answers["kline"] = {"retCode": 0, "result": {}}
        begun = fake.clock.now_ms()
        await until(lambda: fake.clock.now_ms() > begun + 3 * MINUTE_MS, 20.0)
        fake.faults.answers.clear()
        seen = len(published)
        await until(lambda: len(published) >= seen + 5, 30.0)
        keeping.cancel()
        bars.close()
        with suppress(asyncio.CancelledError):
            await keeping
        opens = [closed.row.open_ms for closed in published]
        assert opens == list(range(opens[0], opens[-1] + 1, MINUTE_MS))
        assert early == []
        real = fake.venue.markets["BTC-USDT"].klines(
            "1m", fake.venue.time_ms, opens[0], opens[-1] + MINUTE_MS, 100
        )
        assert [float(closed.row.close) for closed in published] == real.close.tolist()
        assert [float(closed.row.volume) for closed in published] == real.volume.tolist()
