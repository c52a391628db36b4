"""Back-pressure between a feed and the desk: how many instants may be on their way at once.

Guarantee: without venue latency the node drains order events and commands before the next piece of data, so
a fill always reaches its strategy before the next instant; the gate only bounds what waits in the queues.
"""

from __future__ import annotations

import asyncio


class InstantGate:
    """Lets the feed run at most `window` instants ahead of the desk."""

    def __init__(self, window: int) -> None:
        if window < 1:
            raise ValueError(f"window was {window}, expected at least 1")
        self._window = window
        self._sent = 0
        self._done = 0
        self._room: asyncio.Event | None = None

    @property
    def backlog(self) -> int:
        """Instants that were sent and that the desk has not finished."""
        return self._sent - self._done

    def open(self) -> None:
        """Bind the gate to the running event loop; called on the loop's thread."""
        self._room = asyncio.Event()

    def sent(self) -> None:
        """Count an instant that goes out, whether there is room or not: a live venue does not wait."""
        self._sent += 1

    def passed(self) -> None:
        """Say that the desk has finished an instant (called on the node's thread)."""
        self._done += 1
        if self._room is not None:
            self._room.set()

    async def room(self) -> None:
        """Wait until no more than `window` instants are on their way."""
        room = self._room
        if room is None:
            raise RuntimeError("the gate was not opened")
        while self._sent - self._done > self._window:
            room.clear()
            await room.wait()

    async def admit(self) -> None:
        """Wait until one more instant may be sent, and count it."""
        self._sent += 1
        await self.room()
