"""What the same money would have done untraded: buy-and-hold of the run's instruments, and nothing at all.

Guarantees: equal weights of the starting equity at 1x, bought at the first close and sold at the last, taker
fees on both sides; funding is charged where it is known and its absence is said.  Prices are sampled (at
most daily, finer for short windows), so the drawdown of the benchmark is that of the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crupto_nautilus.reports.figures import (
    Floats,
    Ints,
    daily_equity,
    drawdown_pct,
    sharpe,
    simple_returns,
)
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import DAY_NS, HOUR_NS

_SAMPLES = 500


def benchmark_columns(
    instrument: str,
    ts_event: Ints,
    close: Floats,
    start_ns: int,
    end_ns: int,
    *,
    funding: tuple[Ints, Floats] | None = None,
) -> dict[str, Any]:
    """Return the `benchmark` rows of one instrument as columns.

    Parameters
    ----------
    ts_event, close
        Closed bars (ns UTC, stamped at close), in order; those in (start, end] are sampled.
    funding
        Settlement times and rates; None where the history is not known (the column is then null).

    Returns
    -------
    dict
        The first and the last close and the last of each day between (of each hour or more in a short
        window); `funding_per_coin` is the funding a long of one coin paid since the row before, at the close
        then known.
    """
    inside = (ts_event > start_ns) & (ts_event <= end_ns)
    ts, prices = ts_event[inside], close[inside]
    step = int(np.clip((end_ns - start_ns) // _SAMPLES // HOUR_NS * HOUR_NS, HOUR_NS, DAY_NS))
    bucket = (ts - 1) // step
    keep = np.ones(len(ts), dtype=bool)
    keep[1:-1] = bucket[1:-1] != bucket[2:]
    rows_ts, rows_close = ts[keep], prices[keep]
    paid: list[float | None] = [None] * len(rows_ts)
    if funding is not None and len(rows_ts):
        funding_ts, rates = funding
        used = (funding_ts > rows_ts[0]) & (funding_ts <= rows_ts[-1])
        at = np.maximum(np.searchsorted(ts, funding_ts[used], side="right") - 1, 0)
        row = np.searchsorted(rows_ts, funding_ts[used], side="left")
        paid = np.bincount(row, weights=rates[used] * prices[at], minlength=len(rows_ts)).tolist()
    return {
        "ts_event": rows_ts,
        "trace_id": [f"benchmark/{instrument}"] * len(rows_ts),
        "instrument": [instrument] * len(rows_ts),
        "close": rows_close,
        "funding_per_coin": paid,
    }


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Buy-and-hold over the run's window; arrays have one value a sample time."""

    ts: Ints
    equity: Floats
    fees_usd: float
    funding_usd: float | None
    without_funding: tuple[str, ...]
    instruments: tuple[str, ...]


def buy_and_hold(folder: RunFolder) -> Benchmark | None:
    """Return the benchmark of a run, or None if it has no prices."""
    facts = folder.facts
    capital = facts.capital
    curves = [curve for facts_of in facts.instruments if (curve := _prices(folder, facts_of)) is not None]
    if not curves:
        return None
    ts = np.unique(np.concatenate([np.array([facts.start_ns]), *[curve[1] for curve in curves]]))
    equity = np.full(len(ts), capital, dtype=np.float64)
    fees, funding, unknown = 0.0, 0.0, []
    for name, times, prices, paid in curves:
        taker = facts.instrument(name).taker_fee if facts.costs == "on" else 0.0
        quantity = capital / len(curves) / prices[0]
        index = np.searchsorted(times, ts, side="right") - 1
        held = index >= 0
        at = np.maximum(index, 0)
        if paid is None:
            unknown.append(name)
            flows = np.zeros(len(times))
        else:
            flows = -quantity * np.cumsum(paid)
            funding += float(flows[-1])
        entry, leave = quantity * prices[0] * taker, quantity * prices[-1] * taker
        pnl = quantity * (prices[at] - prices[0]) + flows[at] - entry
        equity += np.where(held, pnl, 0.0)
        equity[-1] -= leave
        fees += entry + leave
    return Benchmark(
        ts,
        equity,
        fees,
        funding if len(unknown) < len(curves) else None,
        tuple(unknown),
        tuple(curve[0] for curve in curves),
    )


def _prices(folder: RunFolder, facts: Any) -> tuple[str, Ints, Floats, Floats | None] | None:
    frame = folder.table("benchmark")
    rows = frame[frame["instrument"] == facts.instrument].sort_values("ts_event", kind="stable")
    if len(rows):
        paid = rows["funding_per_coin"].to_numpy(dtype=np.float64)
        known = not np.isnan(paid).any()
        return (
            facts.instrument,
            rows["ts_event"].to_numpy(dtype=np.int64),
            rows["close"].to_numpy(dtype=np.float64),
            paid if known else None,
        )
    if facts.first_close and facts.last_close:
        run = folder.facts
        ends = np.array([run.start_ns, run.end_ns], dtype=np.int64)
        return facts.instrument, ends, np.array([facts.first_close, facts.last_close]), None
    return None


def benchmark_figures(folder: RunFolder, hold: Benchmark | None) -> dict[str, Any]:
    """Return `buy_and_hold` (None without prices) and `no_trade` for the summary."""
    facts = folder.facts
    no_trade = {"equity_end": facts.capital, "pnl_usd": 0.0, "pnl_pct": 0.0, "max_drawdown_pct": 0.0}
    if hold is None:
        return {"buy_and_hold": None, "no_trade": no_trade}
    days = daily_equity(hold.ts, hold.equity, facts.start_ns, facts.end_ns, facts.capital)
    end = float(hold.equity[-1])
    return {
        "buy_and_hold": {
            "instruments": list(hold.instruments),
            "equity_end": end,
            "pnl_usd": end - facts.capital,
            "pnl_pct": 100.0 * (end / facts.capital - 1.0),
            "max_drawdown_pct": float(drawdown_pct(hold.equity).min()),
            "sharpe": sharpe(simple_returns(days)),
            "fees_usd": hold.fees_usd,
            "funding_usd": hold.funding_usd,
            "without_funding": list(hold.without_funding),
        },
        "no_trade": no_trade,
    }
