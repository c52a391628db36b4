"""Tools of the agents: plain functions, described by a `ToolSpec`, called through one timed and counted door.

Guarantees: a capability is registered once and an unknown one raises; every call is timed and counted; a
tool's state is ok, warning (slower than 5 times its cost hint), error (it raised) or disabled; what a tool
raises reaches the calling agent as `ToolFailure`, which refuses the signal and goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any, NamedTuple

from risk.vocabulary import ToolCall, ToolState

WARNING_FACTOR = 5
BUCKETS = 28  # bucket k holds durations below 2^k microseconds (of 1,024 ns)


class ToolFailure(RuntimeError):
    """A tool raised; the message names the capability and the cause."""


class ToolContext(NamedTuple):
    """Who calls, for what, and when (desk time)."""

    run_id: str
    ts_event: int
    instrument: str = ""
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a tool can do, whose it is, and what a call should cost."""

    capability: str
    agent: str
    function: Callable[..., Any]
    cost_hint_ms: float
    read_only: bool = True
    safety_tags: tuple[str, ...] = ()
    slow_ns: float = field(init=False)  # from here on a call is a warning

    def __post_init__(self) -> None:
        """Work out the limit once: it is compared at every call."""
        object.__setattr__(self, "slow_ns", WARNING_FACTOR * self.cost_hint_ms * 1_000_000)


@dataclass(slots=True)
class ToolStats:
    """What happened to a tool so far; latencies are kept as counts per power of two."""

    calls: int = 0
    errors: int = 0
    warnings: int = 0
    total_ns: int = 0
    max_ns: int = 0
    state: ToolState = ToolState.OK
    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def quantile_ns(self, q: float) -> int:
        """Return the upper bound of the bucket that holds the q-quantile (at most the maximum seen)."""
        if not self.calls:
            return 0
        wanted, seen = q * self.calls, 0
        for k, count in enumerate(self.buckets):
            seen += count
            if seen >= wanted:
                return min(1 << (k + 10), self.max_ns)
        return self.max_ns


class ToolRegistry:
    """The one table of tools of a desk."""

    def __init__(self) -> None:
        self._tools: dict[str, tuple[ToolSpec, ToolStats]] = {}
        self.stats: dict[str, ToolStats] = {}

    def register(self, spec: ToolSpec) -> None:
        """Add a tool; a capability that exists raises ValueError."""
        if spec.capability in self._tools:
            raise ValueError(f"capability {spec.capability!r} is registered already")
        stats = self.stats[spec.capability] = ToolStats()
        self._tools[spec.capability] = spec, stats

    def spec(self, capability: str) -> ToolSpec:
        """Return a tool's spec; an unknown capability raises KeyError with the known ones."""
        if capability not in self._tools:
            known = ", ".join(sorted(self._tools))
            raise KeyError(f"unknown capability {capability!r}; known: {known}")
        return self._tools[capability][0]

    def specs(self) -> tuple[ToolSpec, ...]:
        """Return all specs in order of registration."""
        return tuple(spec for spec, _ in self._tools.values())

    def disable(self, capability: str) -> None:
        """Switch a tool off: every call fails with `ToolFailure`."""
        self.spec(capability)
        self.stats[capability].state = ToolState.DISABLED

    def call(self, capability: str, context: ToolContext, *args: Any) -> tuple[Any, ToolCall | None]:
        """Run a tool; return its result, and the record of the call if it was slow.

        Raises
        ------
        KeyError
            If the capability is unknown.
        ToolFailure
            If the tool raised or is disabled; its `args[1]` is the record of the call.
        """
        if capability not in self._tools:
            self.spec(capability)  # raises
        spec, stats = self._tools[capability]
        if stats.state is ToolState.DISABLED:
            record = self._record(spec, context, 0, ToolState.DISABLED, "disabled")
            raise ToolFailure(f"{capability}: disabled", record)
        failure: Exception | None = None
        started = perf_counter_ns()
        try:
            result = spec.function(context, *args)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller hears of it below
            failure = error
        duration = perf_counter_ns() - started
        # Counted here and not by a method: every step of every decision comes by.
        stats.calls += 1
        stats.total_ns += duration
        if duration > stats.max_ns:  # noqa: PLR1730 - a call of max costs more than the rest
            stats.max_ns = duration
        bucket = (duration >> 10).bit_length()
        stats.buckets[bucket if bucket < BUCKETS else -1] += 1
        if failure is not None:
            stats.errors += 1
            stats.state = ToolState.ERROR
            text = f"{type(failure).__name__}: {failure}"
            record = self._record(spec, context, duration, ToolState.ERROR, text)
            raise ToolFailure(f"{capability}: {text}", record) from failure
        if duration <= spec.slow_ns:
            stats.state = ToolState.OK
            return result, None
        stats.warnings += 1
        stats.state = ToolState.WARNING
        return result, self._record(spec, context, duration, ToolState.WARNING, "")

    @staticmethod
    def _record(spec: ToolSpec, context: ToolContext, ns: int, state: ToolState, error: str) -> ToolCall:
        return ToolCall(context.ts_event, spec.agent, spec.capability, context.trace_id, ns, state, error)
