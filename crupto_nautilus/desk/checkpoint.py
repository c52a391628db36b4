"""The desk's state between two instants: what a killed run goes on from.

Guarantees: the state is complete (every owner that decides has a part in it), JSON-able, and independent of
what the desk does after it was taken; it is loaded in the order in which its owners read each other.  What
follows from market data alone (indicators, regimes, volumes, correlations) is not in it: that comes back by
warm-up from the same first bar.  Refuses states of another schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from actors.reconciler import RECONCILING
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from actors.brain import BrainActor
    from actors.monitor import MonitorActor
    from actors.risk_manager import RiskManagerActor
    from actors.selection import SelectionActor
    from risk.vocabulary import Instant
    from strategies.signal_strategy import SignalStrategy

CHECKPOINT_SCHEMA: Final = 2
"""Raised with every change of what an owner saves; a run is resumed by the program that knows its schema."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a run goes on: its newest checkpoint, and the instants until then, which warm up the rest."""

    ts_event: int
    state: dict[str, Any]
    catch_up: Iterable[Instant]
    session: int  # starts of the run, this one included; names the orders that open positions again
    changes: tuple[tuple[str, str], ...] = ()  # what is not as it was when the run began: kind, words
    live_ns: int = 0  # where the venue is now; 0: the sandbox, which goes on at the checkpoint
    opening_balance: float | None = None  # of the venue's account when the run began

    @property
    def begin_ns(self) -> int:
        """After which moment the venue goes on."""
        return self.live_ns or self.ts_event

    @property
    def books(self) -> dict[str, Any]:
        """The ledger's part."""
        books: dict[str, Any] = self.state["risk"]["desk"]["books"]
        return books

    @property
    def funding_known_ns(self) -> int:
        """Up to where the account's funding is in the books, ns; 0: none was read."""
        return int(self.state["risk"]["desk"]["settlements"]["read_ns"])

    @property
    def prices(self) -> dict[str, float]:
        """Last price of each instrument on which something is held or rests."""
        return dict(self.state["prices"])


@dataclass(slots=True)
class Checkpointer:
    """Takes the state of a desk and gives it back."""

    brain: BrainActor
    risk_manager: RiskManagerActor
    selection: SelectionActor
    monitor: MonitorActor
    strategies: Sequence[SignalStrategy]
    flags: set[str]
    session: int = 1

    def state(self) -> dict[str, Any]:
        """Return the state; call it when nothing is in flight."""
        market = self.risk_manager.risk_desk.market
        held = sorted({name for strategy in self.strategies for name in strategy.slots})
        return {
            "schema": CHECKPOINT_SCHEMA,
            "session": self.session,
            "risk": self.risk_manager.saved_state(),
            "brain": self.brain.saved_state(),
            "selection": self.selection.saved_state(),
            "monitor": self.monitor.saved_state(),
            "strategies": {one.strategy_name: one.saved_state() for one in self.strategies},
            "flags": sorted(flag for flag in self.flags if flag.partition(":")[0] != RECONCILING),
            "prices": {name: market.price(name) for name in held},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over a state; the owners have seen the warm-up, nothing is sent to the venue yet."""
        check_schema(state)
        self.risk_manager.load_state(state["risk"])
        self.brain.load_state(state["brain"])
        desk = self.brain.desk_state
        self.monitor.load_state(state["monitor"], desk)
        self.flags |= set(state["flags"])
        for strategy in self.strategies:
            strategy.load_state(state["strategies"].get(strategy.strategy_name, {"slots": []}), desk)
        self.selection.load_state(state["selection"])


def check_schema(state: dict[str, Any]) -> None:
    """Refuse a state that another version of the program wrote.

    Raises
    ------
    UsageError
        The schema is not the one this program writes.
    """
    found = state.get("schema")
    if found != CHECKPOINT_SCHEMA:
        raise UsageError(
            "the checkpoint was written by another version of crupto",
            found=f"checkpoint schema {found}",
            expected=f"checkpoint schema {CHECKPOINT_SCHEMA}",
            remedy="resume the run with the version that wrote it (run.json names it), or start a new run",
        )
