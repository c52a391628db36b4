"""What agents say: regimes, mandates, desk states, safe mode, tool calls, alarms, trading state."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from risk.vocabulary.basics import RefusalReason


class RegimeLabel(StrEnum):
    """Market regimes; `code` is the gauge value."""

    UNKNOWN = "unknown"
    TREND_UP = "trend_up"
    TREND_DOWN = "trend_down"
    RANGE_LOWVOL = "range_lowvol"
    RANGE_HIGHVOL = "range_highvol"
    PANIC = "panic"

    @property
    def code(self) -> int:
        """0 unknown, 1 trend_up, 2 trend_down, 3 range_lowvol, 4 range_highvol, 5 panic."""
        return _REGIME_CODES[self.value]


_REGIME_CODES = {
    "unknown": 0,
    "trend_up": 1,
    "trend_down": 2,
    "range_lowvol": 3,
    "range_highvol": 4,
    "panic": 5,
}


class Regime(NamedTuple):
    """The label in force for one instrument after hysteresis; published when it changes."""

    ts_event: int
    instrument: str
    label: RegimeLabel
    raw: RegimeLabel
    features: tuple[tuple[str, float], ...] = ()


class MandateRow(NamedTuple):
    """What one strategy may do on one instrument; `blocked_until_ns` is exclusive (0: not blocked)."""

    strategy: str
    allowed: bool
    sides: tuple[int, ...]
    reason: RefusalReason | None = None
    detail: str = ""
    score: float | None = None
    rested_until_ns: int = 0
    cooldown_until_ns: int = 0


class Mandate(NamedTuple):
    """The selection for one instrument in its present regime."""

    ts_event: int
    instrument: str
    regime: RegimeLabel
    rows: tuple[MandateRow, ...]

    def row(self, strategy: str) -> MandateRow | None:
        """The row of a strategy, or None if the enable map does not know it."""
        for row in self.rows:
            if row.strategy == strategy:
                return row
        return None


class DeskMode(StrEnum):
    """What the desk as a whole may do."""

    ACTIVE = "ACTIVE"
    REDUCE_ONLY = "REDUCE_ONLY"  # daily lock: exits keep working, entries are refused
    HALTED = "HALTED"  # kill switch or operator: entries are refused until an unlock


@dataclass(frozen=True, slots=True)
class DeskState:
    """Desk state with its cause: `reason` is one of the RefusalReasons that explain it, or empty."""

    ts_event: int
    mode: DeskMode
    reason: RefusalReason | None = None
    detail: str = ""
    cooling_until_ns: int = 0
    flatten: bool = False  # positions are closed on entering this state


@dataclass(frozen=True, slots=True)
class SafeMode:
    """Correlation safe mode: entered, changed or left."""

    ts_event: int
    active: bool
    largest: float  # largest concentrated correlation
    pair: tuple[str, str] | None
    effective_cap_pct: float


class ToolState(StrEnum):
    """How a tool call ended."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One timed call of an agent's tool (duration is wall time: it is measured, never decided on)."""

    ts_event: int
    agent: str
    capability: str
    trace_id: str
    duration_ns: int
    state: ToolState
    error: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something an operator must know: a position without a stop, a handler error, drift over a limit."""

    ts_event: int
    kind: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class TradingState:
    """What the pure risk rules read (percent values are percent; drawdown is <= 0)."""

    equity: float
    daily_pnl_pct: float = 0.0
    trailing_drawdown_72h_pct: float = 0.0
    losing_streak: int = 0
    realized_volatility: float = 0.0  # daily volatility of the signal's instrument, fraction
    portfolio_risk_pct: float = 0.0  # open plus reserved
    effective_cap_pct: float | None = None  # None: the plain portfolio cap
    gross_pct: float = 0.0
    net_pct: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)
