"""Moments that a desk has missed come before the first live one, whole and apart from what is measured."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.live.feed import GRACE_NS, InstantFeed
from catalog.assembler import InstantAssembler
from catalog.feed import CLOSE, OPEN, RESTORED, EngineFeed, mark
from risk.vocabulary import MINUTE_NS, Bar, Instant, InstrumentRules

BTC = "BTC-USDT.TEST"
START = 1_704_067_200_000_000_000


class Clock:
    """A clock that stands still."""

    def now_ns(self) -> int:
        return START + 10 * MINUTE_NS

    async def sleep_until(self, _: int) -> None:
        raise NotImplementedError


def bar(minute: int) -> Bar:
    return Bar(BTC, 1, START + minute * MINUTE_NS, 100.0, 100.0, 100.0, 100.0, 1.0)


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> InstantFeed:
    timer = SimpleNamespace(cancel=lambda: None)
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: SimpleNamespace(call_later=lambda *_: timer))
    rules = {BTC: InstrumentRules(BTC, 1, 3, 0.1, 0.001, 0.001, 2.0, 0.0002, 0.0005)}
    missed = [Instant(START + k * MINUTE_NS, {1: (bar(k),)}) for k in (8, 9)]
    return InstantFeed(
        InstantAssembler({BTC: 1}, GRACE_NS, START + 9 * MINUTE_NS),
        EngineFeed(rules, {BTC: 1}),
        clock=Clock(),
        before_first=iter([mark(START, RESTORED), *missed]),
    )


def test_they_come_once_before_the_first_live_one_and_are_not_timed(feed: InstantFeed) -> None:
    emitted: list[Any] = []
    feed.start(emitted.append, lambda work, _: work.close())
    assert emitted == []
    live = bar(10)
    feed.bar(live)
    marks = [
        (data.data.phase, (data.data.ts_event - START) // MINUTE_NS)
        for data in emitted
        if hasattr(data, "data")
    ]
    assert marks == [
        (RESTORED, 0),
        *[(phase, minute) for minute in (8, 9, 10) for phase in (OPEN, CLOSE)],
    ]
    assert len(emitted) == len(marks) + 3  # a bar each

    for _ in range(2):
        assert feed.is_behind
        feed.on_phase(OPEN)
        feed.on_phase(CLOSE)
        assert feed.stopwatch.elapsed_ns(live.ts_event) is not None
    assert not feed.is_behind
    assert feed.gate.backlog == 1
    feed.on_phase(CLOSE)
    assert feed.gate.backlog == 0
    assert feed.stopwatch.elapsed_ns(live.ts_event) is None
