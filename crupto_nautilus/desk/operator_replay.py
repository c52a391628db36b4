"""An operator's commands of a finished run, given again at their moments: parity compares a desk that was
told the same.

Guarantees: each command of the record is carried out once, when everything of its instant has been executed;
one that the desk refuses now (it was in another state) is remembered in `refused` and not forced.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from crupto_nautilus.desk.assembly import Desk
from crupto_nautilus.desk.operator import OPERATOR, LiveOperator
from crupto_nautilus.errors import CruptoError
from crupto_nautilus.reports.run_folder import RunFolder
from strategies import bus


class Command(NamedTuple):
    """One command of an operator."""

    ts_event: int
    command: str
    subject: str
    reason: str


def commands_of(folder: RunFolder) -> list[Command]:
    """Return the commands that a run's alarms record, in their order."""
    alarms = folder.table("alarms")
    found = []
    for row in alarms[alarms["kind"] == OPERATOR].to_dict("records"):
        said, _, reason = str(row["detail"]).partition(": ")
        command, _, subject = said.partition(" ")
        found.append(Command(int(row["ts_event"]), command, subject, reason))
    return found


class OperatorReplay(DataActor):
    """Carries the commands out between two instants."""

    def setup(self, desk: Desk, commands: list[Command]) -> OperatorReplay:
        """Hand over the desk and what it is to be told."""
        self._operator = LiveOperator(desk)
        self._waiting: dict[int, list[Command]] = defaultdict(list)
        for one in commands:
            self._waiting[one.ts_event].append(one)
        self.refused: list[str] = []
        return self

    def on_start(self) -> None:
        """Wait for instants to settle."""
        self.subscribe_topic(bus.SETTLED, self.on_settled, 1)

    def on_settled(self, ts: Any) -> None:
        """Carry out what was said at the instant that has settled."""
        for one in self._waiting.pop(ts, ()):
            try:
                self._operator.carry_out(one.command, one.subject, one.reason)
            except CruptoError as error:
                self.refused.append(f"{one.command} {one.subject}: {error.message}")


def operator_replay(desk: Desk, commands: list[Command]) -> OperatorReplay:
    """Return the actor to add to the engine that plays the run again."""
    actor = OperatorReplay(DataActorConfig(actor_id=ActorId("desk-operator-replay-001")))
    return actor.setup(desk, commands)
