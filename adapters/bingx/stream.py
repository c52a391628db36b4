"""The market stream: topics spread over as many sockets as they need.

Guarantees: no socket carries more than `topics_per_socket` (the venue refuses the 201st silently for ccxt);
subscriptions of all sockets together are paced; a refusal reaches the caller and no other topic; after a
reconnect the owner is told which topics may have missed frames.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from adapters.bingx.config import StreamSettings
from adapters.bingx.errors import VenueRefused
from adapters.bingx.limits import PriorityLimiter, Rate
from adapters.bingx.sockets import BingxSocket, Frame
from adapters.bingx.transport import AiohttpTransport, Transport

SOCKET_FULL = 80403


class MarketStream:
    """All market topics of one client."""

    def __init__(
        self,
        url: str,
        settings: StreamSettings,
        on_up: Callable[[tuple[str, ...]], Awaitable[None]],
        transport: Transport | None = None,
    ) -> None:
        self._address, self._settings, self._on_up = url, settings, on_up
        self._transport: Transport = transport or AiohttpTransport()
        self.pacer = subscription_pacer(settings)
        self.sockets: list[BingxSocket] = []
        self._full: set[BingxSocket] = set()
        self._home: dict[str, BingxSocket] = {}

    async def _url(self) -> str:
        return self._address

    def _socket_with_room(self) -> BingxSocket:
        for socket in self.sockets:
            if socket not in self._full and len(socket.handlers) < self._settings.topics_per_socket:
                return socket
        socket = BingxSocket(
            f"market-{len(self.sockets) + 1}",
            self._url,
            self._transport,
            self._settings,
            self.pacer,
            on_up=self._on_up,
        )
        self.sockets.append(socket)
        socket.start()
        return socket

    async def subscribe(self, topic: str, handler: Callable[[Frame], None]) -> None:
        """Subscribe to a topic; a topic that is subscribed keeps its handler.

        Raises
        ------
        VenueRefused
            The venue does not offer it.
        """
        if topic in self._home:
            return
        socket = self._home[topic] = self._socket_with_room()
        try:
            await socket.subscribe(topic, handler)
        except VenueRefused as refusal:
            del self._home[topic]
            if refusal.code != SOCKET_FULL:
                raise
            self._full.add(socket)  # the venue counts more topics on it than we do
            await self.subscribe(topic, handler)

    async def unsubscribe(self, topic: str) -> None:
        """Unsubscribe from a topic."""
        socket = self._home.pop(topic, None)
        if socket is not None:
            await socket.unsubscribe(topic)

    async def reconnect_socket_of(self, topic: str) -> None:
        """Open the socket of a topic anew, because it is silent although the venue trades."""
        if topic in self._home:
            await self._home[topic].reconnect()

    @property
    def topics(self) -> tuple[str, ...]:
        """What is subscribed."""
        return tuple(self._home)

    async def close(self) -> None:
        """Close all sockets."""
        for socket in self.sockets:
            await socket.close()
        await self.pacer.close()
        await self._transport.close()


def subscription_pacer(settings: StreamSettings) -> PriorityLimiter:
    """Return a limiter that spreads subscriptions evenly."""
    return PriorityLimiter({"subscribe": Rate(1, 1.0 / settings.subscribes_per_second)})
