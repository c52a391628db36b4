"""When a bar of the stream is closed: pure bookkeeping of one kline topic.

BingX marks no bar as closed.  A bar is closed when a frame of a later one comes, or when its end and a grace
period have passed on the venue's clock.  Guarantees: a forming bar is never wanted; times only go forward;
frames of a bar that is over change nothing.
"""

from __future__ import annotations

from typing import Any

from adapters.bingx.constants import MINUTE_MS
from adapters.bingx.errors import MalformedAnswer
from adapters.bingx.market_rows import Kline, kline_frame


class ClosingBar:
    """State of one topic.  Times are OPEN times in ms.

    Attributes
    ----------
    wanted_ms : int
        The newest bar known to be closed; 0 before the first.
    published_ms : int
        The newest bar handed on.
    """

    __slots__ = (
        "_closed",
        "_forming",
        "_step_ms",
        "forming_ms",
        "frames",
        "minutes",
        "published_ms",
        "wanted_ms",
    )

    def __init__(self, minutes: int) -> None:
        self.minutes = minutes
        self._step_ms = minutes * MINUTE_MS
        self.forming_ms = 0
        self.wanted_ms = 0
        self.published_ms = 0
        self.frames = 0  # of the forming bar
        self._forming: Any = None
        self._closed: dict[int, Any] = {}

    def frame(self, data: Any) -> bool:
        """Take the `data` of a kline frame; returns whether a bar has closed.

        Raises
        ------
        MalformedAnswer
            A frame that begins a new bar is not one.
        """
        if type(data) is list and len(data) == 1:
            row = data[0]
            # The common case costs a comparison: another view of the forming bar, looked at when it closes.
            if type(row) is dict and row.get("T") == self.forming_ms:
                self._forming = row
                self.frames += 1
                return False
        closed = False
        for bar in kline_frame(data, minutes=self.minutes):
            closed |= self._begin(bar.open_ms, _raw(data, bar))
        return closed

    def _begin(self, open_ms: int, raw: Any) -> bool:
        if open_ms <= self.wanted_ms or open_ms < self.forming_ms:
            return False
        if open_ms == self.forming_ms:
            self._forming, self.frames = raw, self.frames + 1
            return False
        closed = self._finish(open_ms - self._step_ms)
        self.forming_ms, self._forming, self.frames = open_ms, raw, 1
        return closed

    def by_clock(self, venue_ms: int, grace_ms: int) -> bool:
        """Close the forming bar if its end and the grace period have passed; returns whether it did."""
        if not self.forming_ms or venue_ms < self.forming_ms + self._step_ms + grace_ms:
            return False
        last = (venue_ms - grace_ms) // self._step_ms * self._step_ms - self._step_ms
        closed = self._finish(last)
        self.forming_ms, self._forming, self.frames = last + self._step_ms, None, 0
        return closed

    def _finish(self, last_ms: int) -> bool:
        """The bars up to `last_ms` are closed."""
        first = not self.forming_ms
        if self.forming_ms and self._forming is not None:
            self._closed[self.forming_ms] = self._forming
        self.wanted_ms = last_ms
        if first:
            self.published_ms = max(self.published_ms, last_ms)  # what was before the subscription is history
            return False
        return True

    def seen(self, open_ms: int) -> Kline | None:
        """Return a closed bar as the last frame showed it; None if there was none, or it was not a bar."""
        raw = self._closed.get(open_ms)
        if raw is None:
            return None
        try:
            return kline_frame([raw], minutes=self.minutes)[0]
        except MalformedAnswer:
            return None

    def publish(self, open_ms: int) -> None:
        """Take note that a bar was handed on, or that the venue has none."""
        self.published_ms = max(self.published_ms, open_ms)
        for ms in [ms for ms in self._closed if ms <= self.published_ms]:
            del self._closed[ms]

    @property
    def first_missing_ms(self) -> int:
        """The oldest closed bar that was not handed on; above `wanted_ms` when there is none."""
        return self.published_ms + self._step_ms


def _raw(data: list[Any], bar: Kline) -> Any:
    return next(row for row in data if int(row["T"]) == bar.open_ms)
