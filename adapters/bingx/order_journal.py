"""A file that remembers which client id an order at the venue belongs to.

The venue echoes client ids of market and limit orders only, in lower case.  A stop that rests while the
process is killed is recognised by this file: each order is written before it is sent, with what identifies
it, and again with the venue's id.  A line that was cut off by a crash is ignored.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.bingx.errors import BingxError
from adapters.bingx.order_rows import OrderRow
from adapters.bingx.tracked import base_client_id

_MAX_LINES = 20_000


class OrderJournal:
    """Client ids by venue id, and intents whose venue id was never learned.

    Parameters
    ----------
    path : Path or None
        The file; None remembers for this process only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._by_venue: dict[str, str] = {}
        self._venue_ids: dict[str, list[str]] = {}
        self._by_lower: dict[str, str] = {}
        self._intents: dict[str, dict[str, Any]] = {}
        self._lock = asyncio.Lock()
        if path is not None:
            self._load(path)

    def _load(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        except OSError as error:
            raise BingxError(
                "the order journal cannot be read",
                found=f"{path}: {error.strerror}",
                expected="a file of ours",
            ) from error
        for line in lines[-_MAX_LINES:]:
            try:
                entry = json.loads(line)
                self._take(entry)
            except (ValueError, KeyError, TypeError):
                continue  # the line that a crash cut off

    def _take(self, entry: dict[str, Any]) -> None:
        client_id = str(entry["client_id"])
        self._by_lower[client_id.lower()] = client_id
        if "venue_id" in entry:
            self._by_venue[str(entry["venue_id"])] = client_id
            self._venue_ids.setdefault(client_id, []).append(str(entry["venue_id"]))
            self._intents.pop(client_id, None)
        else:
            self._intents[client_id] = entry

    async def intend(self, client_id: str, params: dict[str, object]) -> None:
        """Write down what is about to be sent."""
        keys = ("symbol", "type", "side", "quantity", "price", "stopPrice")
        await self._write({"client_id": client_id} | {k: str(params[k]) for k in keys if k in params})

    async def placed(self, client_id: str, venue_id: str) -> None:
        """Write down the venue's id of an order."""
        if self._by_venue.get(venue_id) != client_id:
            await self._write({"client_id": client_id, "venue_id": venue_id})

    async def _write(self, entry: dict[str, Any]) -> None:
        self._take(entry)
        if self._path is None:
            return
        line = json.dumps(entry, separators=(",", ":")) + "\n"
        async with self._lock:
            await asyncio.to_thread(self._append, line)

    def _append(self, line: str) -> None:
        assert self._path is not None
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)

    def venue_ids(self, client_id: str) -> list[str]:
        """Return the ids that an order has had at the venue, oldest first."""
        return list(self._venue_ids.get(client_id, ()))

    def is_intended(self, client_id: str) -> bool:
        """Whether an order was written down whose venue id was never learned."""
        return client_id in self._intents

    def client_id(self, row: OrderRow) -> str:
        """Return the client id of an order at the venue, empty if it is not one of ours."""
        known = self._by_venue.get(row.order_id) or self._by_venue.get(row.trigger_order_id)
        if known:
            return known
        if row.client_id:
            base = base_client_id(row.client_id)
            return self._by_lower.get(base, base)
        return self._intended(row)

    def _intended(self, row: OrderRow) -> str:
        """Return the only intent that looks like the order and whose fate is unknown."""
        fitting = [
            client_id
            for client_id, intent in self._intents.items()
            if intent.get("symbol") == row.symbol
            and intent.get("type") == row.type
            and intent.get("side") == ("BUY" if row.side > 0 else "SELL")
            and _same_size(intent, row)
            and (row.stop_price == 0 or _same(intent.get("stopPrice"), row.stop_price))
        ]
        return fitting[-1] if fitting else ""


def _same_size(intent: dict[str, Any], row: OrderRow) -> bool:
    """Whether the sizes agree; a stop that the venue places with an entry has the size of what filled."""
    if _same(intent.get("quantity"), row.quantity):
        return True
    return bool(row.stop_price) and 0 < row.quantity < Decimal(str(intent.get("quantity", 0)))


def _same(text: object, value: Decimal) -> bool:
    return isinstance(text, str) and Decimal(text) == value
