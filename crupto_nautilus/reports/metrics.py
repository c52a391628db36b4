"""The figures of a run (`summary.json`), computed from its tables.

Guarantees: what is not defined is None; money is USDT, `_pct` percent, R multiples of the planned risk;
Sharpe and Sortino come from daily equity and are annualised by 365; a group's (strategy, instrument) returns
are its closed trades' net PnL by closing day over the starting equity. Whole-run fees, slippage and funding
are of all fills; those of groups and of the waterfall are of closed trades, and `open_usd` is what open
positions add, so that gross - fees - slippage + funding + liquidation + open = change of equity; funding
that a venue's account showed when its trade had closed (`late_funding_usd`) is part of it.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd

from crupto_nautilus.reports import figures
from crupto_nautilus.reports.benchmark import benchmark_figures, buy_and_hold
from crupto_nautilus.reports.facts import RunFacts
from crupto_nautilus.reports.figures import Floats, Ints
from crupto_nautilus.reports.ledger import Ledger, Position, rebuild, rows_of
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.shadows import shadow_figures
from crupto_nautilus.reports.verdict import judge
from risk.liquidation import LIQUIDATION
from risk.vocabulary import DAY_NS

SUMMARY_VERSION = 1
_MONEY = ("gross_usd", "fees_usd", "slippage_usd", "funding_usd", "liquidation_usd", "net_usd")


def floats(frame: pd.DataFrame, column: str) -> Floats:
    """Return a column as a float64 array."""
    return cast(Floats, frame[column].to_numpy(dtype=np.float64))


def ints(frame: pd.DataFrame, column: str) -> Ints:
    """Return a column as an int64 array."""
    return cast(Ints, frame[column].to_numpy(dtype=np.int64))


def summarise(folder: RunFolder) -> dict[str, Any]:
    """Return the whole summary of a run."""
    facts, trades = folder.facts, folder.table("trades")
    ledger = rebuild(folder)
    whole = _whole(folder, ledger)
    groups = _Groups(folder, ledger)
    interval = {key: whole[key] for key in ("mean_r_low", "mean_r_high")}
    verdict = judge(
        len(trades),
        gross_usd=float(floats(trades, "gross_usd").sum()),
        net_usd=float(floats(trades, "net_usd").sum()),
        costs=facts.costs,
        **interval,
    )
    strategies = sorted({*facts.strategies, *trades["strategy"], *folder.table("signals")["strategy"]})
    instruments = sorted({i.instrument for i in facts.instruments} | {*trades["instrument"]})
    return {
        "version": SUMMARY_VERSION,
        "run_id": facts.run_id,
        "mode": facts.mode,
        "costs": facts.costs,
        "comparable": facts.costs == "on",
        "data_labels": sorted({i.label for i in facts.instruments}),
        "verdict": verdict._asdict(),
        "start_ns": facts.start_ns,
        "end_ns": facts.end_ns,
        "days": (facts.end_ns - facts.start_ns) / DAY_NS,
        **whole,
        "benchmark": benchmark_figures(folder, buy_and_hold(folder)),
        "strategies": {name: groups.of("strategy", name) for name in strategies},
        "instruments": {name: groups.of("instrument", name) for name in instruments},
        "exits": {name: groups.exits(name) for name in strategies},
        "regimes": {i.instrument: regime_shares(folder, i.instrument) for i in facts.instruments},
        "challengers": shadow_figures(folder),
        "open_positions": [_open_row(position, facts) for position in ledger.open.values()],
    }


def _whole(folder: RunFolder, ledger: Ledger) -> dict[str, Any]:
    facts = folder.facts
    trades, fills, equity = folder.table("trades"), folder.table("fills"), folder.table("equity")
    ts, values = ints(equity, "ts_event"), floats(equity, "equity")
    values = values - facts.unused_equity
    start = facts.capital
    end = float(values[-1]) if len(values) else start
    days = figures.daily_equity(ts, values, facts.start_ns, facts.end_ns, start)
    returns = figures.simple_returns(days)
    curve = np.concatenate(([start], values))
    curve_ts = np.concatenate(([facts.start_ns], ts))
    sampled = bool(len(values))
    closed = {name: float(floats(trades, name).sum()) for name in _MONEY}
    wall = facts.wall_seconds
    return {
        "virtual_asset": facts.virtual_asset,
        "venue_equity_start": facts.starting_equity,
        "equity_start": start,
        "equity_end": end,
        "pnl_usd": end - start,
        "pnl_pct": 100.0 * (end / start - 1.0),
        "closed": closed,
        "open_usd": end - start - closed["net_usd"],
        "late_funding_usd": ledger.late_funding_usd,
        "fees_usd": float(floats(fills, "fee").sum()),
        "slippage_usd": float(floats(fills, "slippage_usd").sum()),
        "funding_usd": float(floats(folder.table("funding"), "amount_usd").sum()),
        "liquidation_usd": float(floats(fills, "liquidation_usd").sum()),
        "liquidations": _liquidations(trades),
        "turnover_usd": float((floats(fills, "quantity") * floats(fills, "price")).sum()),
        "max_drawdown_pct": float(figures.drawdown_pct(curve).min()) if sampled else None,
        "longest_drawdown_days": figures.longest_drawdown_days(curve_ts, curve) if sampled else None,
        "sharpe": figures.sharpe(returns) if sampled else None,
        "sortino": figures.sortino(returns) if sampled else None,
        "volatility_pct": figures.volatility_pct(returns) if sampled else None,
        "best_day_pct": 100.0 * float(returns.max()) if sampled and len(returns) else None,
        "worst_day_pct": 100.0 * float(returns.min()) if sampled and len(returns) else None,
        "monthly_pct": monthly_pct(days, facts) if sampled else {},
        **figures.trade_figures(floats(trades, "net_usd"), floats(trades, "r")),
        **_answers(folder.table("signals"), folder.table("decisions")),
        "exposure_pct": _exposure_pct(trades, list(ledger.open.values()), facts),
        "funding_coverage_pct": funding_coverage_pct(facts),
        "bars_processed": facts.bars_processed,
        "wall_seconds": wall,
        "bars_per_second": facts.bars_processed / wall if wall else None,
        "latency": facts.measured.get("latency"),
        "feed": facts.measured.get("feed"),
        "venue_funding": facts.measured.get("venue_funding"),
    }


class _Groups:
    """Figures of one strategy or one instrument."""

    def __init__(self, folder: RunFolder, ledger: Ledger) -> None:
        self._folder, self._facts = folder, folder.facts
        self._open = list(ledger.open.values())
        self._kinds = exit_kinds(folder)

    def of(self, column: str, name: str) -> dict[str, Any]:
        tables = {
            key: frame[frame[column] == name]
            for key in ("trades", "signals", "decisions", "fills")
            for frame in (self._folder.table(key),)
        }
        trades = tables["trades"]
        held = [position for position in self._open if getattr(position, column) == name]
        figure = (
            self._money(trades)
            | figures.trade_figures(floats(trades, "net_usd"), floats(trades, "r"))
            | self._curve(trades)
            | _answers(tables["signals"], tables["decisions"])
        )
        figure["fills"] = len(tables["fills"])
        figure["maker_share_pct"] = (
            100.0 * float(tables["fills"]["maker"].mean()) if figure["fills"] else None
        )
        figure["exposure_pct"] = _exposure_pct(trades, held, self._facts)
        figure["open_positions"] = len(held)
        figure["verdict"] = judge(
            len(trades),
            gross_usd=figure["gross_usd"],
            net_usd=figure["net_usd"],
            mean_r_low=figure["mean_r_low"],
            mean_r_high=figure["mean_r_high"],
            costs=self._facts.costs,
        )._asdict()
        if column == "instrument":
            figure |= self._instrument(name)
        return figure

    def _instrument(self, name: str) -> dict[str, Any]:
        known = next((i for i in self._facts.instruments if i.instrument == name), None)
        return {
            "label": known.label if known else None,
            "base_minutes": known.base_minutes if known else None,
            "bars_processed": known.bars if known else None,
            "funding_coverage_pct": known.funding_coverage_pct if known else None,
        }

    def _money(self, trades: pd.DataFrame) -> dict[str, Any]:
        money: dict[str, Any] = {name: float(floats(trades, name).sum()) for name in _MONEY}
        money["pnl_usd"] = money["net_usd"]
        money["pnl_pct"] = 100.0 * money["net_usd"] / self._facts.capital
        return money

    def _curve(self, trades: pd.DataFrame) -> dict[str, Any]:
        if not len(trades):
            return {"max_drawdown_pct": None, "sharpe": None, "sortino": None}
        start = self._facts.capital
        order = np.argsort(ints(trades, "ts_event"), kind="stable")
        ts = ints(trades, "ts_event")[order]
        curve = start + np.cumsum(floats(trades, "net_usd")[order])
        days = figures.daily_equity(ts, curve, self._facts.start_ns, self._facts.end_ns, start)
        returns = np.diff(days) / start
        return {
            "max_drawdown_pct": float(figures.drawdown_pct(np.concatenate(([start], curve))).min()),
            "sharpe": figures.sharpe(returns),
            "sortino": figures.sortino(returns),
        }

    def exits(self, strategy: str) -> dict[str, dict[str, Any]]:
        """Return count, PnL and R of each exit reason of a strategy."""
        trades = self._folder.table("trades")
        trades = trades.assign(exit_kind=self._kinds)[trades["strategy"] == strategy]
        result = {}
        for reason in sorted(set(trades["exit_kind"])):
            rows = trades[trades["exit_kind"] == reason]
            net = floats(rows, "net_usd")
            result[reason] = self._money(rows) | {
                "trades": len(rows),
                "share_pct": 100.0 * len(rows) / len(trades),
                "win_rate_pct": 100.0 * float((net > 0).mean()),
                "pnl_r": float(floats(rows, "r").sum()),
                "mean_r": float(floats(rows, "r").mean()),
            }
        return result


def exit_kinds(folder: RunFolder) -> list[str]:
    """Return how each trade ended: the role of its last exit, or why the desk closed it at market."""
    orders = folder.table("orders")
    closing = orders[(orders["role"] == "exit") & (orders["action"] == "submit")]
    reasons = dict(zip(closing["trace_id"], closing["reason"], strict=True))
    trades = folder.table("trades")
    return [
        reasons.get(trace) or kind if kind == "exit" else kind
        for trace, kind in zip(trades["trace_id"], trades["exit_reason"], strict=True)
    ]


def _liquidations(trades: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the positions that the venue took over, oldest first."""
    names = (
        *("trace_id", "ts_event", "strategy", "instrument", "side", "quantity"),
        *("entry_price", "exit_price", "liquidation_usd", "net_usd", "r"),
    )
    rows = rows_of(trades[trades["exit_reason"] == LIQUIDATION])
    return [{name: getattr(row, name) for name in names} for row in rows]


def _answers(signals: pd.DataFrame, decisions: pd.DataFrame) -> dict[str, Any]:
    approved = int(decisions["approved"].sum())
    refused = decisions[~decisions["approved"].astype(bool)]["reason"].value_counts()
    return {
        "signals": len(signals),
        "approved": approved,
        "refused": len(decisions) - approved,
        "refused_by_reason": {str(reason): int(count) for reason, count in refused.items()},
    }


def _exposure_pct(trades: pd.DataFrame, held: list[Position], facts: RunFacts) -> float | None:
    window = facts.end_ns - facts.start_ns
    if window <= 0:
        return None
    opens = np.concatenate((ints(trades, "ts_open"), np.array([p.ts_open for p in held], dtype=np.int64)))
    ends = np.full(len(held), facts.end_ns, dtype=np.int64)
    return 100.0 * figures.covered_ns(opens, np.concatenate((ints(trades, "ts_event"), ends))) / window


def funding_coverage_pct(facts: RunFacts) -> float | None:
    """Return settlements in the data over settlements expected, percent; None if nothing was expected."""
    known = [i for i in facts.instruments if i.funding_expected and i.funding_present is not None]
    expected = sum(i.funding_expected or 0 for i in known)
    present = sum(min(i.funding_present or 0, i.funding_expected or 0) for i in known)
    return 100.0 * present / expected if expected else None


def monthly_pct(days: Floats, facts: RunFacts) -> dict[str, float]:
    """Return the return of each calendar month (`YYYY-MM`), percent; first and last may be partial."""
    first_day = facts.start_ns // DAY_NS
    dates = (first_day + np.arange(len(days) - 1)).astype("datetime64[D]").astype("datetime64[M]")
    last = np.append(np.flatnonzero(dates[1:] != dates[:-1]), len(dates) - 1)
    ends = days[1:][last]
    starts = np.concatenate((days[:1], ends[:-1]))
    return {
        str(month): 100.0 * float(end / start - 1.0)
        for month, start, end in zip(dates[last], starts, ends, strict=True)
    }


def regime_shares(folder: RunFolder, instrument: str) -> dict[str, float]:
    """Return the share of the window that each regime label was in force, percent."""
    facts, frame = folder.facts, folder.table("regimes")
    rows = frame[(frame["instrument"] == instrument) & (frame["ts_event"] < facts.end_ns)]
    window = facts.end_ns - facts.start_ns
    if not len(rows) or window <= 0:
        return {}
    starts = np.maximum(ints(rows, "ts_event"), facts.start_ns)
    lengths = np.diff(np.append(starts, facts.end_ns))
    shares: dict[str, float] = {}
    for label, length in zip(rows["label"].tolist(), lengths.tolist(), strict=True):
        shares[label] = shares.get(label, 0.0) + 100.0 * length / window
    before = 100.0 * float(starts[0] - facts.start_ns) / window
    if before > 0:
        shares["unknown"] = shares.get("unknown", 0.0) + before
    return shares


def _open_row(position: Position, facts: RunFacts) -> dict[str, Any]:
    known = next((i for i in facts.instruments if i.instrument == position.instrument), None)
    last = known.last_close if known else None
    unrealised = None
    if last is not None:
        unrealised = (last - position.average_price) * position.side * position.quantity
    return {
        "trace_id": position.trace_id,
        "strategy": position.strategy,
        "instrument": position.instrument,
        "side": position.side,
        "quantity": position.quantity,
        "average_price": position.average_price,
        "last_price": last,
        "unrealised_usd": unrealised,
        "booked_usd": position.net_usd,
        "ts_open": position.ts_open,
    }
