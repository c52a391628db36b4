"""The screen: every candidate over a market in one pass, with costs, funding and exits.

Guarantees: a candidate's numbers do not depend on the other candidates or on their order; the indicators see
all earlier bars, only trades are confined to the window; costs x2 re-price the same trades.  Several cores
are used by several processes (`research.executors`): a candidate is many short steps, and threads wait for
the interpreter's lock between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from research import simulate
from research.costs import Costs
from research.dsl.document import Document, TargetR
from research.dsl.program import ATR_KEY
from research.dsl.vector import Memo, evaluate
from research.errors import MarketError
from research.market import Frame, MarketArrays
from research.metrics import Metrics, measure
from research.trades import Trades
from strategies.compiled import as_one_type

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STYLES = {
    "market": simulate.MARKET,
    "post_only": simulate.POST_ONLY,
    "post_only_then_market": simulate.POST_ONLY_THEN_MARKET,
}


@dataclass(frozen=True, slots=True)
class ScreenSettings:
    """How candidates are traded; the defaults are the desk's own.

    Attributes
    ----------
    start_ns, end_ns : int or None
        Trades are confined to bars that close in (start, end]; indicators see what came before.
    bar_delay : int
        Bars by which every order that a close decides comes late (latency stress).
    max_cost_r : float
        A signal whose round trip costs more of its stop distance is refused; infinity switches that off.
    cooldown_bars, cooldown_after_2_losses : int
        As in the enable map.
    """

    start_ns: int | None = None
    end_ns: int | None = None
    bar_delay: int = 0
    max_cost_r: float = 0.35
    cooldown_bars: int = 3
    cooldown_after_2_losses: int = 12


@dataclass(frozen=True, slots=True)
class ScreenResult:
    """One candidate on a market.

    `net` and `gross` are returns per bar of the window as fractions of notional, the mean over the
    instruments (one unit of notional each time an instrument is entered); `ts_event` are the closes of
    those bars.
    """

    document_hash: str
    instruments: tuple[str, ...]
    ts_event: Ints
    net: Floats
    gross: Floats
    trades: Trades
    signals: int
    bars: int  # bar evaluations: bars times instruments
    bars_held: int
    metrics: Metrics


def screen(
    documents: Sequence[Document],
    market: MarketArrays,
    costs: Costs | None = None,
    settings: ScreenSettings | None = None,
    *,
    memo: Memo | None = None,
) -> list[ScreenResult]:
    """Return one result a document, in order.

    Parameters
    ----------
    costs : Costs or None
        Fees and slippage; fees, spread and tick of an instrument come from the market's rules where it has
        them.  `Costs(multiplier=2.0)` is the cost stress.
    memo : Memo or None
        Columns kept between calls on the same market.

    Raises
    ------
    MarketError
        The market lacks the timeframe or every instrument of a document, or the window holds no bar.
    """
    costs, settings = costs or Costs(), settings or ScreenSettings()
    shared = memo if memo is not None else Memo()

    return [screen_one(document, market, costs, settings, shared) for document in documents]


def screen_one(
    document: Document, market: MarketArrays, costs: Costs, settings: ScreenSettings, memo: Memo
) -> ScreenResult:
    """Return the result of one document."""
    frames = [frame for frame in market.frames(document.minutes) if document.trades(frame.coin)]
    if not frames:
        raise MarketError(
            f"the market has nothing that {document.name} trades",
            found=f"{', '.join(market.instruments)} on {market.timeframes} minutes",
            expected=f"{document.instruments} on {document.minutes} minutes",
        )
    walked = []
    for frame in frames:
        first, last = window_rows(frame, settings)
        if last > first:
            walked.append(_walk(document, frame, costs.of(market.rules.get(frame.instrument)), settings, memo,
                                first, last))  # fmt: skip
    if not walked:
        raise MarketError(f"the window holds no {document.minutes}-minute bar", expected="another window")
    ts, net, gross = _joined(walked)
    trades = Trades.join([one.trades for one in walked])
    held = sum(one.held for one in walked)
    bars = sum(len(one.ts) for one in walked)
    return ScreenResult(
        document.document_hash,
        tuple(frame.instrument for frame in frames),
        ts,
        net,
        gross,
        trades,
        sum(one.signals for one in walked),
        bars,
        held,
        measure(ts, net, gross, trades, held / bars, document.minutes),
    )


def window_rows(frame: Frame, settings: ScreenSettings) -> tuple[int, int]:
    """Return the first row of the window and the row after its last."""
    ts, start, end = frame.ts_event, settings.start_ns, settings.end_ns
    first = 0 if start is None else int(np.searchsorted(ts, start, side="right"))
    last = len(ts) if end is None else int(np.searchsorted(ts, end, side="right"))
    return first, last


@dataclass(frozen=True, slots=True)
class _Walked:
    ts: Ints
    net: Floats
    gross: Floats
    trades: Trades
    signals: int
    held: int


def _walk(
    document: Document,
    frame: Frame,
    costs: Costs,
    settings: ScreenSettings,
    memo: Memo,
    first: int,
    last: int,
) -> _Walked:
    said = evaluate(document, frame, memo)
    net, gross = np.zeros(len(frame)), np.zeros(len(frame))
    # The desk enters nothing on a bar in which nothing was traded.
    entry = said.entry if frame.min_volume > 0.0 else np.where(frame.volume > 0.0, said.entry, np.int8(0))
    rows = simulate.walk(
        _bars(costs, frame, said.atr, memo), frame.ts_event, as_one_type(entry), as_one_type(said.exit_long),
        as_one_type(said.exit_short), as_one_type(said.target),
        _taker(replace(costs, multiplier=1.0), frame, memo), first, last,
        parameters(document, costs, settings), net, gross,
    )  # fmt: skip
    trades = Trades.of(rows, frame)
    return _Walked(
        frame.ts_event[first:last],
        net[first:last],
        gross[first:last],
        trades,
        int(np.count_nonzero(said.entry[first:last])),
        int((trades.exit_row - trades.entry_row).sum()),
    )


def _taker(costs: Costs, frame: Frame, memo: Memo) -> Floats:
    key = (frame.token, costs)
    found = memo.get(key)
    if found is None:
        found = as_one_type(costs.taker(frame))
        memo.put(key, found)
    return found


def _bars(costs: Costs, frame: Frame, atr: Floats, memo: Memo) -> Floats:
    key = (frame.token, "bars", costs, ATR_KEY)  # every document has the same ATR
    found = memo.get(key)
    if found is None:
        taker = _taker(costs, frame, memo)
        found = as_one_type(simulate.bars_of(frame, taker, atr, funding=costs.funding))
        memo.put(key, found)
    return found


def parameters(document: Document, costs: Costs, settings: ScreenSettings) -> Floats:
    """Return the figures that the compiled walk takes."""
    p = np.zeros(simulate.PARAMETERS)
    p[simulate.P_STOP_ATR] = document.stop.atr
    if isinstance(document.target, TargetR):
        p[simulate.P_TARGET_1] = document.target.at[0]
        p[simulate.P_TARGET_2] = document.target.at[1] if len(document.target.at) == 2 else 0.0
    p[simulate.P_TRAIL_ATR] = document.trail.atr if document.trail is not None else 0.0
    p[simulate.P_TIME_BARS] = document.time_stop.bars or 0
    p[simulate.P_TIME_SETTLEMENTS] = document.time_stop.settlements or 0
    p[simulate.P_STYLE] = _STYLES[document.entry_style]
    p[simulate.P_TICK], p[simulate.P_SCALE] = costs.tick, 10.0**costs.price_digits
    p[simulate.P_MAKER], p[simulate.P_PLAN_MAKER] = costs.maker, costs.maker_fee
    p[simulate.P_TAKER] = costs.multiplier * costs.taker_fee
    p[simulate.P_MAX_COST_R] = settings.max_cost_r
    p[simulate.P_COOLDOWN] = settings.cooldown_bars
    p[simulate.P_LOSS_COOLDOWN] = settings.cooldown_after_2_losses
    p[simulate.P_DELAY] = settings.bar_delay
    p[simulate.P_FRAME_NS] = document.minutes * 60_000_000_000
    return p


def _joined(walked: list[_Walked]) -> tuple[Ints, Floats, Floats]:
    """Return the mean over the instruments on the union of their bars; a bar that one lacks counts as 0."""
    if len(walked) == 1:
        return walked[0].ts, walked[0].net, walked[0].gross
    first = walked[0].ts
    if all(len(one.ts) == len(first) and bool((one.ts == first).all()) for one in walked[1:]):
        net = np.mean([one.net for one in walked], axis=0)
        return first, net, np.mean([one.gross for one in walked], axis=0)
    ts = np.unique(np.concatenate([one.ts for one in walked]))
    net, gross = np.zeros(len(ts)), np.zeros(len(ts))
    for one in walked:
        rows = np.searchsorted(ts, one.ts)
        net[rows] += one.net
        gross[rows] += one.gross
    return ts, net / len(walked), gross / len(walked)
