"""The dead man's switch: the venue cancels resting entries when this process falls silent.

`cancelAllAfter` cancels every order of the account, protective stops too, also one that the venue places
later: an entry that carries its stop, and fills between the end of this process and the moment at which the
switch goes off, would lose it.  A lost stop is worse than a stale entry that carries one, so the switch is
armed only while entries rest that carry none and nothing rests that reduces a position, and it is disarmed
before a stop, or an entry with a stop, is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from adapters.bingx.errors import BingxError
from adapters.bingx.rest import DEAD_MAN, BingxRest


class DeadMansSwitch:
    """Keeps the switch as it must be.

    Parameters
    ----------
    seconds : int
        Of silence; 0 switches nothing.
    resting : callable
        Returns how many entries rest, and how many orders that reduce a position rest or come with one.
    """

    def __init__(self, rest: BingxRest, seconds: int, resting: Callable[[], tuple[int, int]]) -> None:
        self._rest, self._seconds, self._resting = rest, seconds, resting
        self.armed = False
        self._renew_ms = 0
        self._lock = asyncio.Lock()
        self.renewals = 0
        self.failures = 0

    async def keep(self) -> None:
        """Arm, renew or disarm it; call it every second and after each change."""
        if not self._seconds:
            return
        async with self._lock:
            entries, protective = self._resting()
            wanted = entries > 0 and protective == 0
            try:
                now_ms = self._rest.clock.now_ms()
                if wanted and now_ms >= self._renew_ms:
                    await self._rest.call(DEAD_MAN, {"type": "ACTIVATE", "timeOut": self._seconds})
                    self.armed = True
                    self.renewals += 1
                    self._renew_ms = now_ms + self._seconds * 1000 // 4
                elif not wanted:
                    await self._disarm()
            except BingxError:
                self.failures += 1

    async def before_protection(self) -> None:
        """Disarm it, because an order is about to be placed that must survive this process."""
        if self.armed:
            async with self._lock:
                try:
                    await self._disarm()
                except BingxError:
                    self.failures += 1

    async def _disarm(self) -> None:
        if self.armed:
            await self._rest.call(DEAD_MAN, {"type": "CLOSE"})
            self.armed, self._renew_ms = False, 0
