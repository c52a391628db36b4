"""The end of a paper run, asked for by a signal or a service: between two instants, never inside one.

Guarantees: the feed stops after the instant it has sent, every order of it is executed, and the desk's books,
the account and the journal agree; a feed that does not end within `PATIENCE_S` has its node stopped.  A
second signal stops the node at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from crupto_nautilus.desk.early_end import INTERRUPTED, SIGNALS, hold_off
from crupto_nautilus.desk.services import PaperContext, RunEnding

PATIENCE_S: Final = 5.0


class EndGently:
    """Stops a node through its feed, and by force where the feed does not answer."""

    def __init__(
        self, end_feed: Callable[[str], bool], ending: RunEnding, stop_node: Callable[[], None]
    ) -> None:
        self._end_feed, self._ending, self._stop_node = end_feed, ending, stop_node
        self._timer: threading.Timer | None = None

    def __call__(self) -> None:
        """Ask the feed; begin to lose patience."""
        if not self._end_feed(self._ending.reason):
            self._stop_node()
            return
        self._timer = threading.Timer(PATIENCE_S, self._stop_node)
        self._timer.daemon = True
        self._timer.start()

    def over(self) -> None:
        """Forget the patience: the node has stopped."""
        if self._timer is not None:
            self._timer.cancel()


class SignalActor(DataActor):
    """Takes the signals over from the node, once that has set its own handlers."""

    def setup(self, ending: RunEnding) -> SignalActor:
        """Hand over what a signal asks for."""
        self._ending = ending
        self._before: dict[int, Any] = {}
        return self

    def on_start(self) -> None:
        """Set the handlers; only the main thread may."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.give_back()
        self._ending.request(INTERRUPTED)

    def give_back(self) -> None:
        """Set the node's handlers again: a second signal is not gentle."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


class Signals:
    """The service behind SIGINT and SIGTERM."""

    name = "signals"

    def start(self, context: PaperContext) -> None:
        """Add the actor."""
        actor = SignalActor(DataActorConfig(actor_id=ActorId("desk-signals-001")))
        context.node.add_actor(actor.setup(context.ending))

    def stop(self, reason: str) -> None:
        """The node has stopped: what follows is to be written whole."""
        hold_off()
