"""The gate between replay and desk."""

from __future__ import annotations

import asyncio

import pytest

from adapters.live.gate import InstantGate


def test_the_feed_waits_when_the_window_is_full_and_goes_on_when_the_desk_is_done() -> None:
    async def play() -> list[str]:
        gate, log = InstantGate(2), []
        gate.open()

        async def feed() -> None:
            for k in range(4):
                await gate.admit()
                log.append(f"sent {k}")

        task = asyncio.create_task(feed())
        await asyncio.sleep(0)
        log.append("waits")
        for _ in range(2):
            gate.passed()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await task
        return log

    assert asyncio.run(play()) == ["sent 0", "sent 1", "waits", "sent 2", "sent 3"]


def test_a_window_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        InstantGate(0)


def test_a_gate_that_was_not_opened_says_so() -> None:
    with pytest.raises(RuntimeError, match="not opened"):
        asyncio.run(InstantGate(1).admit())
