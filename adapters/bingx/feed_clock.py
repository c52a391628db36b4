"""The venue's clock as the clock of a live feed."""

from __future__ import annotations

from adapters.bingx.clock import VenueClock
from adapters.bingx.timebase import Timebase

MS = 1_000_000


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
