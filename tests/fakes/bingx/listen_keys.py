"""Keys of the user stream and how long they live."""

from __future__ import annotations

import hashlib


class ListenKeys:
    """Listen keys by venue time: valid for an hour, extended by as much."""

    def __init__(self, life_ms: int, same_while_valid: bool) -> None:
        self.life_ms = life_ms
        self.same_while_valid = same_while_valid
        self.made = 0
        self.extended = 0
        self._ends: dict[str, int] = {}

    def create(self, now_ms: int) -> str:
        if self.same_while_valid:
            for key in self._ends:
                if self.valid(key, now_ms):
                    return key
        self.made += 1
        key = hashlib.sha256(f"listen key {self.made} of {now_ms}".encode()).hexdigest()
        self._ends[key] = now_ms + self.life_ms
        return key

    def valid(self, key: str, now_ms: int) -> bool:
        return self._ends.get(key, 0) > now_ms

    def extend(self, key: str, now_ms: int) -> bool:
        if not self.valid(key, now_ms):
            return False
        self.extended += 1
        self._ends[key] = now_ms + self.life_ms
        return True

    def end(self, key: str) -> bool:
        return self._ends.pop(key, None) is not None

    def expire_all(self) -> list[str]:
        """End every key now and return them."""
        keys = list(self._ends)
        self._ends.clear()
        return keys
