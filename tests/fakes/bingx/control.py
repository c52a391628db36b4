"""Orders to the exchange from outside: faults, trades, time, and a look at its books.

The same commands work in process (`await fake.control.apply({...})`) and as `POST /_ctl` on the control port.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tests.fakes.bingx import views
from tests.fakes.bingx.rest_faults import named

if TYPE_CHECKING:
    from tests.fakes.bingx.server import FakeBingx

Command = dict[str, Any]


class Control:
    """Runs commands; each is {"do": name, ...its arguments}."""

    def __init__(self, fake: FakeBingx) -> None:
        self.fake = fake
        self._commands: dict[str, Callable[..., Awaitable[Any]]] = {
            "rest_fault": self.rest_fault,
            "random_rest_faults": self.random_rest_faults,
            "frame_fault": self.frame_fault,
            "random_frame_faults": self.random_frame_faults,
            "stream": self.stream,
            "close_sockets": self.close_sockets,
            "expire_listen_keys": self.expire_listen_keys,
            "clock_skew": self.clock_skew,
            "trade": self.trade,
            "mark": self.mark,
            "advance": self.advance,
            "halt": self.halt,
            "books": self.books,
            "counts": self.counts,
        }

    async def apply(self, command: Command) -> dict[str, Any]:
        """Run one command.

        Raises
        ------
        ValueError
            If there is no such command.
        """
        arguments = dict(command)
        name = arguments.pop("do", None)
        if name not in self._commands:
            raise ValueError(f"unknown command {name!r}; known: {', '.join(self._commands)}")
        result = await self._commands[name](**arguments)
        return {"ok": True} if result is None else {"ok": True, "result": result}

    async def rest_fault(
        self, name: str, path: str = "", times: int = 1, method: str | None = None, seconds: float = 0.0
    ) -> None:
        self.fake.rest_faults.plan(named(path, name, times=times, method=method, seconds=seconds))

    async def random_rest_faults(
        self, seed: int, rate: float, names: list[str], seconds: float = 0.0
    ) -> None:
        self.fake.rest_faults.at_random(seed, rate, tuple(names), seconds)

    async def frame_fault(self, kind: Any, scope: Any = "all", times: int = 1) -> None:
        self.fake.stream_faults.plan(kind, scope, times)

    async def random_frame_faults(self, seed: int, rate: float, kinds: list[str]) -> None:
        self.fake.stream_faults.at_random(seed, rate, tuple(kinds))

    async def stream(self, **state: Any) -> None:
        """Set fields of `StreamFaults`: ping, data, reading, delay_s, latency_s, skip_acks and so on."""
        faults = self.fake.stream_faults
        for name, value in state.items():
            if not hasattr(faults, name) or name == "counts":
                raise ValueError(f"the stream has no fault {name!r}")
            if name == "muted_topics":
                faults.muted_topics = set(value)
            elif name == "refuse_handshakes":
                faults.refuse_handshakes = [(int(status), int(after)) for status, after in value]
            else:
                setattr(faults, name, value)

    async def close_sockets(self, scope: str = "all", code: int | None = 1001) -> int:
        """Close sockets with a code, or reset them (`code` null); return how many."""
        stream = self.fake.stream
        chosen = {"all": stream.connections, "private": stream.private, "public": stream.public}[scope]
        for connection in list(chosen):
            self.fake.stream_faults.counts["socket reset" if code is None else f"socket closed {code}"] += 1
            if code is None:
                connection.reset()
            else:
                await connection.close(code)
        return len(chosen)

    async def expire_listen_keys(self, tell: bool = True) -> None:
        self.fake.stream.expire_keys(tell)

    async def clock_skew(self, ms: int) -> None:
        self.fake.rest_faults.clock_skew_ms = ms

    async def trade(self, symbol: str, price: str, quantity: str = "1") -> None:
        await self.fake.trade(symbol, price, quantity)

    async def mark(self, symbol: str, price: str | None) -> None:
        self.fake.catch_up()
        self.fake.venue.pin_mark(symbol, price)

    async def advance(self, seconds: float) -> None:
        await self.fake.advance(seconds)

    async def halt(self, symbol: str, status: int = 0) -> None:
        self.fake.venue.halt(symbol, status)

    async def books(self) -> dict[str, Any]:
        """Return the venue's own truth: balance, positions, orders, fills."""
        venue = self.fake.venue
        return {
            "time_ms": venue.time_ms,
            "balance": views.balances(venue)[0],
            "positions": [views.position(venue, p) for p in venue.account.open_positions()],
            "orders": [views.order(venue, order) for order in venue.orders.values()],
            "fills": [views.fill_history(venue, fill) for fill in venue.fills],
        }

    async def counts(self) -> dict[str, Any]:
        fake = self.fake
        return {
            "faults": dict(fake.rest_faults.counts + fake.stream_faults.counts),
            "calls": dict(fake.call_counts),
            "sockets": {"private": len(fake.stream.private), "public": len(fake.stream.public)},
            "handshakes": fake.stream.handshakes,
            "listen_keys_made": fake.keys.made,
            "listen_keys_extended": fake.keys.extended,
        }
