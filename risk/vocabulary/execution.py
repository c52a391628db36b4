"""What happens to orders and positions: order events, fills, stops, trades, funding, equity."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What an order is for."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET_1 = "target_1"
    TARGET_2 = "target_2"
    EXIT = "exit"  # time stop, condition, flatten, liquidation: the reason is in the order event


class OrderEvent(NamedTuple):
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


class Fill(NamedTuple):
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


class Protection(NamedTuple):
    """The working stop of a position (price 0: none works)."""

    ts_event: int
    trace_id: str
    strategy: str
    instrument: str
    stop_price: float
    quantity: float


class EntryDone(NamedTuple):
    """The entry is over: filled, part filled, or nothing came of it (`filled` 0)."""

    ts_event: int
    trace_id: str
    strategy: str
    instrument: str
    filled: float
    average_price: float
    reason: str = ""


class Trade(NamedTuple):
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


class FundingPaid(NamedTuple):
    """A funding settlement booked on a position: positive `amount_usd` was received.

    `ts_venue` above 0 says that the venue's account settled it then, and named the amount alone: price and
    rate are NaN, and the trade it belongs to may have closed before it was booked.
    """

    ts_event: int
    trace_id: str
    strategy: str
    instrument: str
    side: int
    quantity: float
    price: float
    rate: float
    amount_usd: float
    ts_venue: int = 0


class AccountFunding(NamedTuple):
    """A settlement as the venue's account shows it; `transaction` is its name there, received is positive."""

    transaction: str
    instrument: str
    ts_venue: int  # ns UTC
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
