"""What a rule or the regime classifier says at each bar: every number, not the signals alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.regimes import RegimeClassifier
from strategies.batch import replay
from strategies.registry import get
from strategies.rule import Rule
from tests.fakes.histories import History, synthetic_bars, synthetic_funding_history

NAME = "BTCUSDT-PERP.BINANCE"


def everything_said(rule: Rule, history: History) -> list[Any]:
    """Setup, conditions, ATR, what is missing and the exits due, bar by bar."""
    replayed = replay(rule, NAME, history.bars, history.funding, history.references)
    return [
        (setup, rule.waiting(), rule.atr, rule.missing(), rule.exit_due(1), rule.exit_due(-1))
        for _, setup in replayed
    ]


def rule_subject(name: str) -> Any:
    """A subject of `find_leaks` for a strategy of the registry."""
    return lambda history: everything_said(get(name).rule(), history)


def setup_subject(name: str) -> Any:
    """Side, confidence, stop distance and target of each bar's setup, or None: comparable to an oracle."""

    def subject(history: History) -> list[Any]:
        replayed = replay(get(name).rule(), NAME, history.bars, history.funding, history.references)
        return [
            None
            if setup is None
            else (setup.side, setup.confidence, setup.exits.stop_distance, setup.exits.target_price)
            for _, setup in replayed
        ]

    return subject


def regime_subject(history: History) -> Sequence[Any]:
    """Label in force, the bar's own label and every feature."""
    classifier = RegimeClassifier()
    return [
        (*classifier.update(bar), classifier.daily_volatility, classifier.warm)
        for bar in history.bars.bars(NAME, 60)
    ]


def synthetic_history(name: str, n_bars: int, seed: int) -> History:
    """A random history of the strategy's timeframe, with funding and references where it uses them."""
    rule = get(name).rule
    if rule.uses_funding:
        return synthetic_funding_history(n_bars, seed)
    return History(synthetic_bars(n_bars, rule.minutes, seed))
