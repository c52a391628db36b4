"""What a user may ask of a backtest or a paper run; a default of None is filled in by a stated rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crupto_nautilus.config import DeskConfig

if TYPE_CHECKING:
    from adapters.bingx.config import ExecutionSettings
    from adapters.live.source import FeedSettings

DEFAULT_UNLOCK_HOURS = 24.0
MONEY_TOLERANCE = 1e-6  # between books and account, USDT

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """What the user asked for; None means the stated default.

    `symbols` are full instrument ids.  `unlock_after_hours` lets a simulated operator unlock a kill switch
    after that time (None: never), as a person would on paper; each unlock is in the record.
    """

    catalog: Path
    config: DeskConfig
    out: Path
    run_id: str
    symbols: tuple[str, ...] | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    equity: float = 300.0
    strategies: tuple[str, ...] | None = None
    costs: bool = True
    base_minutes: int | None = None
    journal_url: str | None = None
    unlock_after_hours: float | None = DEFAULT_UNLOCK_HOURS
    command: str = ""
    progress: Progress | None = None
    netted: bool = False  # as on a venue with one position an instrument: one strategy at a time is on it
    unproven: tuple[str, ...] = ()  # canaries that this run is the proof of (G8b); no option sets it


@dataclass(frozen=True, slots=True)
class PaperOptions(BacktestOptions):
    """What the user asked of a paper run; `speed` 0 is as fast as the desk allows, 1 is real time."""

    feed: str = "replay"  # a key of `edges.FEEDS`, with what it is of behind a colon
    execution: str = "sandbox"  # a key of `edges.VENUES`
    speed: float = 0.0
    max_seconds: float | None = None  # wall time
    max_cycles: int | None = None  # instants
    resume: bool = False  # go on from the newest checkpoint of the run
    accept_governance_change: bool = False  # of a run that is resumed
    data_settings: FeedSettings | None = None  # of a live feed
    execution_settings: ExecutionSettings | None = None  # of an account at a venue
