"""The quiet after an instant is said once, and not while instants follow each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from adapters.live.quiet import Quiet


class LoopOfTimers:
    """Stands for an event loop: keeps what is to be called later."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(delay_s, call))
        return self.timers[-1]

    def pass_time(self) -> None:
        due, self.timers = self.timers, []
        for timer in due:
            if not timer.cancelled:
                timer.call()


class Timer:
    def __init__(self, delay_s: float, call: Callable[[], None]) -> None:
        self.delay_s, self.call, self.cancelled = delay_s, call, False

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> LoopOfTimers:
    made = LoopOfTimers()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    return made


def quiet(said: list[str], **arguments: Any) -> Quiet:
    return Quiet(lambda: said.append("quiet"), **arguments)


def test_it_is_said_once_after_an_instant(loop: LoopOfTimers) -> None:
    said: list[str] = []
    quiet(said, after_s=0.5).begin()
    assert [timer.delay_s for timer in loop.timers] == [0.5]
    assert said == []
    loop.pass_time()
    loop.pass_time()
    assert said == ["quiet"]


def test_an_instant_that_follows_begins_the_wait_anew(loop: LoopOfTimers) -> None:
    said: list[str] = []
    waiting = quiet(said)
    waiting.begin()
    waiting.begin()
    loop.pass_time()
    assert said == ["quiet"]


def test_after_the_end_nothing_is_said(loop: LoopOfTimers) -> None:
    said: list[str] = []
    waiting = quiet(said)
    waiting.begin()
    waiting.over()
    waiting.over()
    loop.pass_time()
    assert said == []
