"""The words of the desk: every value that crosses a room's border, with no engine type in it.

Guarantees: values are immutable (NamedTuples on the per-bar path, frozen dataclasses elsewhere); every
timestamp is desk time in nanoseconds UTC (`ts_event`); money is USDT, prices are quote per base coin,
quantities are base coins; `side` is +1 (long) or -1 (short).  A refusal is a value, never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

LONG = 1
SHORT = -1

MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS


def side_name(side: int) -> str:
    """Return `long` for +1 and `short` for -1."""
    return "long" if side > 0 else "short"


class RefusalReason(StrEnum):
    """Why a signal was not traded, in the order in which the checks run: the first that applies wins."""

    TOOL_ERROR = "TOOL_ERROR"
    INVALID_INPUT = "INVALID_INPUT"
    RECONCILING = "RECONCILING"
    KILL_SWITCH = "KILL_SWITCH"
    OPERATOR_HALT = "OPERATOR_HALT"
    DAILY_LOCK = "DAILY_LOCK"
    COOLING = "COOLING"
    STRATEGY_DISABLED = "STRATEGY_DISABLED"
    STALE_DATA = "STALE_DATA"
    NOT_WARM = "NOT_WARM"
    REGIME_OFF = "REGIME_OFF"
    DIRECTION_OFF = "DIRECTION_OFF"
    RESTED = "RESTED"
    COOLDOWN = "COOLDOWN"
    ALREADY_OPEN = "ALREADY_OPEN"
    OPPOSING_POSITION = "OPPOSING_POSITION"
    INVALID_STOP = "INVALID_STOP"
    NO_RISK_LEFT = "NO_RISK_LEFT"
    COST_TOO_HIGH = "COST_TOO_HIGH"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    PER_TRADE_CAP = "PER_TRADE_CAP"
    PORTFOLIO_CAP = "PORTFOLIO_CAP"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    NET_EXPOSURE = "NET_EXPOSURE"
    CORRELATED = "CORRELATED"
    SAFE_MODE = "SAFE_MODE"
    SPREAD_TOO_WIDE = "SPREAD_TOO_WIDE"
    ILLIQUID = "ILLIQUID"
    SLIPPAGE_TOO_HIGH = "SLIPPAGE_TOO_HIGH"


# --- market -----------------------------------------------------------------------------------------------


class Bar(NamedTuple):
    """A closed bar, stamped at its close."""

    instrument: str
    minutes: int
    ts_event: int
    open: float
    high: float
    low: float
    close: float
    volume: float  # base coins


class Quote(NamedTuple):
    """Best bid and ask."""

    instrument: str
    ts_event: int
    bid: float
    ask: float


class Funding(NamedTuple):
    """A SETTLED funding rate (a fraction of notional; longs pay when it is positive)."""

    instrument: str
    ts_event: int
    rate: float


class Instant(NamedTuple):
    """Everything that became known at one moment; the desk acts on whole instants only.

    `bars` maps a timeframe in minutes (slowest first) to its bars, ordered by instrument id.  `marks` are
    mark prices and `references` index (else spot) prices, by instrument.  `late` names instruments whose
    expected bar is missing in this instant.  `warm_only` instants feed indicators before a start and lead
    to no signal.
    """

    ts_event: int
    bars: dict[int, tuple[Bar, ...]]
    funding: tuple[Funding, ...] = ()
    marks: tuple[tuple[str, float], ...] = ()
    references: tuple[tuple[str, float], ...] = ()
    quotes: tuple[Quote, ...] = ()
    late: tuple[str, ...] = ()
    warm_only: bool = False


@dataclass(frozen=True, slots=True)
class InstrumentRules:
    """What the venue demands of an order on one instrument, and what the desk demands of its market."""

    instrument: str
    price_digits: int
    size_digits: int
    tick: float
    step: float
    min_quantity: float
    min_notional_usd: float
    maker_fee: float  # fraction of notional
    taker_fee: float
    maintenance_margin: float = 0.005  # fraction of notional
    min_liquidity_usd: float = 0.0  # 24 h quote volume
    max_spread_pct: float = 100.0
    default_spread_bps: float = 1.0  # used where no quotes exist


# --- signal to ticket -------------------------------------------------------------------------------------


class EntryStyle(StrEnum):
    """How an entry order is sent."""

    MARKET = "market"
    POST_ONLY = "post_only"  # until the strategy's next bar closes
    POST_ONLY_THEN_MARKET = "post_only_then_market"  # the same, then market for what is left


@dataclass(frozen=True, slots=True)
class ExitSpec:
    """How a position is left.  Distances are price units, targets in R are multiples of `stop_distance`.

    One target closes everything; two targets halve the position (the first moves the stop to break-even).
    """

    stop_distance: float
    targets_r: tuple[float, ...] = ()
    target_price: float | None = None
    trail_atr: float | None = None  # multiple of the current ATR(14), from the best close since entry
    time_stop_bars: int | None = None
    time_stop_settlements: int | None = None
    on_condition: bool = False  # the rule's `exit_due` is asked at each of its bars


@dataclass(frozen=True, slots=True)
class Signal:
    """A strategy's wish; it knows nothing of regimes, risk or money."""

    trace_id: str  # "<strategy>/<instrument>/<ts_event>"
    ts_event: int
    strategy: str
    instrument: str
    minutes: int
    side: int
    reference_price: float
    exits: ExitSpec
    confidence: float
    atr: float
    entry_style: EntryStyle = EntryStyle.MARKET
    indicators: tuple[tuple[str, float], ...] = ()

    @property
    def stop_price(self) -> float:
        """Stop implied by the reference price."""
        return self.reference_price - self.side * self.exits.stop_distance


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """Round-trip cost of one unit in price units, and as a multiple of the stop distance."""

    entry_fee: float
    exit_fee: float
    entry_slippage: float
    exit_slippage: float
    funding: float
    cost_r: float

    @property
    def per_unit(self) -> float:
        """Fees plus slippage plus expected funding, price units."""
        return self.entry_fee + self.exit_fee + self.entry_slippage + self.exit_slippage + self.funding


@dataclass(frozen=True, slots=True)
class TradePlan:
    """What the risk manager approved: quantity, stop and the money at risk, costs included."""

    signal: Signal
    quantity: float
    stop_price: float
    risk_usd: float
    risk_pct: float
    notional_usd: float
    costs: CostEstimate
    expected_slippage_bps: float
    equity_usd: float = 0.0  # the risk equity the plan was sized with
    clamps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ticket:
    """Exactly what the strategy may send: children are slices, one a finest bar."""

    plan: TradePlan
    style: EntryStyle
    children: tuple[float, ...]
    limit_price: float | None
    expected_slippage_bps: float

    @property
    def quantity(self) -> float:
        """Sum of the children."""
        return sum(self.children)


@dataclass(frozen=True, slots=True)
class Approved:
    """Permission to send one ticket; without it no entry can be built."""

    ts_event: int
    ticket: Ticket
    detail: str = ""

    @property
    def signal(self) -> Signal:
        """The signal that was approved."""
        return self.ticket.plan.signal


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a signal is not traded, with the numbers behind it."""

    ts_event: int
    signal: Signal
    reason: RefusalReason
    detail: str = ""


Decision = Approved | Refused


# --- execution --------------------------------------------------------------------------------------------


class Role(StrEnum):
    """What an order is for."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET_1 = "target_1"
    TARGET_2 = "target_2"
    EXIT = "exit"  # time stop, condition, flatten, liquidation: the reason is in the order event


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One step in the life of an order: `action` is submit, modify, cancel or what the venue answered."""

    ts_event: int
    trace_id: str
    strategy: str
    instrument: str
    client_order_id: str
    role: str
    action: str  # submit modify cancel | accepted rejected denied canceled expired filled updated
    side: int  # of the order
    quantity: float
    price: float  # limit or trigger; 0 for market
    order_type: str = ""  # market limit stop_market
    reduce_only: bool = False
    reason: str = ""
    virtual_asset: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution; `fee` and `slippage_usd` are positive costs.

    `liquidation_usd` is the difference between the loss at `price` and the isolated margin where the venue
    took the position over: positive, it bore that much of the loss; negative, it kept what the margin had
    left.  The venue's commission is fee + slippage - liquidation.
    """

    ts_event: int
    ts_venue: int
    trace_id: str
    strategy: str
    instrument: str
    client_order_id: str
    role: str
    side: int  # of the order
    quantity: float
    price: float
    fee: float
    slippage_usd: float
    maker: bool
    virtual_asset: str = ""
    reason: str = ""  # why a position was closed at market: time_stop, kill_switch, ..., or liquidation
    liquidation_usd: float = 0.0

    @property
    def commission(self) -> float:
        """What the account was charged; negative if the venue bore more than fee and slippage."""
        return self.fee + self.slippage_usd - self.liquidation_usd


@dataclass(frozen=True, slots=True)
class Protection:
    """The working stop of a position (price 0: none works)."""

    ts_event: int
    trace_id: str
    strategy: str
    instrument: str
    stop_price: float
    quantity: float


@dataclass(frozen=True, slots=True)
class EntryDone:
    """The entry is over: filled, part filled, or nothing came of it (`filled` 0)."""

    ts_event: int
    trace_id: str
    strategy: str
    instrument: str
    filled: float
    average_price: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """A closed position, from first entry fill to flat."""

    ts_open: int
    ts_event: int
    trace_id: str
    strategy: str
    instrument: str
    side: int
    quantity: float  # largest held
    entry_price: float
    exit_price: float
    gross_usd: float  # price PnL at fill prices, before slippage and fees
    fees_usd: float
    slippage_usd: float
    funding_usd: float  # received positive, paid negative
    net_usd: float  # gross - fees - slippage + funding + liquidation
    risk_usd: float  # planned, costs included
    r: float  # net / risk
    exit_reason: str  # role of the last exit, or the flatten's reason, or liquidation
    virtual_asset: str = ""
    liquidation_usd: float = 0.0  # see `Fill`


@dataclass(frozen=True, slots=True)
class FundingPaid:
    """A funding settlement booked on a position: positive `amount_usd` was received."""

    ts_event: int
    trace_id: str
    strategy: str
    instrument: str
    side: int
    quantity: float
    price: float
    rate: float
    amount_usd: float


class EquityPoint(NamedTuple):
    """A sample of the books, all money in USDT, percentages of equity."""

    ts_event: int
    equity: float
    balance: float
    margin: float
    unrealised_pnl: float
    daily_pnl_pct: float
    drawdown_72h_pct: float
    open_risk_pct: float  # open positions
    reserved_risk_pct: float
    gross_pct: float
    net_pct: float
    effective_cap_pct: float
    desk_state: str
    cum_r: float
    cause: str  # bar fill funding close


# --- agents -----------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Regime:
    """The label in force for one instrument after hysteresis; published when it changes."""

    ts_event: int
    instrument: str
    label: RegimeLabel
    raw: RegimeLabel
    features: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class MandateRow:
    """What one strategy may do on one instrument; `blocked_until_ns` is exclusive (0: not blocked)."""

    strategy: str
    allowed: bool
    sides: tuple[int, ...]
    reason: RefusalReason | None = None
    detail: str = ""
    score: float | None = None
    rested_until_ns: int = 0
    cooldown_until_ns: int = 0


@dataclass(frozen=True, slots=True)
class Mandate:
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
