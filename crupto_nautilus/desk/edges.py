"""The edges of a paper run: where market data comes from and where orders go.

A feed or venue is one class and one line in `FEEDS` or `VENUES`; the desk between them is always the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from nautilus_trader.adapters.sandbox import SandboxExecutionClientConfig, SandboxExecutionClientFactory
from nautilus_trader.live import DataClientConfig, LiveExecutionEngineConfig
from nautilus_trader.model import Venue as EngineVenue

from actors.sinks import FundingSource
from adapters.live.feed import BeforeEnd
from adapters.live.gate import InstantGate
from adapters.live.stopwatch import Stopwatch
from adapters.replay.client import Replay, replay_factory
from adapters.simulated import DeskFeeModel, perpetual, venue_arguments
from catalog.feed import CLOSE, EngineFeed
from catalog.instants import run_instants
from catalog.symbols import parse_instrument
from crupto_nautilus.desk.assembly import Desk, DeskPlan
from crupto_nautilus.desk.funding_check import Settled
from crupto_nautilus.desk.options import MONEY_TOLERANCE, PaperOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.desk.reopening import opening_balance, reopening_marks, reopening_prices

ACKNOWLEDGEMENT_WINDOW = 64  # instants that may be on their way; parity holds at any window


class Feed(Protocol):
    """Market data of a live node: OPEN, bars, funding and CLOSE of each instant."""

    @property
    def failure(self) -> str:
        """Why the feed broke down; empty while all is well."""

    @property
    def ended(self) -> str:
        """Why the feed came to its end; empty while it goes on."""

    @property
    def stopwatch(self) -> Stopwatch:
        """When each instant was handed to the node."""

    def unready(self) -> str:
        """Why trading may not begin yet; empty once the feed is healthy (any thread)."""

    def figures(self) -> dict[str, Any]:
        """What arrived and what was wrong with it, for the run's summary; read when the node has stopped."""

    def on_phase(self, phase: int) -> None:
        """The desk has handled a mark of that phase (node's thread)."""

    def end(self, reason: str) -> bool:
        """End after the instant under way; from any thread.  False if the feed does not run."""

    def call(self, work: Callable[[], None]) -> bool:
        """Have the desk call something between two instants; from any thread.  False if it does not run."""

    def wait_for(self, behind: Callable[[], bool]) -> None:
        """Let a replay wait while `behind` says so; a live market waits for nobody."""

    def attach(self, desk: Desk) -> None:
        """Hand over the desk that is fed, before the node runs."""

    def settle_first(self, settle: BeforeEnd | None) -> None:
        """Have something awaited when the feed ends, before the desk hears of it."""

    def add_to(self, builder: Any) -> Any:
        """Add the data client to a node's builder and return it."""


class Venue(Protocol):
    """Where the orders of a live node go."""

    account: str
    """Name of an account that other desks could trade on too; empty if it belongs to the run alone."""

    account_has_funding: bool
    """Whether the venue's account settles funding; the sandbox does not, the books hold it alone."""
    nets: bool
    """Whether the account has one position an instrument, whoever opened it."""

    funding: Sequence[Settled] | None
    """Settlements of the venue's account since the run began, once it has ended; None: not known."""

    funding_problem: str
    """Why they are not known."""

    opens_again: bool
    """Whether a resumed run's positions were opened again in the account, at another price."""

    @property
    def money_tolerance(self) -> float:
        """How far account and books may differ, USDT."""

    @property
    def account_funding(self) -> FundingSource | None:
        """What the account says of the funding that it settles; None where it settles none."""

    @property
    def opening(self) -> float | None:
        """Balance of an account at a venue when the run began; None where there is no such account."""

    @property
    def settle(self) -> BeforeEnd | None:
        """What settles the orders in flight; None where there are none between two instants."""

    def when_quiet(self, checkpoint: Callable[[], object]) -> None:
        """Have something called whenever orders have come to rest between two instants (any thread)."""

    def own_balance(self, balance: float) -> float:
        """Return the account's balance as the desk counts it, from its own starting equity."""

    def add_to(self, builder: Any) -> Any:
        """Add the execution client to a node's builder and return it."""


class ReplayFeed:
    """A catalog as a live feed."""

    def __init__(self, prepared: Prepared, plan: DeskPlan, options: PaperOptions) -> None:
        window, prologue = prepared.choice.window, []
        feed = EngineFeed(plan.rules, window.base_minutes)
        if plan.resume is not None:
            prologue = reopening_marks(plan.resume, plan.rules, window.base_minutes, feed)
            window = replace(window, start_ns=plan.resume.begin_ns)
        self._gate = InstantGate(ACKNOWLEDGEMENT_WINDOW)
        self.replay = Replay(
            instants=run_instants(prepared.catalog, window),
            feed=feed,
            prologue=prologue,
            instruments=tuple(
                perpetual(rules, parse_instrument(name).base) for name, rules in sorted(plan.rules.items())
            ),
            gate=self._gate,
            speed=options.speed,
            stopwatch=Stopwatch(ahead=options.speed == 0.0),
            max_seconds=options.max_seconds,
            max_cycles=options.max_cycles,
            tell=_progress(options, plan.start_ns, window.end_ns),
        )

    @property
    def failure(self) -> str:
        """Why the replay broke down."""
        return self.replay.failure

    @property
    def ended(self) -> str:
        """Why the replay came to its end."""
        return self.replay.ended

    @property
    def stopwatch(self) -> Stopwatch:
        """When each instant was handed to the node."""
        return self.replay.stopwatch

    def unready(self) -> str:
        """A catalog is there: it has been read by now."""
        return ""

    def figures(self) -> dict[str, Any]:
        """Return how many instants were played, and at what speed."""
        return {"instants": self.replay.played, "speed": self.replay.speed}

    def on_phase(self, phase: int) -> None:
        """Let the next instant go when one is done."""
        if phase == CLOSE:
            self.replay.stopwatch.handled()
            self._gate.passed()

    def end(self, reason: str) -> bool:
        """End after the instant under way."""
        return self.replay.end(reason)

    def call(self, work: Callable[[], None]) -> bool:
        """Have the desk call something between two instants."""
        return self.replay.call(work)

    def wait_for(self, behind: Callable[[], bool]) -> None:
        """Wait while the journal has to catch up."""
        self.replay.behind = behind

    def attach(self, desk: Desk) -> None:
        """A replay goes on where the desk stopped: it has missed nothing."""

    def settle_first(self, settle: BeforeEnd | None) -> None:
        """A replay ends when everything has been executed."""

    def add_to(self, builder: Any) -> Any:
        """Add the replay client."""
        return builder.add_data_client(
            self.replay.feed.venue, replay_factory(self.replay), DataClientConfig()
        )


class Sandbox:
    """The engine's sandbox with the simulated venue's model; it always starts flat."""

    account = ""
    account_has_funding = False
    nets = False  # each strategy has a position of its own in the engine
    account_funding: FundingSource | None = None
    money_tolerance = MONEY_TOLERANCE
    funding: Sequence[Settled] | None = None
    funding_problem = ""
    opens_again = True
    opening = None
    settle = None

    def __init__(self, plan: DeskPlan, options: PaperOptions) -> None:
        venue = EngineVenue(min(plan.rules).rpartition(".")[2])
        balance, resume = plan.equity, plan.resume
        if resume is not None:
            balance = opening_balance(resume, reopening_prices(resume, plan.rules))
        arguments = venue_arguments(venue, balance, DeskFeeModel(plan.rules, options.costs))
        arguments.pop("venue")
        balances = arguments.pop("starting_balances")
        self._name = str(venue)
        self._config = SandboxExecutionClientConfig(venue, balances, bar_execution=True, **arguments)

    def when_quiet(self, checkpoint: Callable[[], object]) -> None:
        """The sandbox fills between OPEN and CLOSE only: the next OPEN stores the state."""

    def own_balance(self, balance: float) -> float:
        """Return the balance: the sandbox starts at the desk's equity."""
        return balance

    def add_to(self, builder: Any) -> Any:
        """Add the sandbox."""
        # A stop that waits for its resting entry is in flight all the while: no clock may declare it dead.
        engine = LiveExecutionEngineConfig(inflight_check_interval_ms=0)
        return builder.with_exec_engine_config(engine).add_simulated_exec_client(
            self._name, SandboxExecutionClientFactory(), self._config
        )


def _bingx(prepared: Prepared, plan: DeskPlan, options: PaperOptions) -> Feed:
    from crupto_nautilus.desk.bingx_edges import BingxFeed

    return BingxFeed(prepared, plan, options)


def _ccxt(prepared: Prepared, plan: DeskPlan, options: PaperOptions) -> Feed:
    from crupto_nautilus.desk.ccxt_edges import CcxtFeed

    return CcxtFeed(prepared, plan, options)


def _vst(plan: DeskPlan, options: PaperOptions) -> Venue:
    from crupto_nautilus.desk.bingx_edges import VstVenue

    return VstVenue(plan, options)


FEEDS: Final[dict[str, Callable[[Prepared, DeskPlan, PaperOptions], Feed]]] = {
    "replay": ReplayFeed,
    "bingx": _bingx,
    "ccxt": _ccxt,  # with the exchange's id behind it: ccxt:bybit
}
VENUES: Final[dict[str, Callable[[DeskPlan, PaperOptions], Venue]]] = {"sandbox": Sandbox, "vst": _vst}


def make_feed(prepared: Prepared, plan: DeskPlan, options: PaperOptions) -> Feed:
    """Return the feed that the options name."""
    return FEEDS[options.feed.partition(":")[0]](prepared, plan, options)


def _progress(options: PaperOptions, start_ns: int, end_ns: int) -> Callable[[int], None] | None:
    report = options.progress
    if report is None:
        return None
    return lambda ts: report("paper", ts - start_ns, end_ns - start_ns)
