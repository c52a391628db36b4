"""A document bar by bar.

Guarantees: after each closed bar every step has the value, to the bit, that the vectorised form has on that
row; state is O(window).  Averages and ranks are the indicators of `strategies.indicators`; plain windows are
summed by the same compiled functions as the columns are, over the same values in the same order.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable
from math import isnan, nan
from typing import Any

import numpy as np

from catalog.building import TimeframeBuilder
from research.dsl.program import Program, Step
from research.kernels import window_deviation, window_mean
from research.market import LONGEST_INTERVAL_NS
from risk.vocabulary import DAY_NS, HOUR_NS, MINUTE_NS, Bar, Funding
from strategies.indicators.moving_averages import Ema
from strategies.indicators.rolling import SortedWindow
from strategies.indicators.rsi import Rsi
from strategies.indicators.wilder import Adx, Atr

Operator = Callable[..., Any]

_PLAIN: dict[str, Operator] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": lambda a, b: nan if b == 0.0 else a / b,
    "larger": lambda a, b: nan if isnan(a) or isnan(b) else max(a, b),
    "smaller": lambda a, b: nan if isnan(a) or isnan(b) else min(a, b),
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "abs": abs,
    "neg": operator.neg,
    "and": lambda *args: all(args),
    "or": lambda *args: any(args),
    "higher": lambda x: x,  # the value at the last closed bar of the higher timeframe
}


class _Window:
    """The last n values that exist, oldest first, in one piece of memory."""

    __slots__ = ("_at", "_buffer", "_count", "_n", "_op")

    def __init__(self, op: str, n: int) -> None:
        self._op, self._n = op, n
        self._buffer = np.empty(2 * n)
        self._at = self._count = 0

    def __call__(self, x: float) -> float:
        if isnan(x):
            return nan
        n, at = self._n, self._at
        self._buffer[at] = self._buffer[at + n] = x
        self._at = at + 1 if at + 1 < n else 0
        self._count += 1
        if self._count < n:
            return nan
        first = self._at if self._at else n  # the oldest of the n values
        mean = window_mean(self._buffer, first, n)
        if self._op == "sma":
            return mean
        deviation = window_deviation(self._buffer, first, n, mean)
        if self._op == "std":
            return deviation
        return (x - mean) / deviation if deviation > 0.0 else nan


class _Extreme:
    """Largest (sign +1) or smallest (-1) of the last n values."""

    __slots__ = ("_count", "_n", "_queue", "_sign")

    def __init__(self, sign: int, n: int) -> None:
        self._sign, self._n, self._count = sign, n, 0
        self._queue: deque[tuple[int, float]] = deque()

    def __call__(self, x: float) -> float:
        if isnan(x):
            return nan
        value, queue, count = self._sign * x, self._queue, self._count
        self._count = count + 1
        while queue and queue[-1][1] <= value:
            queue.pop()
        queue.append((count, value))
        if queue[0][0] <= count - self._n:
            queue.popleft()
        return self._sign * queue[0][1] if count >= self._n - 1 else nan


class _Past:
    """The value n bars ago, or the change since."""

    __slots__ = ("_change", "_past")

    def __init__(self, change: bool, n: int) -> None:
        self._change = change
        self._past: deque[float] = deque([nan] * n, maxlen=n)

    def __call__(self, x: float) -> float:
        past = self._past[0]
        self._past.append(x)
        if not self._change:
            return past
        return nan if past == 0.0 else x / past - 1.0


class _Ordered:
    """Rank, median and quantile against the n values before."""

    __slots__ = ("_op", "_q", "_window")

    def __init__(self, op: str, n: int, q: float) -> None:
        self._op, self._q = op, q
        self._window = SortedWindow(n)

    def __call__(self, x: float) -> float:
        if isnan(x):
            return nan
        window = self._window
        if self._op == "rank":
            found = window.update(x)
        else:
            found = window.median() if self._op == "median" else window.quantile(self._q)
            window.update(x)
        return nan if found is None else found


class _Averaged:
    """An indicator of one value that answers None until it is warm."""

    __slots__ = ("_update",)

    def __init__(self, indicator: Any) -> None:
        self._update = indicator.update

    def __call__(self, *values: float) -> float:
        if isnan(values[0]):
            return nan
        found = self._update(*values)
        return nan if found is None else float(found)


class _Cross:
    """Whether a crossed b on this bar."""

    __slots__ = ("_a", "_b", "_up")

    def __init__(self, up: bool) -> None:
        self._up, self._a, self._b = up, nan, nan

    def __call__(self, a: float, b: float) -> bool:
        before_a, before_b = self._a, self._b
        self._a, self._b = a, b
        return (a > b and before_a <= before_b) if self._up else (a < b and before_a >= before_b)


def make_operator(step: Step) -> Operator:
    """Return a fresh operator of a step."""
    op, n = step.op, step.n
    if op in _PLAIN:
        return _PLAIN[op]
    makers: dict[str, Callable[[], Operator]] = {
        "ema": lambda: _Averaged(Ema(n)),
        "rsi": lambda: _Averaged(Rsi(n)),
        "atr": lambda: _Averaged(Atr(n)),
        "adx": lambda: _Averaged(Adx(n)),
        "highest": lambda: _Extreme(1, n),
        "lowest": lambda: _Extreme(-1, n),
        "lag": lambda: _Past(False, n),
        "roc": lambda: _Past(True, n),
        "cross_up": lambda: _Cross(True),
        "cross_down": lambda: _Cross(False),
    }
    if op in makers:
        return makers[op]()
    if op in ("rank", "median", "quantile"):
        return _Ordered(op, n, step.value)
    return _Window(op, n)


class FundingState:
    """Settled funding as a document sees it.

    Attributes
    ----------
    rate : float
        The last settled rate, NaN before the first.
    ts_event : int
        Its settlement time, ns UTC; 0 before the first.
    """

    def __init__(self, quantiles: list[Step]) -> None:
        self.rate, self.ts_event = nan, 0
        self._interval_ns = LONGEST_INTERVAL_NS
        self._windows = {step.key: (SortedWindow(step.n), step) for step in quantiles}
        self._stamps: deque[int] = deque(maxlen=max((step.n for step in quantiles), default=1))
        self._values: dict[str, float] = dict.fromkeys(self._windows, nan)

    def settle(self, funding: Funding) -> None:
        """Take a settled rate; one that is not newer than the last is ignored."""
        ts, before = funding.ts_event, self.ts_event
        if before and ts <= before:
            return
        if before:
            between = ts - before + MINUTE_NS // 2
            self._interval_ns = min(LONGEST_INTERVAL_NS, between - between % MINUTE_NS)
            self._stamps.append(before)
        for key, (window, step) in self._windows.items():
            if before:
                window.update(abs(self.rate))
            found = window.quantile(step.value)
            reach = ts - self._stamps[-step.n] if len(self._stamps) >= step.n else 0
            self._values[key] = nan if found is None or reach > step.days * DAY_NS else found
        self.rate, self.ts_event = funding.rate, ts

    def known(self, ts: int) -> float:
        """Return the last rate at a bar's close; NaN when it is older than its interval plus an hour."""
        return nan if ts - self.ts_event > self._interval_ns + HOUR_NS else self.rate

    def quantile(self, key: str) -> float:
        """Return the value of a funding quantile."""
        return self._values[key]


class Stream:
    """The steps of a program on one instrument.

    Attributes
    ----------
    values : list
        The value of every step after the last bar, in the order of the program.
    bars : int
        Bars taken so far.
    """

    def __init__(self, program: Program, instrument: str) -> None:
        self.values: list[Any] = [False if step.is_condition else nan for step in program.steps]
        self.bars = 0
        self.funding = FundingState([step for step in program.steps if step.op == "funding_quantile"])
        self._reference: tuple[int, float] = (0, nan)
        self._builder = (
            TimeframeBuilder(instrument, program.minutes, program.frames) if program.frames else None
        )
        self._plans: dict[int, list[tuple[int, str, tuple[int, ...], Operator | None]]] = {0: []}
        for at, step in enumerate(program.steps):
            if step.op == "const":
                self.values[at] = step.value
                continue
            plan = self._plans.setdefault(step.frame, [])
            source = not step.args and step.op not in ("atr", "adx")
            plan.append((at, step.key if step.op == "funding_quantile" else step.op, step.args,
                         None if source else make_operator(step)))  # fmt: skip

    def settle(self, funding: Funding) -> None:
        """Take a settled funding rate."""
        self.funding.settle(funding)

    def refer(self, ts_event: int, price: float) -> None:
        """Take an index (else spot) price."""
        self._reference = (ts_event, price)

    def update(self, bar: Bar) -> list[Any]:
        """Take the next closed bar and return the value of every step."""
        self.bars += 1
        builder = self._builder
        if builder is not None:
            builder.push(bar)
            for closed in builder.close_until(bar.ts_event):
                self._run(self._plans.get(closed.minutes, ()), closed)
        self._run(self._plans[0], bar)
        return self.values

    def _run(self, plan: Any, bar: Bar) -> None:
        values = self.values
        for at, op, args, function in plan:
            if function is None:
                values[at] = self._source(op, bar)
            elif args:
                values[at] = function(*[values[arg] for arg in args])
            elif op == "atr":
                values[at] = function(bar.high, bar.low, bar.close)
            else:
                values[at] = function(bar.high, bar.low)

    def _source(self, op: str, bar: Bar) -> float:
        if op == "funding":
            return self.funding.known(bar.ts_event)
        if op == "basis":
            ts, price = self._reference
            return 10_000.0 * (bar.close - price) / price if ts == bar.ts_event and price > 0.0 else nan
        if op.startswith("funding_quantile"):
            return self.funding.quantile(op)
        return getattr(bar, op)  # type: ignore[no-any-return]
