"""`--record CATALOG`: what the desk saw of a live feed, written to a catalog from which it can be replayed.

Guarantees: nothing waits for the disk: a thread writes, the desk hands over references; a disk that refuses
is told at once and tried again, and when too much has piled up the recording is given up, never the run; a
killed run loses at most its last line and the next run into the same catalog imports what it left.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from catalog.errors import CatalogIOError
from catalog.recording import Head, RecordingFile, copy_history, import_recording, recordings
from catalog.schema import LABEL_REAL
from catalog.store import Catalog
from catalog.symbols import spot_of
from crupto_nautilus.desk.services import PaperContext
from crupto_nautilus.errors import EnvironmentProblem
from risk.vocabulary import Alarm, Instant
from strategies import bus

MAX_BACKLOG = 20_000  # instants that may wait for a disk
RETRY_S = 5.0
CLOSE_TIMEOUT_S = 60.0


class InstantWriter:
    """Writes instants on a thread of its own."""

    def __init__(self, file: RecordingFile, retry_s: float = RETRY_S, max_backlog: int = MAX_BACKLOG) -> None:
        self._file, self._retry_s, self._max = file, retry_s, max_backlog
        self._queue: queue.SimpleQueue[Instant | None] = queue.SimpleQueue()
        self.written = 0
        self.trouble = ""  # what the disk says now; empty while it takes everything
        self.given_up = ""
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def put(self, instant: Instant) -> None:
        """Hand an instant over; never waits."""
        if not self.given_up:
            self._queue.put(instant)

    def close(self, timeout_s: float) -> bool:
        """Write what is left; True if everything is on the disk."""
        self._queue.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self.given_up and not self.trouble

    def _run(self) -> None:
        batch: list[Instant] = []
        ending = False
        while not self.given_up:
            try:
                item = self._queue.get(timeout=self._retry_s if batch else None)
                while True:
                    if item is None:
                        ending = True
                    else:
                        batch.append(item)
                    item = self._queue.get_nowait()
            except queue.Empty:
                pass
            try:
                self._file.append(batch)
                self.written += len(batch)
                batch, self.trouble = [], ""
            except CatalogIOError as error:
                self.trouble = f"{error.message}: {error.found}"
                if ending or len(batch) > self._max:
                    self.given_up = f"{self.trouble} ({len(batch)} instants lost)"
            if ending:
                break
        self._file.close()


class TapActor(DataActor):
    """Hands every instant that the desk has acted on to the writer, and tells when the disk refuses."""

    def setup(self, put: Callable[[Instant], None], trouble: Callable[[], str]) -> TapActor:
        """Hand over where instants go and who knows of trouble."""
        self._put, self._trouble, self._told = put, trouble, ""
        return self

    def on_start(self) -> None:
        """Listen after everyone else."""
        self.subscribe_topic(bus.INSTANT, self.on_instant, 0)

    def on_instant(self, instant: Any) -> None:
        """Pass an instant of the run on."""
        if instant.warm_only:
            return
        self._put(instant)
        trouble = self._trouble()
        if trouble and not self._told:
            self.publish_message(bus.ALARM, Alarm(instant.ts_event, "recording", "record", trouble))
        self._told = trouble


class RecordFeed:
    """The service behind `--record`."""

    name = "recording"

    def __init__(self, target: Catalog) -> None:
        self._target = target
        self._writer: InstantWriter | None = None

    def start(self, context: PaperContext) -> None:
        """Import what a killed run left, copy the history the desk warms up on, and begin to write."""
        target, prepared = self._target, context.prepared
        window = prepared.choice.window
        for left in recordings(target.path):
            import_recording(target, left)
        names = window.instruments
        spots = [spot_of(name) for name in names]
        copy_history(prepared.catalog, target, {*names, *spots}, window.start_ns)
        head = Head(context.options.run_id, dict(window.base_minutes), _labels(prepared.catalog, names))
        self._file = RecordingFile(target.path, head)
        self._writer = writer = InstantWriter(self._file)
        actor = TapActor(DataActorConfig(actor_id=ActorId("desk-tap-001")))
        context.node.add_actor(actor.setup(writer.put, lambda: writer.given_up or writer.trouble))
        self._context = context

    def stop(self, reason: str) -> None:
        """Write the rest and turn the recording into rows of the catalog."""
        writer = self._writer
        if writer is None:
            return
        whole = writer.close(CLOSE_TIMEOUT_S)
        self._context.measured["recording"] = {
            "catalog": str(self._target.path), "instants": writer.written, "failed": writer.given_up,
        }  # fmt: skip
        if not whole:
            raise EnvironmentProblem(
                "the recording of the feed is not whole",
                found=writer.given_up or writer.trouble or "the disk did not take it in time",
                expected=f"every instant in {self._target.path}",
                remedy=f"free the disk; crupto catalog check --catalog {self._target.path} "
                "--repair import_recordings keeps what was written",
            )
        import_recording(self._target, self._file.path)


def _labels(catalog: Catalog, names: tuple[str, ...]) -> dict[str, str]:
    held = {source.instrument: source.label for source in catalog.sources()}
    return {name: held.get(name, LABEL_REAL) for name in names}
