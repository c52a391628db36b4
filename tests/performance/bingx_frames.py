"""Frames of 200 instruments as BingX sends them: klines, prints and books, gzipped, with a rollover."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass

from tests.fakes.bingx.contracts import Contract, many

START_MS = 1_780_000_020_000 // 60_000 * 60_000
PRINTS = 6  # in a trade frame; every third is the same as the one before, as in captured frames


@dataclass(frozen=True)
class Frames:
    """Encoded frames and what is in them."""

    encoded: list[bytes]
    prints: int
    bars_closed: int
    contracts: tuple[Contract, ...]


def frames(instruments: int, seconds: int, seed: int = 5) -> Frames:
    """Return the frames of so many seconds: a kline and a book a second, every third second a trade frame."""
    rng = random.Random(seed)
    contracts = many(instruments)
    encoded, prints = [], 0
    for second in range(seconds):
        now = START_MS + second * 1000
        opened = now // 60_000 * 60_000
        for contract in contracts:
            price = contract.price * (1 + 0.001 * rng.random())
            digits, size = contract.price_precision, contract.quantity_precision
            text, tick = f"{price:.{digits}f}", 10.0**-digits
            row = {"c": text, "o": text, "h": text, "l": text, "v": f"{second + 1:.{size}f}", "T": opened}
            encoded.append(_pack(f"{contract.symbol}@kline_1m", {"s": contract.symbol, "data": [row]}))
            levels = [[f"{price + k * tick:.{digits}f}", f"{1 + k:.{size}f}"] for k in range(1, 6)]
            below = [[f"{price - k * tick:.{digits}f}", f"{1 + k:.{size}f}"] for k in range(1, 6)]
            book = {"ts": now, "data": {"bids": below, "asks": levels[::-1]}}
            encoded.append(_pack(f"{contract.symbol}@depth5@500ms", book))
            if second % 3 == 0:
                rows = [
                    {
                        "q": f"{1 + k // 3:.{size}f}", "p": text, "T": now, "m": True, "s": contract.symbol,
                    }
                    for k in range(PRINTS)
                ]  # fmt: skip
                prints += PRINTS
                encoded.append(_pack(f"{contract.symbol}@trade", {"data": rows}))
    closed = ((START_MS + (seconds - 1) * 1000) // 60_000 * 60_000 - START_MS) // 60_000
    return Frames(encoded, prints, closed * instruments, contracts)


def _pack(topic: str, body: dict[str, object]) -> bytes:
    return gzip.compress(json.dumps({"code": 0, "dataType": topic, **body}).encode(), 1)
