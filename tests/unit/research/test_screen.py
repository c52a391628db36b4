"""The screen on hand-made bars: every fill, cost and exit worked out on paper."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from catalog.schema import FundingArrays
from research import simulate
from research.costs import FREE, Costs
from research.dsl import Document
from research.errors import MarketError
from research.market import Frame, MarketArrays, make_frame
from research.screen import ScreenResult, ScreenSettings, screen
from risk.vocabulary import HOUR_NS, InstrumentRules
from tests.fakes.histories import START_NS
from tests.fakes.research import NAME, document, frame_of, hand_made, random_documents, traded_history

Row = tuple[float, float, float, float]

FLAT: Row = (100.0, 101.0, 99.0, 100.0)  # ATR(14) = 2
UP: Row = (100.0, 102.0, 100.0, 102.0)  # its close is above 101: the signal; true range 2
HIGH_BEFORE = {"op": "highest", "x": {"op": "lag", "x": {"op": "high"}, "n": 1}, "n": 5}
LOW_BEFORE = {"op": "lowest", "x": {"op": "lag", "x": {"op": "low"}, "n": 1}, "n": 5}
ABOVE_101 = {"long": {"op": "gt", "a": {"op": "close"}, "b": HIGH_BEFORE}}
BELOW_99 = {"short": {"op": "lt", "a": {"op": "close"}, "b": LOW_BEFORE}}


def bars(*after: Row, signal: Row = UP) -> Frame:
    """Twenty quiet bars, the signal's bar (row 20), and what comes after it."""
    return hand_made([FLAT] * 20 + [signal, *after])


def run(frame: Frame, made: Document, costs: Costs = FREE, **settings: Any) -> ScreenResult:
    return screen([made], MarketArrays([frame]), costs, ScreenSettings(**settings))[0]


def plain(**changes: Any) -> Document:
    """Stop 2 ATR = 4 below the entry at 102, time stop 10 bars."""
    return document(**({"entry": ABOVE_101} | changes))


def only(result: ScreenResult) -> tuple[int, int, float, float, str]:
    """Return entry row, exit row, prices and reason of the one trade."""
    trades = result.trades
    assert len(trades) == 1
    reason = simulate.REASONS[int(trades.reason[0])]
    return (
        int(trades.entry_row[0]),
        int(trades.exit_row[0]),
        float(trades.entry_price[0]),
        round(float(trades.exit_price[0]), 10),
        reason,
    )


QUIET: Row = (102.0, 102.5, 101.5, 102.0)


# --- fills ------------------------------------------------------------------------------------------------


def test_entry_at_the_signals_close_and_stop_at_its_price() -> None:
    result = run(bars((102.0, 102.5, 97.0, 97.5), QUIET), plain())
    assert only(result) == (20, 21, 102.0, 98.0, "stop")
    assert result.trades.gross[0] == pytest.approx(-4 / 102)
    assert result.net[21] == pytest.approx(-4 / 102)
    assert result.net[20] == 0.0
    assert result.trades.r[0] == pytest.approx(-1.0)


def test_behind_a_gap_the_stop_fills_at_the_open() -> None:
    assert only(run(bars((95.0, 96.0, 94.0, 95.0)), plain())) == (20, 21, 102.0, 95.0, "stop")


@pytest.mark.parametrize(
    ("row", "exit_", "reason"),
    [
        ((102.0, 111.0, 97.0, 100.0), 98.0, "stop"),  # the low is nearer to the open: stop first
        ((102.0, 107.0, 96.0, 100.0), 106.0, "target"),  # the high is nearer: target first
    ],
)
def test_inside_a_bar_the_nearer_extreme_comes_first(row: Row, exit_: float, reason: str) -> None:
    made = plain(target={"kind": "r", "at": [1.0]})
    assert only(run(bars(row), made)) == (20, 21, 102.0, exit_, reason)


def test_a_target_is_filled_only_when_price_goes_beyond_it() -> None:
    made = plain(target={"kind": "r", "at": [1.0]}, time_stop={"bars": 2})
    touched = bars((102.0, 106.0, 101.5, 102.0), QUIET, QUIET)
    assert only(run(touched, made)) == (20, 22, 102.0, 102.0, "time_stop")
    beyond = bars((102.0, 106.01, 101.5, 102.0), QUIET, QUIET)
    assert only(run(beyond, made)) == (20, 21, 102.0, 106.0, "target")


def test_half_at_the_first_target_then_break_even() -> None:
    made = plain(target={"kind": "r", "at": [1.0, 2.0]})
    frame = bars((102.0, 106.5, 101.9, 105.0), (105.0, 105.2, 101.0, 103.0), QUIET)
    result = run(frame, made)
    entry, exit_, _, average, reason = only(result)
    assert (entry, exit_, average, reason) == (20, 22, 104.0, "stop")  # half at 106, half at 102
    assert result.trades.gross[0] == pytest.approx(0.5 * 4 / 102)


def test_the_trail_follows_the_best_close_and_never_loosens() -> None:
    made = plain(trail={"atr": 1.0})
    # The close of 110 stays the best one; the calm bar after it makes ATR smaller, so the stop rises.
    frame = bars((102.0, 110.0, 102.0, 110.0), (110.0, 110.5, 109.0, 109.2), (109.2, 109.4, 104.0, 104.5))
    result = run(frame, made)
    assert only(result)[1] == 23
    atr = ((2.0 * 13 + 8.0) / 14 * 13 + 1.5) / 14
    assert only(result)[3] == pytest.approx(110.0 - atr)


def test_the_time_stop_closes_at_the_close_of_its_bar_counted_by_time() -> None:
    made = plain(time_stop={"bars": 3})
    assert only(run(bars(QUIET, QUIET, QUIET, QUIET), made)) == (20, 23, 102.0, 102.0, "time_stop")
    whole = bars(QUIET, QUIET, QUIET, QUIET)
    gap = make_frame(NAME, 60, whole.bars.take(np.r_[0:22, 23:25]))
    assert only(run(gap, made))[1] == 22  # two bars on, three hours on


def test_an_exit_condition_closes_at_its_close() -> None:
    falling = {"long": {"op": "lt", "a": {"op": "close"}, "b": {"op": "open"}}}
    frame = bars(QUIET, (102.0, 102.5, 101.0, 101.2), QUIET)
    assert only(run(frame, plain(exit=falling))) == (20, 22, 102.0, 101.2, "condition")


def test_a_short_is_the_mirror() -> None:
    made = document(direction="short", entry=BELOW_99)
    frame = bars((98.0, 102.5, 97.5, 98.0), signal=(100.0, 100.0, 98.0, 98.0))
    assert only(run(frame, made)) == (20, 21, 98.0, 102.0, "stop")
    assert run(frame, made).trades.gross[0] == pytest.approx(-4 / 98)


def test_what_is_open_at_the_end_of_the_window_is_closed_there() -> None:
    assert only(run(bars(QUIET, (102.0, 104.0, 101.5, 103.0)), plain())) == (20, 22, 102.0, 103.0, "end")
    assert only(run(bars(), plain())) == (20, 20, 102.0, 102.0, "end")


# --- resting entries --------------------------------------------------------------------------------------


TICK = replace(FREE, tick=0.01, price_digits=2)


def test_a_resting_entry_fills_one_tick_inside_or_expires() -> None:
    made = plain(entry_style="post_only", time_stop={"bars": 1})
    through = bars((102.0, 102.5, 101.5, 102.0), QUIET, QUIET)
    assert only(run(through, made, TICK)) == (21, 22, 101.99, 102.0, "time_stop")
    never = bars((102.0, 103.0, 101.99, 102.5), QUIET, QUIET)  # touched, not gone through
    assert len(run(never, made, TICK).trades) == 0


def test_a_resting_entry_that_goes_to_market_pays_the_next_close() -> None:
    made = plain(entry_style="post_only_then_market", time_stop={"bars": 1})
    never = bars((102.0, 103.0, 101.99, 102.5), (102.5, 103.0, 102.0, 102.8), QUIET)
    assert only(run(never, made, TICK)) == (21, 22, 102.5, 102.8, "time_stop")


# --- costs, funding ---------------------------------------------------------------------------------------


def test_fees_and_slippage_are_taken_at_entry_and_exit() -> None:
    frame = bars(QUIET, QUIET)
    costs = Costs(maker_fee=0.0002, taker_fee=0.0005, spread_bps=2.0, latency_bps=1.0, impact_bps=10.0,
                  notional_usd=10_000.0)  # fmt: skip
    result = run(frame, plain(time_stop={"bars": 1}), costs)

    def side(close: float) -> float:
        return 0.0005 + (1.0 + 1.0 + 10.0 * math.sqrt(10_000.0 / (1e6 * close))) / 10_000.0

    assert result.trades.cost[0] == pytest.approx(2 * side(102.0))
    assert result.net[20] == pytest.approx(-side(102.0))
    assert result.gross.sum() == 0.0
    double = run(frame, plain(time_stop={"bars": 1}), replace(costs, multiplier=2.0))
    assert double.trades.cost[0] == pytest.approx(2 * result.trades.cost[0])


def test_a_stop_too_tight_for_its_costs_is_refused_as_on_the_desk() -> None:
    dear = Costs(taker_fee=0.01, spread_bps=0.0, latency_bps=0.0, impact_bps=0.0)  # 2.04 of a stop of 4
    assert len(run(bars(QUIET), plain(), dear).trades) == 0
    assert len(run(bars(QUIET), plain(), dear, max_cost_r=math.inf).trades) == 1
    assert len(run(bars(QUIET), plain(), replace(dear, taker_fee=0.003, multiplier=5.0)).trades) == 1


def test_who_holds_at_a_settlement_pays() -> None:
    base = bars(QUIET, QUIET, (102.0, 102.5, 97.0, 98.5), QUIET)
    rate = 0.001
    rows = (20, 21, 22, 23)  # at the entry's close, twice while held, and in the bar of the stop
    settled = FundingArrays(np.array([base.ts_event[row] for row in rows]), np.full(len(rows), rate))
    frame = make_frame(NAME, 60, base.bars, settled)
    result = run(frame, plain(), replace(FREE, funding=True))
    assert only(result)[1] == 23
    assert result.trades.funding[0] == pytest.approx(-2 * rate)
    assert result.net[21] == pytest.approx(-rate)
    assert result.net[20] == 0.0
    assert run(frame, plain()).trades.funding[0] == 0.0


def test_settlements_are_counted_for_the_time_stop() -> None:
    base = bars(QUIET, QUIET, QUIET, QUIET)
    settled = FundingArrays(base.ts_event[[21, 23]], np.zeros(2))
    frame = make_frame(NAME, 60, base.bars, settled)
    assert only(run(frame, plain(time_stop={"settlements": 2})))[1:] == (23, 102.0, 102.0, "time_stop")


def test_nothing_is_entered_on_a_bar_without_volume() -> None:
    frame = hand_made([FLAT] * 20 + [UP, QUIET], volume=0.0)
    result = run(frame, plain())
    assert (result.signals, len(result.trades)) == (1, 0)


# --- what the arguments do --------------------------------------------------------------------------------


def again() -> Frame:
    """Two signals: rows 20 and 24 (its close is above the five highs before)."""
    stopped = (102.0, 102.5, 97.0, 98.0)
    low = (98.0, 98.5, 97.0, 98.0)
    return bars(stopped, low, low, (98.0, 104.0, 98.0, 104.0), (104.0, 104.5, 103.5, 104.0))


def test_a_signal_is_not_taken_while_a_cooldown_lasts() -> None:
    assert len(run(again(), plain(), cooldown_bars=0).trades) == 2
    assert len(run(again(), plain(), cooldown_bars=3).trades) == 2  # the fourth bar is allowed
    assert len(run(again(), plain(), cooldown_bars=4).trades) == 1


def test_two_losses_in_a_row_start_the_longer_cooldown() -> None:
    made = plain(time_stop={"bars": 1})
    falling = [(102.0 - k, 102.0 - k, 101.0 - k, 101.0 - k) for k in range(4)]
    frame = hand_made([FLAT] * 20 + [UP, falling[0], *[FLAT] * 5, UP, falling[0], *[FLAT] * 5, UP, QUIET])
    counts = [len(run(frame, made, cooldown_after_2_losses=n).trades) for n in (0, 5, 12)]
    assert counts == [3, 3, 2]


def test_a_delay_moves_orders_and_leaves_stops() -> None:
    made = plain(time_stop={"bars": 2})
    frame = bars((102.0, 103.0, 101.0, 103.0), (103.0, 103.5, 102.5, 103.0), QUIET, QUIET, QUIET)
    assert only(run(frame, made, bar_delay=1)) == (21, 24, 103.0, 102.0, "time_stop")
    crash = bars((102.0, 103.0, 101.0, 103.0), (103.0, 103.5, 98.0, 98.5), QUIET)
    assert only(run(crash, made, bar_delay=1)) == (21, 22, 103.0, 99.0, "stop")


def test_a_window_confines_trades_and_not_indicators() -> None:
    frame = again()
    whole = run(frame, plain())
    start, end = int(frame.ts_event[22]), int(frame.ts_event[24])
    part = run(frame, plain(), start_ns=start, end_ns=end)
    assert len(part.ts_event) == 2
    assert [int(row) for row in part.trades.entry_row] == [24]
    assert part.trades.entry_price[0] == whole.trades.entry_price[1]
    with pytest.raises(MarketError, match="the window holds no"):
        run(frame, plain(), start_ns=int(frame.ts_event[-1]))


def test_prices_lie_on_the_grid() -> None:
    rules = InstrumentRules(NAME, 1, 3, 0.5, 0.001, 0.001, 2.0, 0.0, 0.0)
    market = MarketArrays([bars((102.0, 102.5, 90.0, 98.5))], {NAME: rules})
    free = replace(FREE, multiplier=0.0)
    result = screen([plain(stop={"atr": 2.1})], market, free)[0]
    assert result.trades.exit_price[0] == 97.5  # 102 - 4.2 = 97.8, down to a tick


# --- several instruments, threads -------------------------------------------------------------------------


def test_returns_are_the_mean_over_the_instruments_on_the_union_of_their_bars() -> None:
    one = bars((102.0, 102.5, 97.0, 98.0), QUIET)
    other = make_frame("ETH-USDT.TEST", 60, hand_made([FLAT] * 30).bars)
    result = screen([plain()], MarketArrays([one, other]), FREE)[0]
    assert (len(result.ts_event), result.bars) == (30, 23 + 30)
    assert result.net[21] == pytest.approx(-4 / 102 / 2)
    assert set(result.trades.instrument) == {NAME}
    alone = screen([plain(instruments=["BTC"])], MarketArrays([one, other]), FREE)[0]
    assert alone.net[21] == pytest.approx(-4 / 102)
    with pytest.raises(MarketError, match="nothing that plain trades"):
        screen([plain(instruments=["DOGE"])], MarketArrays([one]), FREE)


def test_the_order_and_the_company_change_nothing() -> None:
    market = MarketArrays([frame_of(traded_history(1500, 3))])
    made = random_documents(30, 4)
    first = screen(made, market)
    alone = [screen([one], market)[0] for one in made]
    for results in (alone, screen(made[::-1], market)[::-1]):
        for a, b in zip(first, results, strict=True):
            assert a.document_hash == b.document_hash
            assert np.array_equal(a.net, b.net)
            assert np.array_equal(a.trades.r, b.trades.r)


def test_per_bar_returns_add_up_to_the_trades() -> None:
    market = MarketArrays([frame_of(traded_history(2500, 5))])
    for result in screen(random_documents(40, 6), market):
        assert result.net.sum() == pytest.approx(result.trades.net.sum(), abs=1e-9)
        assert result.gross.sum() == pytest.approx(result.trades.gross.sum(), abs=1e-9)
        assert (result.trades.exit_ts >= result.trades.entry_ts).all()
        assert (result.trades.entry_ts[1:] >= result.trades.exit_ts[:-1]).all()


def test_figures_that_cannot_be_told_are_missing() -> None:
    never = {"long": {"op": "gt", "a": {"op": "low"}, "b": {"op": "high"}}}
    metrics = run(bars(QUIET), plain(entry=never)).metrics
    assert metrics.trades == 0
    for value in (metrics.sharpe, metrics.profit_factor, metrics.win_rate, metrics.mean_r):
        assert math.isnan(value)


# --- the market -------------------------------------------------------------------------------------------


def test_funding_is_known_at_its_settlement_and_missing_when_it_is_old() -> None:
    base = hand_made([FLAT] * 24)
    stamps = START_NS + np.array([-8, 0, 8], np.int64) * HOUR_NS
    frame = make_frame(NAME, 60, base.bars, FundingArrays(stamps, np.array([1e-4, 2e-4, 3e-4])))
    assert frame.funding[0] == 2e-4
    assert frame.funding[6] == 2e-4
    assert frame.funding[7] == 3e-4  # closes at 08:00
    assert frame.funding[16] == 3e-4  # nine hours later
    assert math.isnan(frame.funding[17])
    assert frame.paid_count.tolist() == [0] * 7 + [1] + [0] * 16


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_unusable_bars_are_refused(column: str) -> None:
    good = hand_made([FLAT] * 5).bars
    for bad in (math.nan, math.inf, -1.0):
        values = getattr(good, column).copy()
        values[3] = bad
        with pytest.raises(MarketError, match=f"{column} of bar 3"):
            make_frame(NAME, 60, replace(good, **{column: values}))


def test_bars_out_of_order_and_no_bars_are_refused() -> None:
    good = hand_made([FLAT] * 5).bars
    with pytest.raises(MarketError, match="not in time order"):
        make_frame(NAME, 60, good.take(np.array([0, 2, 1])))
    with pytest.raises(MarketError, match="has no bars"):
        make_frame(NAME, 60, good.take(slice(0, 0)))
    with pytest.raises(MarketError, match="no 15-minute bars"):
        MarketArrays([hand_made([FLAT] * 5)]).frame(NAME, 15)
