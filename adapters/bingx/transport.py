"""The WebSocket underneath the stream: three calls, so that another library can take its place.

Guarantees: closing and failing both end a `receive` with `ConnectionLost`; nothing is compressed twice (BingX
gzips its own frames); frames of any size are taken, the book of a large market has hundreds of levels.
"""

from __future__ import annotations

from typing import Any, Protocol

import aiohttp


class ConnectionLost(Exception):
    """The connection is closed, failed or could not be made; `status` is of a refused handshake, else 0."""

    def __init__(self, reason: str, status: int = 0, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.status, self.retry_after_s = status, retry_after_s


class Connection(Protocol):
    """One open WebSocket."""

    async def send(self, text: str) -> None:
        """Send a text frame."""

    async def receive(self) -> bytes | str:
        """Return the next frame."""

    async def close(self) -> None:
        """Close it; a pending `receive` ends."""


class Transport(Protocol):
    """Opens connections."""

    async def connect(self, url: str) -> Connection:
        """Open one."""

    async def close(self) -> None:
        """Release what the connections shared."""


class _AiohttpConnection:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (ConnectionError, aiohttp.ClientError, RuntimeError) as error:
            raise ConnectionLost(type(error).__name__) from None

    async def receive(self) -> bytes | str:
        message = await self._socket.receive()
        kind = message.type
        if kind is aiohttp.WSMsgType.BINARY or kind is aiohttp.WSMsgType.TEXT:
            data: bytes | str = message.data
            return data
        if kind is aiohttp.WSMsgType.ERROR:
            raise ConnectionLost(type(self._socket.exception()).__name__)
        raise ConnectionLost(f"closed with code {self._socket.close_code}")

    async def close(self) -> None:
        await self._socket.close()


class AiohttpTransport:
    """Connections of aiohttp; the session is made on the running loop at the first connect."""

    def __init__(self, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def connect(self, url: str) -> Connection:
        """Open a connection.

        Raises
        ------
        ConnectionLost
            It could not be opened; the address is not part of the text, it may hold a listen key.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=self._timeout_s, sock_connect=self._timeout_s
                )
            )
        options: dict[str, Any] = {"autoping": True, "max_msg_size": 0, "compress": 0}
        try:
            socket = await self._session.ws_connect(url, **options)
        except aiohttp.WSServerHandshakeError as error:
            after = str(error.headers.get("Retry-After", "")) if error.headers else ""
            raise ConnectionLost(
                f"handshake refused with status {error.status}",
                error.status,
                min(float(after), 300.0) if after.isdigit() else 0.0,
            ) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ConnectionLost(type(error).__name__) from None
        return _AiohttpConnection(socket)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()
