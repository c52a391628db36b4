"""What the server shows: anything that answers these questions, a running desk or a finished run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Health:
    """`alive`: the process and its desk answer; `ready`: it also decides; `reason` says why not."""

    alive: bool
    ready: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DecisionQuery:
    """Which decisions are wanted, newest first; empty texts mean any."""

    limit: int = 50
    before_ns: int | None = None
    strategy: str = ""
    instrument: str = ""
    reason: str = ""


class BoardSource(Protocol):
    """Answers of a desk; called on the server's thread, never waits for the desk."""

    def metrics(self) -> bytes:
        """Metrics in Prometheus' text format."""

    def graph(self) -> dict[str, Any]:
        """Return the agent graph."""

    def run(self) -> dict[str, Any]:
        """Return run, desk state, books, limits, positions, regimes, strategies and the equity curve."""

    def decisions(self, query: DecisionQuery) -> dict[str, Any]:
        """Return decisions, newest first."""

    def health(self) -> Health:
        """Return whether the desk lives and decides."""
