"""Faults of the WebSocket: what happens to frames, sockets, acknowledgements and listen keys."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, get_args

Scope = Literal["all", "private", "public"]
FrameKind = Literal["bad_gzip", "bad_json", "text", "duplicate", "drop", "truncate"]
FRAME_KINDS: tuple[str, ...] = get_args(FrameKind)


@dataclass(slots=True)
class FrameFault:
    """A fault of the next `times` data frames of the sockets in scope."""

    kind: FrameKind
    scope: Scope = "all"
    times: int = 1


@dataclass(slots=True)
class StreamFaults:
    """The state of the stream's faults; everything may be changed while it runs."""

    ping: bool = True
    data: bool = True  # False: pings go on, nothing else does
    reading: bool = True  # False: what the client sends is left unread
    frames: list[FrameFault] = field(default_factory=list)
    reorder: dict[Scope, int] = field(default_factory=dict)  # the next n frames come in reverse order
    delay_s: float = 0.0
    latency_s: float = 0.0  # mean of a seeded exponential delay of every frame
    muted_topics: set[str] = field(default_factory=set)  # acknowledged, but silent (a kline gap)
    stale_book_ticker_ms: int = 0
    refuse_topics: dict[str, int] = field(default_factory=dict)  # topic ("" for all) -> code
    leak_after_refusal: bool = False
    skip_acks: int = 0
    refuse_handshakes: list[tuple[int, int]] = field(default_factory=list)  # (status, Retry-After seconds)
    counts: Counter[str] = field(default_factory=Counter)
    random_rate: float = 0.0
    random_kinds: tuple[str, ...] = ()
    rng: random.Random = field(default_factory=lambda: random.Random(2))

    def plan(self, kind: FrameKind, scope: Scope = "all", times: int = 1) -> None:
        if kind not in FRAME_KINDS:
            raise ValueError(f"unknown frame fault {kind!r}; known: {', '.join(FRAME_KINDS)}")
        self.frames.append(FrameFault(kind, scope, times))

    def at_random(self, seed: int, rate: float, kinds: tuple[str, ...]) -> None:
        """Give a share of all data frames one of the kinds, drawn from a seed."""
        if unknown := [kind for kind in kinds if kind not in FRAME_KINDS]:
            raise ValueError(f"unknown frame faults {unknown}; known: {', '.join(FRAME_KINDS)}")
        self.rng = random.Random(seed)
        self.random_rate, self.random_kinds = rate, kinds

    def draw(self, private: bool) -> str | None:
        """Return the fault of the next data frame."""
        for fault in self.frames:
            if fault.scope == "all" or (fault.scope == "private") == private:
                fault.times -= 1
                if not fault.times:
                    self.frames.remove(fault)
                return self._counted(fault.kind)
        if self.random_rate and self.rng.random() < self.random_rate:
            return self._counted(self.rng.choice(self.random_kinds))
        return None

    def frame_delay_s(self) -> float:
        """Return how long the next frame waits."""
        return self.delay_s + (self.rng.expovariate(1 / self.latency_s) if self.latency_s else 0.0)

    def _counted(self, kind: str) -> str:
        self.counts[f"frame {kind}"] += 1
        return kind
