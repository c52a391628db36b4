"""Venue time: the adapter asks one object for the time and for pauses, so that a fake exchange can run fast.

Network time-outs, silence and rate limits are in real seconds; intervals and the life of keys in venue time.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

MINUTE_MS: Final = 60_000


class Timebase(Protocol):
    """The venue's clock as this machine knows it, without the measured offset."""

    def now_ms(self) -> int:
        """Return the time in ms since 1970."""

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of venue time."""


class WallTime:
    """The clock of this machine."""

    def now_ms(self) -> int:
        """Return the time in ms since 1970."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class ScaledTime:
    """Venue time that begins at a moment and runs `factor` times as fast as the wall clock."""

    def __init__(self, start_ms: int, factor: float) -> None:
        if factor <= 0:
            raise ValueError(f"factor was {factor}, expected above 0")
        self._start_ms, self._factor, self._began = start_ms, factor, time.monotonic()

    def now_ms(self) -> int:
        """Return the time in ms since 1970."""
        return self._start_ms + round((time.monotonic() - self._began) * 1000 * self._factor)

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of venue time."""
        await asyncio.sleep(seconds / self._factor)
