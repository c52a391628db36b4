"""The rate limiter: per endpoint and per group, orders before account before market data.

Guarantees: within any window of a rule at most so many calls as it says begins; a waiting order is served
before a waiting read, whatever came first; a block of the venue pauses everything.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import NamedTuple


class Priority(IntEnum):
    """Who is served first."""

    ORDER = 0
    ACCOUNT = 1
    DATA = 2
    HISTORY = 3


class Rate(NamedTuple):
    """At most `calls` calls in `window_s` seconds."""

    calls: int
    window_s: float


# Per user and endpoint, and for market data per address (vendor's rate limit page); a tenth is left as
# margin.
FIVE_A_SECOND = Rate(5, 1.05)
TWO_A_SECOND = Rate(2, 1.05)
MARKET = Rate(450, 10.0)


class _Bucket:
    """The calls of one rule within its window, and who waits for the next."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.stamps: deque[float] = deque()
        self.waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self.pump: asyncio.Task[None] | None = None

    def wait_s(self, now: float) -> float:
        while self.stamps and now - self.stamps[0] >= self.rate.window_s:
            self.stamps.popleft()
        return self.stamps[0] + self.rate.window_s - now if len(self.stamps) >= self.rate.calls else 0.0


class PriorityLimiter:
    """Admits calls by rule; `now` is a monotonic clock in seconds."""

    def __init__(self, rules: Mapping[str, Rate], now: Callable[[], float] = time.monotonic) -> None:
        self._buckets = {name: _Bucket(rate) for name, rate in rules.items()}
        self._now = now
        self._order = itertools.count()
        self._paused_until = 0.0
        self.waited = 0

    def pause(self, seconds: float) -> None:
        """Admit nothing for so many seconds."""
        self._paused_until = max(self._paused_until, self._now() + seconds)

    @property
    def paused_s(self) -> float:
        """How long the pause still lasts."""
        return max(0.0, self._paused_until - self._now())

    async def admit(self, rule: str, priority: Priority) -> None:
        """Wait until a call of this rule may begin."""
        bucket = self._buckets[rule]
        if not bucket.waiting and not self.paused_s and not bucket.wait_s(self._now()):
            bucket.stamps.append(self._now())
            return
        self.waited += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(bucket.waiting, (int(priority), next(self._order), future))
        if bucket.pump is None or bucket.pump.done():
            bucket.pump = asyncio.create_task(self._serve(bucket))
        await future

    async def _serve(self, bucket: _Bucket) -> None:
        while bucket.waiting:
            pause = max(self.paused_s, bucket.wait_s(self._now()))
            if pause:
                await asyncio.sleep(pause)
                continue
            _, _, future = heapq.heappop(bucket.waiting)
            if not future.done():  # a waiter that was cancelled costs nothing
                bucket.stamps.append(self._now())
                future.set_result(None)

    async def close(self) -> None:
        """Give up whoever still waits."""
        for bucket in self._buckets.values():
            if bucket.pump is not None:
                bucket.pump.cancel()
            for _, _, future in bucket.waiting:
                future.cancel()
            bucket.waiting.clear()
