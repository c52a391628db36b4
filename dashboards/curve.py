"""A curve of bounded length: when it is full, every second point goes."""

from __future__ import annotations

from typing import Any


class Curve:
    """Equity and drawdown over desk time.

    Parameters
    ----------
    most : int
        Points that are kept; beyond that the resolution halves, first and last point stay.
    """

    def __init__(self, most: int = 1024) -> None:
        self._most = max(8, most)
        self._points: list[tuple[int, float, float]] = []
        self._step = 1
        self._skipped = 0
        self._last: tuple[int, float, float] | None = None

    def add(self, ts_ns: int, equity: float, drawdown_pct: float) -> None:
        """Append a point (desk time in ns, USDT, percent)."""
        self._last = (ts_ns, equity, drawdown_pct)
        self._skipped += 1
        if self._skipped < self._step:
            return
        self._skipped = 0
        points = self._points
        points.append(self._last)
        if len(points) > self._most:
            self._points = points[::2]  # a new list: a reader keeps the one it has
            self._step *= 2

    def to_json(self) -> dict[str, list[Any]]:
        """Return the columns ts (ns), equity, drawdown_pct; the newest point is always the last."""
        points = list(self._points)
        if self._last is not None and (not points or points[-1] != self._last):
            points.append(self._last)
        return {
            "ts": [point[0] for point in points],
            "equity": [round(point[1], 4) for point in points],
            "drawdown_pct": [round(point[2], 4) for point in points],
        }
