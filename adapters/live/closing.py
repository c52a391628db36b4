"""When a bar is closed: pure bookkeeping of the bars of one instrument.

Venues mark no bar as closed, or not reliably.  A bar is closed when a frame of a later one comes, or when its
end and a grace period have passed on the venue's clock; without a stream of bars only the clock closes them.
Guarantees: a forming bar is never wanted; times only go forward; frames of a bar that is over change nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from adapters.live.errors import MalformedAnswer
from adapters.live.rows import Kline
from adapters.live.timebase import MINUTE_MS


class ReadBars(Protocol):
    """Reads the rows of a frame."""

    def __call__(self, data: object, *, minutes: int) -> list[Kline]:
        """Return the bars in time order, the last one forming; raises `MalformedAnswer`."""


class FrameForm(NamedTuple):
    """How a venue's stream shows bars: how its rows are read, and which field holds the OPEN time in ms."""

    read: ReadBars
    time_key: str


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
        "_form",
        "_forming",
        "_step_ms",
        "forming_ms",
        "frames",
        "minutes",
        "published_ms",
        "wanted_ms",
    )

    def __init__(self, minutes: int, form: FrameForm | None = None) -> None:
        self.minutes = minutes
        self._form = form
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
        form = self._form
        if form is None:
            raise TypeError("these bars have no stream")
        if type(data) is list and len(data) == 1:
            row = data[0]
            # The common case costs a comparison: another view of the forming bar, looked at when it closes.
            if type(row) is dict and row.get(form.time_key) == self.forming_ms:
                self._forming = row
                self.frames += 1
                return False
        closed = False
        for bar in form.read(data, minutes=self.minutes):
            raw = next(row for row in data if int(row[form.time_key]) == bar.open_ms)
            closed |= self._begin(bar.open_ms, raw)
        return closed

    def begin(self, venue_ms: int) -> None:
        """Take the bar that forms now as the first one: without a stream nothing else begins it."""
        if not self.forming_ms:
            self._begin(venue_ms // self._step_ms * self._step_ms, None)

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
        if raw is None or self._form is None:
            return None
        try:
            return self._form.read([raw], minutes=self.minutes)[0]
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
