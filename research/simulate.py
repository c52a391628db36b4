"""One candidate walked over one instrument: the desk's entries, exits, fills and costs, compiled.

The rules are those of `strategies.entry`, `strategies.exits` and the simulated venue for a desk whose finest
bars are the document's own:

- a market order that is decided at a close fills at that close; a resting entry lies one tick inside the
  close and fills on the next bar if price goes beyond it, else it expires (or goes to market) at that close;
- inside a bar price goes open, then the nearer of high and low, the other one, close; a stop fills at its
  price, or at the open behind a gap; a target fills at its price once price has gone beyond it;
- at each close, in this order: time stop, exit condition, trail; a stop that would lie beyond the close
  closes at that close; the first of two targets moves the stop to break-even when its bar has ended;
- who holds at a settlement pays or receives it, at the close of its bar;
- a signal is not taken while a position or an entry order is there, nor while a cooldown lasts.

Amounts are fractions of the entry's notional.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from research.market import Frame
from strategies.compiled import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Why a trade ended.
STOP, TARGET, TIME, CONDITION, TRAIL, PASSED, END = range(7)
REASONS = ("stop", "target", "time_stop", "condition", "trail", "stop_passed", "end")

# Columns of `bars_of`: what a walk reads of a bar lies side by side, in one line of the processor's cache.
OPEN, HIGH, LOW, CLOSE, TAKER, PAID_RATE, PAID_COUNT, ATR = range(8)
BAR_COLUMNS = 8

# How an entry is sent.
MARKET, POST_ONLY, POST_ONLY_THEN_MARKET = range(3)

# Columns of a trade.
ENTRY_ROW, EXIT_ROW, SIDE, ENTRY_PRICE, EXIT_PRICE, STOP_DISTANCE, GROSS, COST, FUNDING, RISK, REASON = range(
    11
)
TRADE_COLUMNS = 11

# Figures of a candidate, one array of them.
(
    P_STOP_ATR, P_TARGET_1, P_TARGET_2, P_TRAIL_ATR, P_TIME_BARS, P_TIME_SETTLEMENTS, P_STYLE, P_TICK,
    P_SCALE, P_MAKER, P_TAKER, P_PLAN_MAKER, P_MAX_COST_R, P_COOLDOWN, P_LOSS_COOLDOWN, P_DELAY, P_FRAME_NS,
) = range(17)  # fmt: skip
PARAMETERS = 17


@compiled
def _down(price: float, tick: float, scale: float) -> float:
    """Return the price on the grid at or below; `scale` = 10 ** digits writes it as the desk does."""
    if tick <= 0.0:
        return price
    return round(math.floor(price / tick + 1e-9) * tick * scale) / scale


@compiled
def _up(price: float, tick: float, scale: float) -> float:
    """Return the price on the grid at or above."""
    if tick <= 0.0:
        return price
    return round(math.ceil(price / tick - 1e-9) * tick * scale) / scale


def bars_of(frame: Frame, taker: Floats, atr: Floats, *, funding: bool) -> Floats:
    """Return what a walk reads of each bar, a row a bar; without `funding` nobody pays any."""
    bars = np.empty((len(frame), BAR_COLUMNS))
    columns = (frame.open, frame.high, frame.low, frame.close, taker, frame.paid_rate, frame.paid_count, atr)
    for column, values in enumerate(columns):
        bars[:, column] = values
    if not funding:
        bars[:, PAID_RATE] = 0.0
    return bars


@compiled
def walk(  # noqa: C901, PLR0912, PLR0915 - one state machine, compiled as a whole
    bars: Floats,
    ts: Ints,
    entry: NDArray[np.int8],
    exit_long: NDArray[np.bool_],
    exit_short: NDArray[np.bool_],
    target_price: Floats,
    plan_taker: Floats,
    first: int,
    last: int,
    p: Floats,
    net: Floats,
    gross: Floats,
) -> Floats:
    """Walk rows [first, last), add per-bar returns to `net` and `gross`, and return the trades, a row each.

    Signals count from `first` on; what is open at the end is closed at the last close.
    """
    signals, rows = np.empty(max(last - first, 0), np.int64), 0
    for t in range(first, last):
        signals[rows] = t
        rows += entry[t] != 0
    trades = np.empty((rows, TRADE_COLUMNS))
    count, following = 0, 0
    stop_atr, first_r, second_r, trail_atr = p[P_STOP_ATR], p[P_TARGET_1], p[P_TARGET_2], p[P_TRAIL_ATR]
    time_settlements = p[P_TIME_SETTLEMENTS]
    style, tick, scale = int(p[P_STYLE]), p[P_TICK], p[P_SCALE]
    maker, taker_fee, plan_maker, max_cost_r = p[P_MAKER], p[P_TAKER], p[P_PLAN_MAKER], p[P_MAX_COST_R]
    frame_ns, delay = int(p[P_FRAME_NS]), int(p[P_DELAY])
    time_ns = int(p[P_TIME_BARS]) * frame_ns
    cooldown_ns, loss_ns = int(p[P_COOLDOWN]) * frame_ns, int(p[P_LOSS_COOLDOWN]) * frame_ns
    blocked_until, losses = -1, 0  # signals at or before it are refused
    path = np.empty(4)

    t = first
    while t < last:
        # --- wait for a signal that may be taken -----------------------------------------------------------
        while following < rows and signals[following] < t:
            following += 1
        if following == rows:
            break
        t = signals[following]
        if ts[t] <= blocked_until:
            t += 1
            continue
        s = t + delay  # the row at whose close the order is sent
        if s >= last:
            break
        side = int(entry[t])
        distance = stop_atr * bars[t, ATR]
        reference = bars[t, CLOSE]
        plan_in = plan_maker if style == POST_ONLY else plan_taker[t]
        if (
            not (distance > 0.0 and distance < reference)
            or (plan_in + plan_taker[t]) * reference > max_cost_r * distance
        ):
            t += 1
            continue

        # --- entry -----------------------------------------------------------------------------------------
        k = s  # the row of the entry's bar
        price, cost_in = bars[s, CLOSE], bars[s, TAKER]
        resting, filled_at = False, 0
        if style != MARKET:
            limit = _down(price - tick, tick, scale) if side > 0 else _up(price + tick, tick, scale)
            k = s + 1
            if k >= last:
                break
            _set_path(path, bars, k)
            filled_at = -1
            for step in range(4):
                if (path[step] - limit) * side < 0.0:
                    filled_at = step
                    break
            if filled_at >= 0:
                resting, price, cost_in = True, limit, maker
            elif style == POST_ONLY:
                t = k + 1 if delay == 0 else k
                continue
            else:
                price, cost_in = bars[k, CLOSE], bars[s, TAKER]
        stop = price - side * distance
        stop = _down(stop, tick, scale) if side > 0 else _up(stop, tick, scale)
        rounded = (price - stop) * side
        leaving = plan_taker[t] * price
        risk = max(rounded + plan_in * price + leaving, distance + tick + leaving) / price
        break_even = price * (1.0 + side * (plan_in + plan_taker[t]))
        break_even = _up(break_even, tick, scale) if side > 0 else _down(break_even, tick, scale)
        aim_1, aim_2 = 0.0, 0.0  # 0: none
        left_1, left_2 = 0.0, 0.0
        if target_price[t] == target_price[t]:
            aim_1, left_1 = target_price[t], 1.0
        elif second_r > 0.0:
            aim_1, left_1 = price + side * first_r * distance, 0.5
            aim_2, left_2 = price + side * second_r * distance, 0.5
        elif first_r > 0.0:
            aim_1, left_1 = price + side * first_r * distance, 1.0
        aim_1 = _up(aim_1, tick, scale) if side > 0 else _down(aim_1, tick, scale)
        aim_2 = _up(aim_2, tick, scale) if side > 0 else _down(aim_2, tick, scale)

        entry_row, left, best, mark = k, 1.0, price, price
        sum_gross, sum_cost, sum_funding, sum_exit = 0.0, cost_in, 0.0, 0.0
        net[k] -= cost_in
        settlements, halved, reason = 0.0, False, -1
        stop_cost = bars[s, TAKER] if resting else bars[k, TAKER]  # priced when the stop is sent
        zero_ts = ts[k]
        closing_at, closing_reason = -1, -1  # a delayed order to close
        blocked_until = max(blocked_until, zero_ts + cooldown_ns)
        if not resting:
            k += 1

        # --- hold ------------------------------------------------------------------------------------------
        while k < last:
            entry_bar = resting and k == entry_row
            bar_gross, bar_cost = 0.0, 0.0
            overrun, hit_first = False, False
            worst, reach = (bars[k, LOW], bars[k, HIGH]) if side > 0 else (bars[k, HIGH], bars[k, LOW])
            steps = 4
            if (
                not entry_bar
                and (worst - stop) * side > 0.0
                and not (left_1 > 0.0 and (reach - aim_1) * side > 0.0)
                and not (left_2 > 0.0 and (reach - aim_2) * side > 0.0)
            ):
                steps = 0  # nothing inside the bar: most bars
            else:
                _set_path(path, bars, k)
            for step in range(steps):
                at = path[step]
                if entry_bar and step <= filled_at:
                    overrun = step == filled_at and (at - stop) * side <= 0.0
                    continue
                if overrun and at == path[step - 1]:
                    continue  # price stands still where it passed the stop: nothing touches it again
                if (at - stop) * side <= 0.0:
                    at = at if step == 0 else stop
                    bar_gross += left * (at - mark) * side / price
                    bar_cost += left * stop_cost * at / price
                    sum_exit += left * at
                    left, reason = 0.0, STOP
                    break
                if entry_bar:
                    continue
                if left_1 > 0.0 and (at - aim_1) * side > 0.0:
                    bar_gross += left_1 * (aim_1 - mark) * side / price
                    bar_cost += left_1 * maker * aim_1 / price
                    sum_exit += left_1 * aim_1
                    left -= left_1
                    left_1, hit_first = 0.0, True
                if left_2 > 0.0 and (at - aim_2) * side > 0.0:
                    bar_gross += left_2 * (aim_2 - mark) * side / price
                    bar_cost += left_2 * maker * aim_2 / price
                    sum_exit += left_2 * aim_2
                    left -= left_2
                    left_2 = 0.0
                if left <= 0.0:
                    left, reason = 0.0, TARGET
                    break
            now = bars[k, CLOSE]
            if entry_bar and left > 0.0 and not overrun:
                # The targets are sent at this close: what lies inside the market fills there.
                if left_1 > 0.0 and (now - aim_1) * side >= 0.0:
                    bar_gross += left_1 * (now - mark) * side / price
                    bar_cost += left_1 * taker_fee * now / price
                    sum_exit += left_1 * now
                    left -= left_1
                    left_1, hit_first = 0.0, True
                if left_2 > 0.0 and (now - aim_2) * side >= 0.0:
                    bar_gross += left_2 * (now - mark) * side / price
                    bar_cost += left_2 * taker_fee * now / price
                    sum_exit += left_2 * now
                    left -= left_2
                    left_2 = 0.0
                if left <= 0.0:
                    left, reason = 0.0, TARGET
            if left > 0.0:
                leave = -1
                if overrun:
                    leave = PASSED  # price went through the stop: the way back to it is no gain
                    bar_cost += left * max(0.0, (now - stop) * side) / price
                elif hit_first and not halved:
                    halved = True
                    if (break_even - stop) * side > 0.0:
                        stop = break_even
                    if (now - stop) * side <= 0.0:
                        leave = PASSED
                # The settlement of this moment is paid by who holds at the close.
                if bars[k, PAID_RATE] != 0.0:
                    paid = -side * bars[k, PAID_RATE] * left * now / price
                    sum_funding += paid
                    net[k] += paid
                settlements += bars[k, PAID_COUNT]
                if leave < 0 and closing_at < 0:
                    due = -1
                    if time_ns > 0 and ts[k] - zero_ts >= time_ns:
                        due = TIME
                    if time_settlements > 0.0 and settlements >= time_settlements:
                        due = TIME
                    if due < 0 and (exit_long[k] if side > 0 else exit_short[k]):
                        due = CONDITION
                    if due >= 0:
                        if delay == 0:
                            leave = due
                        else:
                            closing_at, closing_reason = k + delay, due
                    elif trail_atr > 0.0:
                        best = max(best, now) if side > 0 else min(best, now)
                        moved = best - side * trail_atr * bars[k, ATR]
                        moved = _down(moved, tick, scale) if side > 0 else _up(moved, tick, scale)
                        if (moved - stop) * side > 0.0:
                            stop = moved
                            if (now - stop) * side <= 0.0:
                                leave = TRAIL
                if closing_at >= 0 and k >= closing_at:
                    leave = closing_reason
                if leave < 0 and k == last - 1:
                    leave = END
                bar_gross += left * (now - mark) * side / price
                if leave >= 0:
                    bar_cost += left * bars[k, TAKER] * now / price
                    sum_exit += left * now
                    left, reason = 0.0, leave
                mark = now
            gross[k] += bar_gross
            net[k] += bar_gross - bar_cost
            sum_gross += bar_gross
            sum_cost += bar_cost
            if left <= 0.0:
                break
            k += 1
        if left > 0.0:  # entered at the last close of the window: out at the same price
            k = last - 1
            net[k] -= bars[k, TAKER]
            sum_cost += bars[k, TAKER]
            sum_exit, reason = left * bars[k, CLOSE], END
        trades[count, ENTRY_ROW], trades[count, EXIT_ROW], trades[count, SIDE] = entry_row, k, side
        trades[count, ENTRY_PRICE], trades[count, EXIT_PRICE] = price, sum_exit
        trades[count, STOP_DISTANCE], trades[count, RISK], trades[count, REASON] = distance, risk, reason
        trades[count, GROSS], trades[count, COST], trades[count, FUNDING] = sum_gross, sum_cost, sum_funding
        count += 1

        # --- after -----------------------------------------------------------------------------------------
        if sum_gross - sum_cost + sum_funding < 0.0:
            losses += 1
            if losses == 2:
                losses = 0
                if loss_ns > 0:
                    blocked_until = max(blocked_until, ts[k] + loss_ns)
        else:
            losses = 0
        # A close that is decided at a bar's end is under way while that bar's signal speaks.
        t = k if reason in (STOP, TARGET) else k + 1
        t = max(t, entry_row + 1)
    return trades[:count]


@compiled
def _set_path(path: Floats, bars: Floats, k: int) -> None:
    open_, high, low = bars[k, OPEN], bars[k, HIGH], bars[k, LOW]
    path[0], path[3] = open_, bars[k, CLOSE]
    if abs(high - open_) < abs(low - open_):
        path[1], path[2] = high, low
    else:
        path[1], path[2] = low, high
