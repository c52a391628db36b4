"""The venue's clock: the measured offset to ours, and that clock as the clock of a live feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from adapters.live.timebase import Timebase

SAMPLES = 5
MS = 1_000_000


class VenueClock:
    """Our time corrected by the offset of the best sample: its error is at most half of its round trip."""

    def __init__(self, timebase: Timebase) -> None:
        self._timebase = timebase
        self.offset_ms = 0
        self.round_trip_ms = 0
        self.measured = 0

    def now_ms(self) -> int:
        """Return the venue's time, ms since 1970."""
        return self._timebase.now_ms() + self.offset_ms

    async def measure(self, server_time: Callable[[], Awaitable[int]], samples: int = SAMPLES) -> int:
        """Ask for the venue's time several times, keep the best sample and return the offset in ms."""
        best: tuple[int, int] | None = None
        for _ in range(samples):
            sent = self._timebase.now_ms()
            theirs = await server_time()
            received = self._timebase.now_ms()
            sample = (received - sent, theirs - (sent + received) // 2)
            best = sample if best is None else min(best, sample)
        if best is not None:
            self.round_trip_ms, self.offset_ms = best
            self.measured += 1
        return self.offset_ms


class VenueFeedClock:
    """Venue time in nanoseconds; a feed on it closes its instants by the venue's minutes, not by ours."""

    def __init__(self, clock: VenueClock, timebase: Timebase) -> None:
        self._clock, self._timebase = clock, timebase

    def now_ns(self) -> int:
        """Return the venue's time."""
        return self._clock.now_ms() * MS

    async def sleep_until(self, ts_ns: int) -> None:
        """Return when the venue's clock shows `ts_ns`."""
        while (left_s := (ts_ns - self.now_ns()) / 1e9) > 0:
            await self._timebase.sleep(min(left_s, 60.0))
