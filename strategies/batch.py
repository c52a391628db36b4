"""A rule over a whole history: the raw signals behind `crupto signals`, with no regime, risk or money in it.

Guarantees: the history is replayed bar by bar through the same rule that the desk runs, in the desk's order
(settled funding, reference, bar), so the result on a truncated history is the beginning of the result on
all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from catalog.timeframes import BarArrays
from risk.vocabulary import Bar, Funding, Signal
from strategies.registry import StrategySpec
from strategies.rule import Rule, Setup, signal_of


class RateColumns(Protocol):
    """Settled funding rates as columns, in time order; `ts_event` is the settlement, ns UTC."""

    @property
    def ts_event(self) -> NDArray[np.int64]:
        """Return the times."""

    @property
    def rate(self) -> NDArray[np.float64]:
        """Return the rates, fractions of notional."""


class PriceColumns(Protocol):
    """Index or spot prices as columns, in time order; `ts_event` is when the price was known, ns UTC."""

    @property
    def ts_event(self) -> NDArray[np.int64]:
        """Return the times."""

    @property
    def price(self) -> NDArray[np.float64]:
        """Return the prices."""


def replay(
    rule: Rule,
    instrument: str,
    bars: BarArrays,
    funding: RateColumns | None = None,
    references: PriceColumns | None = None,
) -> Iterator[tuple[Bar, Setup | None]]:
    """Feed a rule and yield each bar with the setup it made; the rule may be read between the bars.

    Parameters
    ----------
    rule : Rule
        A fresh rule.
    instrument : str
        Name given to bars and funding.
    bars : BarArrays
        Closed bars of the rule's timeframe, in time order.
    funding, references
        Left out: the rule gets none.
    """
    rates = _rows(funding.ts_event, funding.rate) if funding is not None else []
    prices = _rows(references.ts_event, references.price) if references is not None else []
    next_rate = next_price = 0
    for bar in bars.bars(instrument, rule.minutes):
        ts_event = bar.ts_event
        while next_rate < len(rates) and rates[next_rate][0] <= ts_event:
            rule.on_funding(Funding(instrument, *rates[next_rate]))
            next_rate += 1
        while next_price < len(prices) and prices[next_price][0] <= ts_event:
            rule.on_reference(*prices[next_price])
            next_price += 1
        yield bar, rule.update(bar)


def raw_signals(
    spec: StrategySpec,
    instrument: str,
    bars: BarArrays,
    funding: RateColumns | None = None,
    references: PriceColumns | None = None,
) -> list[Signal]:
    """Return every signal of a strategy on a history, in time order.

    Indicators start at the first bar given: hand over warm-up bars before the window of interest (the
    registry's `warmup` at least) and drop their signals.
    """
    rule = spec.rule()
    return [
        signal_of(rule, bar, setup)
        for bar, setup in replay(rule, instrument, bars, funding, references)
        if setup is not None
    ]


def _rows(times: NDArray[np.int64], values: NDArray[np.float64]) -> list[tuple[int, float]]:
    return list(zip(times.tolist(), values.tolist(), strict=True))
