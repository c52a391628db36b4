"""What a look-ahead check found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PREFIX = "prefix"  # on the history up to the cut it says something else
FUTURE = "future"  # with another future after the cut it says something else
STARTUP = "startup"  # with twice the warm-up it decides something else
STREAM = "stream"  # bar by bar it says something else than over columns


@dataclass(frozen=True, slots=True)
class Leak:
    """One value that depends on what it must not depend on; `row` is a bar, `cut` where the history ended."""

    check: str
    what: str
    cut: int
    row: int
    found: Any
    expected: Any

    def __str__(self) -> str:
        return (
            f"{self.check}: {self.what} at bar {self.row} was {self.found!r}, expected {self.expected!r} "
            f"(history cut at bar {self.cut})"
        )


@dataclass(slots=True)
class LookaheadReport:
    """The outcome of all checks of one subject; inconclusive counts as failed.

    `entries` counts the bars on which the subject wants to enter, `values` the single values compared;
    `leaks` holds the first leak of each column and check; `inconclusive` says what could not be checked.
    """

    subject: str
    instrument: str
    bars: int
    cuts: int = 0
    trade_cuts: int = 0
    entries: int = 0
    values: int = 0
    leaks: list[Leak] = field(default_factory=list)
    inconclusive: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything was checked and nothing leaked."""
        return not self.leaks and not self.inconclusive

    def add(self, leaks: list[Leak]) -> None:
        """Keep leaks of columns that are not told yet."""
        told = {(leak.check, leak.what) for leak in self.leaks}
        for leak in leaks:
            if (leak.check, leak.what) not in told:
                told.add((leak.check, leak.what))
                self.leaks.append(leak)
