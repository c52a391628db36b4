"""The desk's clock: event time of the instant in progress.

The engine's own clock shows wall time in a live node, so nothing on the desk reads it.
"""

from __future__ import annotations


class DeskClock:
    """Holds the `ts` (ns UTC) of the instant in progress; the router sets it, everyone else reads it."""

    __slots__ = ("now_ns",)

    def __init__(self) -> None:
        self.now_ns = 0
