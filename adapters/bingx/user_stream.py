"""The user stream: one listen key, one socket, kept alive; a reconciliation when something was missed.

Guarantees: a key is renewed long before it ends and never minted while the old one lives, so there is one
socket and no event comes twice; an expired, unknown or refused key leads to a new one and a new connection;
after every connect `on_up` runs before events count as complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from adapters.bingx.account_rows import listen_key
from adapters.bingx.config import StreamSettings
from adapters.bingx.errors import BingxError, VenueRefused
from adapters.bingx.rest import END_KEY, EXTEND_KEY, NEW_KEY, BingxRest
from adapters.bingx.sockets import BingxSocket, Frame
from adapters.bingx.stream import subscription_pacer
from adapters.bingx.transport import AiohttpTransport, Transport
from adapters.live.timebase import Timebase

KEY_LIFE_S = 3600.0
NOT_FOUND = 404
EXPIRED_EVENT = "listenKeyExpired"


class UserStream:
    """Delivers user events to `on_event`."""

    def __init__(
        self,
        rest: BingxRest,
        url: str,
        settings: StreamSettings,
        timebase: Timebase,
        on_event: Callable[[Frame], None],
        on_up: Callable[[], Awaitable[None]],
        renewal_s: float,
        transport: Transport | None = None,
    ) -> None:
        self._rest, self._address, self._timebase = rest, url, timebase
        self._on_event, self._on_up, self._renewal_s = on_event, on_up, renewal_s
        self._transport: Transport = transport or AiohttpTransport()
        self._key = ""
        self._key_ms = 0
        self._renewal: asyncio.Task[None] | None = None
        self.keys_minted = 0
        self.renewals = 0
        self.socket = BingxSocket(
            "user",
            self._url,
            self._transport,
            settings,
            subscription_pacer(settings),
            on_frame=self._event,
            on_up=self._up,
            on_refused=self._refused,
        )

    def start(self) -> None:
        """Connect and keep the key alive."""
        self.socket.start()
        self._renewal = asyncio.create_task(self._renew())

    async def close(self) -> None:
        """Close the socket and give the key back."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        await self.socket.close()
        await self._transport.close()
        if self._key:
            key, self._key = self._key, ""
            try:
                await asyncio.wait_for(self._rest.call(END_KEY, {"listenKey": key}), 2.0)
            except (BingxError, TimeoutError):
                return  # it ends by itself within the hour

    async def _url(self) -> str:
        age_s = (self._timebase.now_ms() - self._key_ms) / 1000
        if not self._key or age_s > KEY_LIFE_S:
            self._key = listen_key(await self._rest.call(NEW_KEY))
            self._key_ms = self._timebase.now_ms()
            self.keys_minted += 1
        return f"{self._address}?listenKey={self._key}"

    async def _up(self, _: tuple[str, ...]) -> None:
        await self._on_up()

    def _refused(self, status: int) -> None:
        if status in {401, 403, NOT_FOUND}:
            self._key = ""

    def _event(self, frame: Frame) -> None:
        if frame.get("e") == EXPIRED_EVENT:
            if frame.get("listenKey") in (None, self._key):
                self._key = ""
                self._reconnect()
            return
        self._on_event(frame)

    def _reconnect(self) -> None:
        self._again = asyncio.ensure_future(self.socket.reconnect())

    async def _renew(self) -> None:
        while True:
            await self._timebase.sleep(self._renewal_s)
            if not self._key:
                continue
            try:
                await self._rest.call(EXTEND_KEY, {"listenKey": self._key})
                self._key_ms = self._timebase.now_ms()
                self.renewals += 1
            except VenueRefused as refusal:
                if refusal.code == NOT_FOUND:
                    self._key = ""
                    await self.socket.reconnect()
            except BingxError:
                continue  # the key lives for two more rounds
