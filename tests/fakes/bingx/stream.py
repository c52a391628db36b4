"""The WebSocket side: subscriptions, market frames to their topics, user events to their listeners."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from tests.fakes.bingx import frames
from tests.fakes.bingx.listen_keys import ListenKeys
from tests.fakes.bingx.minutes import INTERVALS
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sockets import Connection, packed
from tests.fakes.bingx.stream_faults import StreamFaults
from tests.fakes.bingx.venue import MarketEvent, UserEvent, Venue

_PLAIN = ("trade", "ticker", "lastPrice", "markPrice", "bookTicker", "incrDepth")
_DEPTH = re.compile(r"^depth(5|10|20|50|100)(@(200ms|500ms|100ms))?$")

NOT_SUPPORTED, INVALID, TOO_MANY = 80015, 80014, 80403
_WORDS = {
    NOT_SUPPORTED: "dataType not support",
    INVALID: "invalid params",
    TOO_MANY: "your topic num over max 200",
}


class Stream:
    """All sockets of the venue."""

    def __init__(self, venue: Venue, settings: Settings, keys: ListenKeys, faults: StreamFaults) -> None:
        self.venue = venue
        self.settings = settings
        self.keys = keys
        self.faults = faults
        self.connections: list[Connection] = []
        self.handshakes = 0
        self.user_frames_sent = 0
        self._told: set[str] = set()  # listen keys whose end was told
        self._increments: dict[str, tuple[int, dict[str, str], dict[str, str]]] = {}

    @property
    def private(self) -> list[Connection]:
        return [c for c in self.connections if c.private]

    @property
    def public(self) -> list[Connection]:
        return [c for c in self.connections if not c.private]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        refusal = self._refuse_handshake(request)
        if refusal is not None:
            return refusal
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        connection = Connection(socket, request, self.faults)
        settings = self.settings
        connection.keep_alive(settings.wall_s(settings.ping_s), settings.wall_s(settings.pong_limit_s))
        self.connections.append(connection)
        self.handshakes += 1
        if connection.private:
            self.push_config([connection])
        try:
            while (message := await connection.received()) is not None:
                if message != "Pong":
                    self._answer(connection, message)
        finally:
            connection.end()
            self.connections.remove(connection)
        return socket

    def _refuse_handshake(self, request: web.Request) -> web.Response | None:
        if self.faults.refuse_handshakes:
            status, after = self.faults.refuse_handshakes.pop(0)
            self.faults.counts[f"handshake {status}"] += 1
            return web.Response(status=status, headers={"Retry-After": str(after)})
        if len(self.connections) >= self.settings.sockets:
            return web.Response(status=403, text="too many connections")
        key = request.query.get("listenKey")
        if key is not None and not self.keys.valid(key, self.venue.time_ms):
            return web.Response(status=401)
        return None

    def _answer(self, connection: Connection, message: dict[str, Any] | str) -> None:
        if not isinstance(message, dict) or not isinstance(message.get("dataType"), str):
            connection.control(_ack("", INVALID))
            return
        topic, name = message["dataType"], str(message.get("id", ""))
        if message.get("reqType") == "unsub":
            connection.topics.discard(topic)
            connection.control(_ack(name, 0))
            return
        code = self._refusal(connection, topic)
        if code:
            connection.control(_ack(name, code))
            if self.faults.leak_after_refusal and self._known(topic):
                self.faults.counts["frame leaked after refusal"] += 1
                for payload in self.snapshots(topic):
                    connection.push(packed(payload))
            return
        connection.topics.add(topic)
        if self.faults.skip_acks > 0:
            self.faults.skip_acks -= 1
            self.faults.counts["ack skipped"] += 1
        else:
            connection.control(_ack(name, 0))
        if topic not in self.faults.muted_topics:
            for payload in self.snapshots(topic):
                connection.push(packed(payload))

    def _refusal(self, connection: Connection, topic: str) -> int:
        asked = self.faults.refuse_topics
        if topic in asked or "" in asked:
            self.faults.counts["topic refused"] += 1
            return asked.get(topic) or asked[""]
        if not self._known(topic):
            return NOT_SUPPORTED
        full = len(connection.topics) >= self.settings.topics_a_socket
        return TOO_MANY if full and topic not in connection.topics else 0

    def _known(self, topic: str) -> bool:
        symbol, _, channel = topic.partition("@")
        kline = channel.startswith("kline_") and channel[6:] in INTERVALS
        return symbol in self.venue.contracts and bool(channel in _PLAIN or kline or _DEPTH.match(channel))

    def snapshots(self, topic: str) -> list[dict[str, Any]]:
        """Return what a topic shows now: nothing for trades, the forming bar for klines, and so on."""
        symbol, _, channel = topic.partition("@")
        venue, market = self.venue, self.venue.markets[symbol]
        if channel.startswith("kline_"):
            bars = market.klines(channel[6:], venue.time_ms, None, None, 1)
            return [frames.kline(market, channel[6:], bars)] if len(bars) else []
        if found := _DEPTH.match(channel):
            return [frames.depth(venue, symbol, topic, int(found[1]))]
        if channel == "bookTicker":
            stale = self.faults.stale_book_ticker_ms
            if stale:
                self.faults.counts["stale book ticker"] += 1
            return [frames.book_ticker(venue, symbol, venue.time_ms - stale)]
        if channel == "incrDepth":
            return [self._increment(symbol, topic, whole=True)]
        simple = {"ticker": frames.ticker, "markPrice": frames.mark_price, "lastPrice": frames.last_price}
        return [simple[channel](venue, symbol)] if channel in simple else []

    def _increment(self, symbol: str, topic: str, whole: bool) -> dict[str, Any]:
        """Return the whole book or what changed since the last frame; ids skip ahead without a loss."""
        bids, asks = frames.depth_sides(self.venue, symbol, 100)
        new = ({row[0]: row[1] for row in bids}, {row[0]: row[1] for row in asks})
        last, *old = self._increments.get(topic, (1_000, {}, {}))
        number = last + 2 + self.venue.time_ms % 7
        sides = []
        for before, after in zip(old, new, strict=True):
            gone = [] if whole else [[p, "0"] for p in before if p not in after]
            sides.append([[p, q] for p, q in after.items() if whole or before.get(p) != q] + gone)
        self._increments[topic] = (number, *new)
        data = {"action": "all" if whole else "update", "lastUpdateId": number, "time": self.venue.time_ms}
        return {"code": 0, "dataType": topic, "data": data | {"bids": sides[0], "asks": sides[1]}}

    # pushing

    def flush(self, events: Iterable[UserEvent | MarketEvent]) -> None:
        """Send what happened: user events in their order, prints and bars to their topics."""
        prints: dict[str, list[MarketEvent]] = {}
        for event in events:
            if isinstance(event, UserEvent):
                self.push_user(event.payload)
            else:
                prints.setdefault(event.symbol, []).append(event)
        for symbol, made in prints.items():
            self._push_prints(symbol, made)

    def push_user(self, payload: dict[str, Any]) -> None:
        """Send a payload to every socket whose listen key is alive."""
        frame = packed(payload)
        for connection in self.private:
            if self.keys.valid(connection.listen_key or "", self.venue.time_ms):
                connection.push(frame)
                self.user_frames_sent += 1

    def push_config(self, connections: Iterable[Connection] | None = None) -> None:
        """Send the settings of every symbol that has a position, or of the first one."""
        held = {p.symbol for p in self.venue.account.open_positions()}
        for symbol in sorted(held) or self.venue.contracts.symbols[:1]:
            frame = packed(frames.config_update(self.venue, symbol))
            for connection in self.private if connections is None else connections:
                connection.push(frame)

    def push_topic(self, topic: str, payload: dict[str, Any]) -> None:
        """Send a market frame to whoever subscribed to its topic."""
        if topic in self.faults.muted_topics:
            self.faults.counts["frame muted"] += 1
            return
        listeners = [c for c in self.connections if topic in c.topics]
        if listeners:
            frame = packed(payload)
            for connection in listeners:
                connection.push(frame)

    def _topics(self) -> set[str]:
        return {topic for connection in self.connections for topic in connection.topics}

    def _push_prints(self, symbol: str, made: list[MarketEvent]) -> None:
        topics = [t for t in self._topics() if t.startswith(f"{symbol}@")]
        market = self.venue.markets[symbol]
        for topic in sorted(topics):
            channel = topic.partition("@")[2]
            if channel == "trade":
                self.push_topic(topic, frames.trades(symbol, [event.trade for event in made]))
            elif channel == "lastPrice":
                self.push_topic(topic, frames.last_price(self.venue, symbol))
            elif channel.startswith("kline_"):
                step = INTERVALS[channel[6:]]
                # A flush that spans the end of a bar shows its last state before the new one.
                for opened in sorted({event.trade.time_ms // step * step for event in made}):
                    until = min(opened + step, self.venue.time_ms + 1)
                    bars = market.klines(channel[6:], self.venue.time_ms, opened, until, 1)
                    if len(bars):
                        self.push_topic(topic, frames.kline(market, channel[6:], bars))

    def push_periodic(self) -> None:
        """Send what comes by the clock: books, tickers, mark prices."""
        for topic in sorted(self._topics()):
            channel = topic.partition("@")[2]
            if channel == "incrDepth":
                self.push_topic(topic, self._increment(topic.partition("@")[0], topic, whole=False))
            elif channel in ("bookTicker", "markPrice", "ticker") or channel.startswith("depth"):
                for payload in self.snapshots(topic):
                    self.push_topic(topic, payload)

    def expire_keys(self, tell: bool) -> None:
        """End every listen key, with or without the event that says so."""
        self.faults.counts["listen key expired" + ("" if tell else " silently")] += 1
        for key in self.keys.expire_all():
            self._tell_expired(key, tell)

    def _tell_expired(self, key: str, tell: bool) -> None:
        payload = {"e": "listenKeyExpired", "E": self.venue.time_ms, "listenKey": key}
        for connection in self.private:
            if connection.listen_key == key and tell:
                connection.push(packed(payload))

    def expire_old_keys(self) -> None:
        """Tell the sockets whose listen key has just run out."""
        for connection in self.private:
            key = connection.listen_key or ""
            if not self.keys.valid(key, self.venue.time_ms) and key not in self._told:
                self._told.add(key)
                self._tell_expired(key, tell=True)


def _ack(name: str, code: int) -> dict[str, Any]:
    return {"id": name, "code": code, "msg": _WORDS.get(code, ""), "dataType": "", "data": None}
