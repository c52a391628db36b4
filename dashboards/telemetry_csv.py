"""TelemetryExporter: events, counters, rates and latencies of a run as `telemetry.csv`, beside the desk.

Guarantees: `event` is one append to a bounded queue; a thread writes; when events come faster than they are
written the surplus is dropped and counted in the file itself; the file never grows beyond `max_bytes`: it is
then renamed to `telemetry.1.csv`, over the one before it, and begun anew; a disk that refuses is told in
`failed` and tried again.

Columns: `wall_time_s`, `desk_ts_ns`, `kind` (event, counter, rate, latency), `name`, `subject`, `value`,
`detail`.
"""

from __future__ import annotations

import csv
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, NamedTuple

COLUMNS = ("wall_time_s", "desk_ts_ns", "kind", "name", "subject", "value", "detail")
FILE = "telemetry.csv"
OLDER = "telemetry.1.csv"
MAX_DETAIL = 400


class Sample(NamedTuple):
    """One figure of a sample: `total` counters become rates between two samples."""

    name: str
    subject: str
    value: float
    kind: str = "counter"


class _Event(NamedTuple):
    wall: float
    ts_event: int
    name: str
    subject: str
    detail: str


class TelemetryExporter:
    """Writes a run's telemetry.

    Parameters
    ----------
    folder : Path
        The run's folder.
    sample : Callable
        Returns (desk time in ns, figures) of now; called on the writer's thread.
    every_s : float
        Wall seconds between two samples.
    max_bytes : int
        Bound of the file; two of them may exist.
    max_waiting : int
        Events that may wait to be written.
    """

    def __init__(
        self,
        folder: Path,
        sample: Callable[[], tuple[int, Iterable[Sample]]],
        every_s: float = 10.0,
        max_bytes: int = 20_000_000,
        max_waiting: int = 20_000,
    ) -> None:
        self.path = folder / FILE
        self.failed = ""
        self.dropped = 0
        self._sample, self._every_s, self._max_bytes = sample, every_s, max_bytes
        self._max_waiting = max_waiting
        self._events: deque[_Event] = deque()
        self._before: dict[tuple[str, str], float] = {}
        self._sampled = time.monotonic()
        self._told_dropped = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Begin to write; counters that do not begin at zero are not taken for a rate."""
        _, figures = self._sample()
        self._before = {(one.name, one.subject): one.value for one in figures if one.kind == "counter"}
        self._thread.start()

    def event(self, ts_event: int, kind: str, subject: str, detail: str, wall: float | None = None) -> None:
        """Take one event, of now or of the wall time `wall` (seconds); never waits."""
        if len(self._events) >= self._max_waiting:
            self.dropped += 1
            return
        self._events.append(_Event(wall or time.time(), ts_event, kind, subject, detail))

    def stop(self) -> None:
        """Write what waits and a last sample, and end."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _run(self) -> None:
        while True:
            ending = self._ending.wait(0.5)
            due = time.monotonic() - self._sampled >= self._every_s
            if self._events or due or ending:
                self._write(with_sample=due or ending)
            if ending:
                return

    def _write(self, *, with_sample: bool) -> None:
        try:
            if self.path.exists() and self.path.stat().st_size >= self._max_bytes:
                self.path.replace(self.path.with_name(OLDER))
            fresh = not self.path.exists()
            sample = self._sample() if with_sample else None  # first: it may bring events
            with self.path.open("a", newline="", encoding="utf-8") as file:
                if fresh:
                    csv.writer(file).writerow(COLUMNS)
                self._write_events(file)
                if sample is not None:
                    self._write_sample(file, *sample)
            self.failed = ""
        except OSError as error:
            self.failed = f"{self.path.name} cannot be written: {error.strerror or error}"

    def _write_events(self, file: IO[str]) -> None:
        writer = csv.writer(file)
        for _ in range(len(self._events)):
            event = self._events[0]
            writer.writerow(
                (f"{event.wall:.3f}", event.ts_event, "event", event.name, event.subject, "",
                 " ".join(event.detail.split())[:MAX_DETAIL])
            )  # fmt: skip
            self._events.popleft()
        if self.dropped > self._told_dropped:
            lost, self._told_dropped = self.dropped - self._told_dropped, self.dropped
            writer.writerow((f"{time.time():.3f}", "", "event", "dropped", "", lost, "events came too fast"))

    def _write_sample(self, file: IO[str], ts: int, figures: Iterable[Sample]) -> None:
        writer = csv.writer(file)
        now = time.monotonic()
        passed, self._sampled = now - self._sampled, now
        wall = f"{time.time():.3f}"
        for figure in figures:
            key = (figure.name, figure.subject)
            writer.writerow((wall, ts, figure.kind, figure.name, figure.subject, f"{figure.value:.9g}", ""))
            if figure.kind != "counter":
                continue
            rate = (figure.value - self._before.get(key, 0.0)) / passed if passed > 0.0 else 0.0
            self._before[key] = figure.value
            writer.writerow((wall, ts, "rate", f"{figure.name}_per_s", figure.subject, f"{rate:.6g}", ""))
