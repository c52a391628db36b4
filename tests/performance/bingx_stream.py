"""Plays the same frames into the adapter, or into plain ccxt.pro, and measures one of them.

Usage: python -m tests.performance.bingx_stream adapter|ccxt INSTRUMENTS SECONDS; prints one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any

import psutil

from tests.performance.bingx_frames import Frames, frames

Figures = dict[str, float]


def _resident_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


class _Played:
    """A connection that delivers prepared frames."""

    def __init__(self, encoded: list[bytes]) -> None:
        self._next = iter(encoded)

    async def send(self, text: str) -> None:
        return

    async def receive(self) -> bytes:
        from adapters.bingx.transport import ConnectionLost

        frame = next(self._next, None)
        if frame is None:
            raise ConnectionLost("played")
        return frame

    async def close(self) -> None:
        return


async def adapter(played: Frames) -> Figures:
    """The socket's own loop, closed bars, engine prints and engine quotes."""
    from adapters.bingx import market_rows
    from adapters.bingx.config import DataSettings, StreamSettings
    from adapters.bingx.data import KLINES
    from adapters.bingx.history import BingxSource
    from adapters.bingx.limits import PriorityLimiter
    from adapters.bingx.rest import BingxRest, rate_rules
    from adapters.bingx.sockets import BingxSocket
    from adapters.bingx.stream import subscription_pacer
    from adapters.bingx.transport import ConnectionLost
    from adapters.live import engine_rows as engine
    from adapters.live.bar_publisher import BarPublisher, Closed
    from catalog.feed import bar_type

    before = _resident_mb()
    settings = DataSettings(confirm_bars=False)
    waits: list[float] = []
    out = {"prints": 0, "quotes": 0, "bars": 0}
    began = [0.0]

    def bar(closed: Closed) -> None:
        engine.bar(closed.row, closed.bar_type, closed.contract, closed.minutes, 0)
        out["bars"] += 1
        waits.append(time.perf_counter() - began[0])

    async def nothing(_: str) -> None:
        return

    rest = BingxRest(settings.endpoints, limiter=PriorityLimiter(rate_rules()))
    publisher = BarPublisher(BingxSource(rest), settings, bar, nothing, KLINES)
    socket = BingxSocket(
        "bench", _no_url, _NoTransport(), StreamSettings(), subscription_pacer(StreamSettings())
    )
    rows = market_rows.contracts([c.row() for c in played.contracts])[0]
    for symbol, contract in rows.items():
        kline = f"{symbol}@kline_1m"
        publisher.add(kline, contract, 1, bar_type(f"{symbol}.BINGX", 1))

        def klines(frame: Any, kline: str = kline) -> None:
            began[0] = time.perf_counter()
            publisher.frame(kline, frame["data"])

        def prints(frame: Any, contract: Any = contract) -> None:
            for row in market_rows.trade_frame(frame["data"], contract.symbol):
                engine.trade(row, contract, 0)
                out["prints"] += 1

        def books(frame: Any, contract: Any = contract) -> None:
            best = market_rows.best_frame(frame, contract.symbol)
            assert best is not None
            engine.quote(best, contract, 0)
            out["quotes"] += 1

        socket._live |= {kline: klines, f"{symbol}@trade": prints, f"{symbol}@depth5@500ms": books}
    started = time.process_time()
    with suppress(ConnectionLost):
        await socket._receive(_Played(played.encoded))
    cpu = time.process_time() - started
    assert socket.counters.bad == socket.counters.handler_errors == 0, socket.counters.last_error
    waits.sort()
    return {
        **out,
        "cpu_us": cpu / len(played.encoded) * 1e6,
        "memory_mb": _resident_mb() - before,
        "bar_p50_us": waits[len(waits) // 2] * 1e6 if waits else 0.0,
        "bar_p99_us": waits[int(len(waits) * 0.99)] * 1e6 if waits else 0.0,
    }


async def _no_url() -> str:
    return ""


class _NoTransport:
    async def connect(self, url: str) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        return


async def plain_ccxt(played: Frames) -> Figures:
    """ccxt.pro's client and handlers, as its own receive loop calls them."""
    import ccxt.pro
    from aiohttp import WSMessage, WSMsgType

    exchange = ccxt.pro.bingx(
        {"options": {"defaultType": "swap", "tradesLimit": 100_000, "OHLCVLimit": 1000}}
    )
    exchange.set_markets([exchange.parse_market(c.row()) for c in played.contracts])
    before = _resident_mb()
    client = exchange.client("ws://127.0.0.1:9/swap-market")
    for contract in played.contracts:
        symbol = f"{contract.asset}/USDT:USDT"
        exchange.orderbooks[symbol] = exchange.order_book({}, 5)
    messages = [WSMessage(WSMsgType.BINARY, data, None) for data in played.encoded]
    started = time.process_time()
    for message in messages:
        client.handle_message(message)
    cpu = time.process_time() - started
    # What `watch_trades` hands on: it drops prints of the same time, price, side and size.
    prints = sum(len(exchange.remove_repeated_trades_from_array(list(t))) for t in exchange.trades.values())
    await exchange.close()
    return {
        "prints": float(prints),
        "cpu_us": cpu / len(played.encoded) * 1e6,
        "memory_mb": _resident_mb() - before,
    }


def main() -> None:
    """Measure one of them."""
    kind, instruments, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    played = frames(instruments, seconds)
    figures = asyncio.run(adapter(played) if kind == "adapter" else plain_ccxt(played))
    print(
        json.dumps(
            figures | {"frames": len(played.encoded), "sent": played.prints, "closed": played.bars_closed}
        )
    )


if __name__ == "__main__":
    main()
