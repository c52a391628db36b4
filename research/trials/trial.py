"""One trial: a document screened over the research window, as figures and daily returns.

Guarantees: a trial always comes back, with an error as its result where the screen failed; the same document,
market and windows give the same bits.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from research.costs import Costs
from research.dsl import Document
from research.dsl.vector import Memo
from research.market import MarketArrays
from research.screen import ScreenResult, ScreenSettings, screen
from research.standards.spec import GateSpec
from research.statistics.performance import largest_trade_share, max_drawdown, profit_factor
from research.statistics.sharpe import Floats
from research.trials.sizing import desk_equity, desk_risk_share
from research.trials.windows import Span, Windows, annual_sharpe, daily

SCREENED, CRASHED = "screened", "crashed"

_MEMO_BYTES = 256 * 1024 * 1024  # of a process, for the market it works on
_memos: WeakKeyDictionary[MarketArrays, Memo] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Laboratory:
    """What every trial of a campaign shares; workers get it once."""

    market: MarketArrays
    windows: Windows
    spec: GateSpec
    costs: Costs = field(default_factory=Costs)
    settings: ScreenSettings = field(default_factory=ScreenSettings)

    def screen(
        self,
        documents: Sequence[Document],
        span: Span,
        *,
        cost_multiplier: float = 1.0,
        bar_delay: int = 0,
        memo: Memo | None = None,
    ) -> list[ScreenResult]:
        """Screen documents over a span of days; indicators see what came before it."""
        settings = replace(self.settings, start_ns=span.start_ns, end_ns=span.end_ns, bar_delay=bar_delay)
        costs = replace(self.costs, multiplier=cost_multiplier)
        return screen(documents, self.market, costs, settings, memo=memo)

    def daily(self, result: ScreenResult, span: Span) -> Floats:
        """Return the net returns of a result by day."""
        return daily(result.ts_event, result.net, span)

    def sharpe(self, returns: Floats) -> float:
        """Return the annual Sharpe ratio of daily returns."""
        return annual_sharpe(returns, self.spec)


@dataclass(frozen=True, slots=True)
class Trial:
    """What the screen said about one document."""

    document_hash: str
    status: str
    figures: dict[str, float]
    net: Floats  # daily, empty where the trial crashed
    gross: Floats
    note: str = ""

    @property
    def sharpe(self) -> float:
        """Return the annual Sharpe ratio of the research window, NaN where there is none."""
        return self.figures.get("sharpe", math.nan)

    @property
    def returns_sha256(self) -> str:
        """Return the hash of both columns of returns."""
        return hashlib.sha256(self.net.tobytes() + self.gross.tobytes()).hexdigest()

    def to_body(self) -> dict[str, Any]:
        """Return what the ledger holds of it."""
        return {
            "document_hash": self.document_hash,
            "status": self.status,
            "note": self.note,
            "figures": self.figures,
            "returns_sha256": self.returns_sha256,
        }


def try_batch(laboratory: Laboratory, documents: Sequence[Document]) -> list[Trial]:
    """Screen documents one by one; the work of an executor.

    Columns are kept from batch to batch: half the steps of a candidate are those of another one.
    """
    memo = _memos.setdefault(laboratory.market, Memo(_MEMO_BYTES))
    return [_try(laboratory, document, memo) for document in documents]


def _try(laboratory: Laboratory, document: Document, memo: Memo) -> Trial:
    span = laboratory.windows.research
    try:
        result = laboratory.screen([document], span, memo=memo)[0]
        net, gross = (daily(result.ts_event, values, span) for values in (result.net, result.gross))
        figures = trial_figures(laboratory, result, net, gross, span)
        return Trial(document.document_hash, SCREENED, figures, net, gross)
    except Exception as error:  # noqa: BLE001 - whatever a candidate does to the screen, it was tried and counts
        nothing = np.empty(0)
        note = f"{type(error).__name__}: {error}"[:300]
        return Trial(document.document_hash, CRASHED, {}, nothing, nothing, note)


def trial_figures(
    laboratory: Laboratory, result: ScreenResult, net: Floats, gross: Floats, span: Span
) -> dict[str, float]:
    """Return the figures of a screened document with its daily returns; what cannot be told is NaN."""
    trades, spec = result.trades, laboratory.spec
    share = desk_risk_share(trades, spec.risk)
    folds = np.linspace(0, span.days, spec.windows.folds + 1).astype(int)
    entered = (trades.entry_ts - 1) // 86_400_000_000_000 - span.first
    per_fold = np.histogram(entered, folds)[0]
    return {
        "sharpe": laboratory.sharpe(net),
        "sharpe_gross": laboratory.sharpe(gross),
        "trades": float(len(trades)),
        "trades_per_fold": float(per_fold.min()),
        "profit_factor": profit_factor(trades.net),
        "drawdown": max_drawdown(desk_equity(trades, share)),
        "risk_share": share,
        "exposure": result.metrics.exposure,
        "largest_trade_share": largest_trade_share(trades.net),
        "mean_r": float(trades.r.mean()) if len(trades) else math.nan,
        "net": float(result.net.sum()),
    }
