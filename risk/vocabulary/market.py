"""What is known of a market: bars, quotes, settled funding, whole instants, the venue's rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


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

    `bars` maps a timeframe in minutes (slowest first) to its bars, ordered by time and instrument id.
    `marks` are mark prices and `references` index (else spot) prices, by instrument.  `late` names
    instruments whose expected bar is missing in this instant, or came too late to act on.  `warm_only`
    instants feed indicators before a start and lead to no signal.  `backfilled` are fine bars that came
    after a newer one of their instrument: they complete higher timeframes and nothing else.
    """

    ts_event: int
    bars: dict[int, tuple[Bar, ...]]
    funding: tuple[Funding, ...] = ()
    marks: tuple[tuple[str, float], ...] = ()
    references: tuple[tuple[str, float], ...] = ()
    quotes: tuple[Quote, ...] = ()
    late: tuple[str, ...] = ()
    warm_only: bool = False
    backfilled: tuple[Bar, ...] = ()


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
