"""What the desk would have risked on a candidate: its trades as equity of the desk."""

from __future__ import annotations

import numpy as np

from research.standards.spec import Risk
from research.statistics.sharpe import Floats
from research.trades import Trades


def peak_concurrency(trades: Trades) -> int:
    """Return how many trades were open at once at most; a trade that opens as another closes counts."""
    moments = np.concatenate((trades.entry_ts, trades.exit_ts))
    steps = np.concatenate((np.ones(len(trades), np.int64), -np.ones(len(trades), np.int64)))
    order = np.lexsort((-steps, moments))
    return int(np.cumsum(steps[order]).max()) if len(trades) else 0


def desk_risk_share(trades: Trades, risk: Risk) -> float:
    """Return the share of equity a trade would risk as a champion.

    The desk's risk a trade, lowered where the candidate holds so many positions at once that their sum would
    pass the desk's cap of open risk.
    """
    together = max(1, peak_concurrency(trades))
    return min(risk.per_trade_pct, risk.open_risk_cap_pct / together) / 100.0


def r_in_exit_order(trades: Trades) -> Floats:
    """Return the results in R in the order in which they were realised."""
    return trades.r[np.argsort(trades.exit_ts, kind="stable")]


def desk_equity(trades: Trades, share: float) -> Floats:
    """Return equity after each closed trade, from 1, when each risks `share` of the equity of its moment."""
    growth = np.maximum(1.0 + share * r_in_exit_order(trades), 0.0)
    return np.concatenate(([1.0], np.cumprod(growth)))
