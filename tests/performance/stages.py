"""Where the time of a desk's run goes: every handler is timed, what it calls in other parts is theirs.

The timers cost time themselves (about half a microsecond a step), so shares are to be read, not seconds.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from actors.agent import DeskAgent
from actors.router import RouterActor
from crupto_nautilus.desk import backtest
from strategies.order_desk import OrderDesk
from strategies.signal_strategy import SignalStrategy

FEED, ENGINE, BUS = "feed", "engine", "bus"
ORDER_EVENTS = (
    "on_order_filled",
    "on_order_accepted",
    "on_order_updated",
    "on_order_modify_rejected",
    "on_order_rejected",
    "on_order_denied",
    "on_order_canceled",
    "on_order_expired",
)
ORDER_COMMANDS = ("submit_order", "submit_order_list", "modify_order", "cancel_order")


class StageClock:
    """Seconds by stage; a stage stops while one that it calls runs."""

    def __init__(self) -> None:
        self._ns: defaultdict[str, int] = defaultdict(int)
        self._running: list[str] = []
        self._since = 0

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of every stage, the largest first."""
        found = {stage: ns / 1e9 for stage, ns in self._ns.items()}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed as a stage."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self._enter(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._leave()

        return call

    def _enter(self, stage: str) -> None:
        now = time.perf_counter_ns()
        if self._running:
            self._ns[self._running[-1]] += now - self._since
        self._running.append(stage)
        self._since = time.perf_counter_ns()

    def _leave(self) -> None:
        now = time.perf_counter_ns()
        self._ns[self._running.pop()] += now - self._since
        self._since = time.perf_counter_ns()


class TimedEngine:
    """A backtest engine whose `run` is the stage `engine`; everything else of it is passed on."""

    def __init__(self, engine: Any, clock: StageClock) -> None:
        self._engine = engine
        self.run = clock.timed(ENGINE, engine.run)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@contextmanager
def timed_desk(clock: StageClock) -> Iterator[None]:
    """Time the parts of every desk that is built and run inside this context."""

    def hear(self: Any, topic: str, handler: Callable[[Any], None], priority: int) -> None:
        stage = self.agent if isinstance(self, DeskAgent) else "strategies"
        self.subscribe_topic(topic, clock.timed(stage, handler), priority)

    make_engine, play = backtest.make_engine, backtest.play

    def timed_engine(*args: Any, **kwargs: Any) -> TimedEngine:
        return TimedEngine(make_engine(*args, **kwargs), clock)

    patches = [
        mock.patch.object(backtest, "make_engine", timed_engine),
        mock.patch.object(backtest, "play", clock.timed(FEED, play)),
        mock.patch.object(RouterActor, "on_data", clock.timed("router", RouterActor.on_data)),
    ]
    for cls in (DeskAgent, OrderDesk):
        published = clock.timed(BUS, cls.publish_message)
        patches += [
            mock.patch.object(cls, "hear", hear),
            mock.patch.object(cls, "publish_message", published, create=True),
        ]
    patches += [
        mock.patch.object(SignalStrategy, name, clock.timed("orders", getattr(SignalStrategy, name)))
        for name in ORDER_EVENTS
    ]
    patches += [
        mock.patch.object(OrderDesk, name, clock.timed(ENGINE, getattr(OrderDesk, name)), create=True)
        for name in ORDER_COMMANDS
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()
