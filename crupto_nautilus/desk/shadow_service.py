"""Challengers beside a paper run: each in a process of its own, fed with the instants of the desk.

Guarantees: the desk hands an instant over by appending it to a queue and waits for nothing; a challenger that
fails, lags or dies cannot change the desk, and says so in the run's notes; at the end each challenger has
seen every instant that the desk has seen, and its folder lies in the run's folder.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from actors.enable_map import Challenger
from crupto_nautilus.desk.services import PaperContext
from crupto_nautilus.desk.shadow import quiet
from crupto_nautilus.desk.shadow_process import Failed, Finish, Finished, Standing, Start, run_shadow_process
from crupto_nautilus.desk.status import ShadowStatus
from crupto_nautilus.reports.shadows import SHADOW
from risk.vocabulary import Instant
from strategies import bus

BATCH = 256  # instants that travel together when the desk is ahead
FINISH_S = 120.0  # a challenger that has not written its folder by then is given up

_Item = Instant | Finish


class ShadowTap(DataActor):
    """Hears the instants after everyone else and passes their fine parts on."""

    def setup(self, base_minutes: Mapping[str, int], queues: list[SimpleQueue[_Item]]) -> ShadowTap:
        """Hand over the finest timeframes and where instants go."""
        self._base, self._queues = dict(base_minutes), queues
        return self

    def on_start(self) -> None:
        """Listen last: nothing of the desk waits for this."""
        self.subscribe_topic(bus.INSTANT, self.on_instant, 0)

    def on_instant(self, message: Any) -> None:
        """Pass an instant on without the higher bars, which each desk builds for itself."""
        if message.warm_only:
            return
        base = self._base
        bars = {
            minutes: fine
            for minutes, group in message.bars.items()
            if (fine := tuple(bar for bar in group if base[bar.instrument] == minutes))
        }
        instant = message._replace(bars=bars)
        for queue in self._queues:
            queue.put(instant)


class _Worker:
    """One challenger: its process, its queue and the thread between the two."""

    def __init__(self, challenger: Challenger, start: Start) -> None:
        self.challenger = challenger
        self.queue: SimpleQueue[_Item] = SimpleQueue()
        self.standing = Standing(0, 0.0, 0, "starting")
        self.problem = ""
        context = get_context("spawn")
        self._pipe, child = context.Pipe()
        self._process = context.Process(
            target=run_shadow_process,
            args=(child, start),
            name=f"shadow {challenger.id}",
            daemon=True,
        )
        self._process.start()
        child.close()
        self._thread = threading.Thread(target=self._feed, name=f"shadow {challenger.id}", daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        try:
            _carry(self.queue, self._pipe, self._hear)
        except (EOFError, OSError) as error:
            self.problem = self.problem or f"its process has ended ({type(error).__name__})"
            self.standing = replace(self.standing, state="failed")

    def _hear(self, message: object) -> bool:
        """Take what the process says; True if it was its last word."""
        if isinstance(message, Standing):
            self.standing = message
        elif isinstance(message, Failed):
            self.problem = message.text
            self.standing = replace(self.standing, state="failed")
        return isinstance(message, Failed | Finished)

    def finish(self, reason: str) -> None:
        """Say that no more instants come; `wait` waits for the folder."""
        self.queue.put(Finish(reason))

    def wait(self, seconds: float) -> str:
        """Wait for the end; return what went wrong, empty if nothing did."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.problem = f"it did not finish within {seconds:g} s"
        self._process.join(1.0)
        if self._process.is_alive():
            self._process.kill()
        return self.problem


def _carry(queue: SimpleQueue[_Item], pipe: Connection, hear: Any) -> None:
    """Send what is queued in batches, and take what comes back, until the process says its last word."""
    while True:
        batch: list[Instant] = []
        item = queue.get()
        while isinstance(item, Instant):
            batch.append(item)
            if len(batch) >= BATCH or queue.empty():
                break
            item = queue.get()
        if batch:
            pipe.send(batch)
        if isinstance(item, Finish):
            pipe.send(item)
            while not hear(pipe.recv()):
                pass
            return
        while pipe.poll():
            if hear(pipe.recv()):
                return


class Shadows:
    """The service that runs the challengers of a paper run."""

    name = "challengers"

    def __init__(self) -> None:
        self._workers: list[_Worker] = []
        self._notes: list[str] = []

    def start(self, context: PaperContext) -> None:
        """Start a process for each challenger and tap the instants."""
        challengers = context.options.config.enable_map.shadows
        if not challengers:
            return
        self._notes = context.notes
        options = quiet(context.options, context.options.run_id)
        choice, resume = context.prepared.choice, context.plan.resume
        until = None if resume is None else resume.ts_event
        for challenger in challengers:
            start = Start(challenger.id, options, choice, context.folder / SHADOW, until)
            self._workers.append(_Worker(challenger, start))
        tap = ShadowTap(DataActorConfig(actor_id=ActorId("desk-shadow-001")))
        context.node.add_actor(tap.setup(context.plan.base_minutes, [w.queue for w in self._workers]))

    def stop(self, reason: str) -> None:
        """Let the challengers catch up and write; what went wrong becomes a note of the run."""
        for worker in self._workers:
            worker.finish(reason)
        for worker in self._workers:
            problem = worker.wait(FINISH_S)
            if problem:
                self._notes.append(f"challenger {worker.challenger.id} in shadow failed: {problem}")

    def standings(self) -> list[ShadowStatus]:
        """Return how the challengers stand."""
        return [
            ShadowStatus(
                w.challenger.id, w.standing.pnl_usd, w.standing.trades, w.standing.state, w.standing.ts_event
            )
            for w in self._workers
        ]
