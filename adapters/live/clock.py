"""The clock of a live feed: wall time, or what a test or an accelerated run says it is."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class FeedClock(Protocol):
    """Wall time and waiting for it."""

    def now_ns(self) -> int:
        """Return UTC now in nanoseconds."""

    async def sleep_until(self, ts_ns: int) -> None:
        """Return when the clock shows `ts_ns`, at once if it does already."""


class WallClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Return UTC now in nanoseconds."""
        return time.time_ns()

    async def sleep_until(self, ts_ns: int) -> None:
        """Sleep; a clock that is set back meanwhile makes it sleep on."""
        while (left := ts_ns - time.time_ns()) > 0:
            await asyncio.sleep(min(left / 1e9, 60.0))
