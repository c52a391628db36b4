"""Selection as pure rules: enable map, score, cooldowns and rests, per strategy AND instrument.

Guarantees: bars are counted by time in the strategy's timeframe, so gaps count; every block carries the
moment until which it lasts; an unfilled entry starts nothing; state survives `state()` / `load()`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from operator import truediv
from typing import Any

from actors.enable_map import EnableMap
from risk.market import bar_of
from risk.vocabulary import MINUTE_NS, Bar, MandateRow, RefusalReason, RegimeLabel, Trade

RETURN_BARS = 20
VOLATILITY_BARS = 30
TAPE_INSTANTS = 2 * VOLATILITY_BARS  # instants kept: an instrument may miss some
LOSSES_TO_COOL = 2

Key = tuple[str, str]  # strategy, instrument


def heuristic_score(bar_return: float, volatility: float, mean_reverting: bool) -> float:
    """Return abs(return) - 0.5 * volatility, with its sign turned for mean-reverting strategies."""
    score = abs(bar_return) - 0.5 * volatility
    return -score if mean_reverting else score


def trade_score(results_r: Iterable[float]) -> float:
    """Return mean - 0.5 * population standard deviation of net results in R."""
    values = list(results_r)
    mean = sum(values) / len(values)
    return mean - 0.5 * math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))


class CooldownBook:
    """When a strategy may speak again on an instrument.

    After an entry's first fill the signals of `cooldown_bars` bars are refused; after the second loss in a
    row (net R < 0) those of `cooldown_after_2_losses` bars from that close, which serves the count.
    """

    def __init__(self, cooldown_bars: int, cooldown_after_2_losses: int) -> None:
        self._bars, self._loss_bars = cooldown_bars, cooldown_after_2_losses
        self._until: dict[Key, int] = {}
        self._losses: dict[Key, int] = {}

    def entered(self, key: Key, ts: int, minutes: int) -> None:
        """Start the cooldown of an entry at its first fill."""
        self._block(key, ts, self._bars * minutes)

    def closed(self, key: Key, ts: int, minutes: int, r: float) -> bool:
        """Book a closed trade; return whether it started the cooldown after two losses."""
        if r >= 0.0:
            self._losses[key] = 0
            return False
        losses = self._losses.get(key, 0) + 1
        if losses < LOSSES_TO_COOL:
            self._losses[key] = losses
            return False
        self._losses[key] = 0
        self._block(key, ts, self._loss_bars * minutes)
        return True

    def _block(self, key: Key, ts: int, minutes: int) -> None:
        if minutes > 0:
            until = ts + minutes * MINUTE_NS + 1  # the bar that ends exactly there is refused too
            self._until[key] = max(self._until.get(key, 0), until)

    def until_ns(self, key: Key) -> int:
        """Return the first moment at which signals are allowed again (0: never blocked)."""
        return self._until.get(key, 0)

    def state(self) -> dict[str, Any]:
        """Return a JSON-able state."""
        return {
            "until": [[*key, until] for key, until in self._until.items()],
            "losses": [[*key, count] for key, count in self._losses.items()],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over a state."""
        self._until = {(s, i): until for s, i, until in state["until"]}
        self._losses = {(s, i): count for s, i, count in state["losses"]}


class ScoreBook:
    """Results of the last trades and closes per strategy and instrument; rests those below `min_score`."""

    def __init__(self, settings: EnableMap) -> None:
        self._settings = settings
        self._results: dict[Key, deque[float]] = {}
        self._tapes: dict[int, deque[tuple[Bar, ...]]] = {}
        self._rested: dict[Key, int] = {}

    def add_bars(self, bars: Mapping[int, tuple[Bar, ...]]) -> None:
        """Take the bars of an instant; they are looked through when a score is asked for."""
        for minutes, group in bars.items():
            tape = self._tapes.get(minutes)
            if tape is None:
                tape = self._tapes[minutes] = deque(maxlen=TAPE_INSTANTS)
            tape.append(group)

    def _closes(self, instrument: str, minutes: int) -> list[float]:
        """Return the last closes of an instrument, newest last, at most what a score needs."""
        tape = self._tapes.get(minutes, ())
        newest = list(islice(reversed(tape), VOLATILITY_BARS + 1))
        _, slot = bar_of(newest[0], instrument, 0) if newest else (None, 0)
        found = [group[slot][6] for group in newest if slot < len(group) and group[slot][0] == instrument]
        if len(found) == len(newest):  # in the same place in all of them: nearly always
            return found[::-1]
        found = []
        for group in reversed(tape):
            bar, slot = bar_of(group, instrument, slot)
            if bar is not None:
                found.append(bar.close)
            if len(found) > VOLATILITY_BARS:
                break
        return found[::-1]

    def add_trade(self, trade: Trade) -> None:
        """Take a closed trade's net R."""
        key = (trade.strategy, trade.instrument)
        if key not in self._results:
            self._results[key] = deque(maxlen=self._settings.score_trades)
        self._results[key].append(trade.r)

    def score(self, key: Key, minutes: int, mean_reverting: bool) -> float | None:
        """Return the score, from trades where there are enough, else from closes; None if neither."""
        results = self._results.get(key)
        if results is not None and len(results) >= self._settings.score_min_trades:
            return trade_score(results)
        prices = self._closes(key[1], minutes)
        if len(prices) <= VOLATILITY_BARS:
            return None
        returns = list(map(math.log, map(truediv, prices[1:], prices)))
        mean = sum(returns) / len(returns)
        volatility = math.sqrt(sum([(r - mean) ** 2 for r in returns]) / len(returns))
        change = prices[-1] / prices[-1 - RETURN_BARS] - 1.0
        return heuristic_score(change, volatility, mean_reverting)

    def rested_until_ns(self, key: Key, ts: int, minutes: int, score: float | None) -> int:
        """Return until when the strategy rests; a score below `min_score` starts `rest_bars`."""
        floor = self._settings.min_score
        until = self._rested.get(key, 0)
        if floor is not None and score is not None and score < floor and ts >= until:
            until = ts + self._settings.rest_bars * minutes * MINUTE_NS + 1
            self._rested[key] = until
        return until

    def state(self) -> dict[str, Any]:
        """Return a JSON-able state (closes are rebuilt by warm-up)."""
        return {
            "results": [[*key, list(values)] for key, values in self._results.items()],
            "rested": [[*key, until] for key, until in self._rested.items()],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over a state."""
        size = self._settings.score_trades
        self._results = {(s, i): deque(values, maxlen=size) for s, i, values in state["results"]}
        self._rested = {(s, i): until for s, i, until in state["rested"]}


class MandateRules:
    """What strategies may do in each regime; asked often, so each pair is read from the enable map once."""

    def __init__(self, enable_map: EnableMap) -> None:
        self._enable_map = enable_map
        self._known: dict[tuple[RegimeLabel, str], MandateRow] = {}

    def row(
        self,
        regime: RegimeLabel,
        strategy: str,
        score: float | None,
        rested_until_ns: int,
        cooldown_until_ns: int,
    ) -> MandateRow:
        """Return what a strategy may do in a regime; score and time blocks are carried, not judged."""
        known = self._known.get((regime, strategy))
        if known is None:
            known = self._known[regime, strategy] = self._judge(regime, strategy)
        return MandateRow(*known[:5], score, rested_until_ns, cooldown_until_ns)

    def _judge(self, regime: RegimeLabel, strategy: str) -> MandateRow:
        if self._enable_map.is_disabled(strategy):
            detail = "listed under disabled in the enable map"
            return MandateRow(strategy, False, (), RefusalReason.STRATEGY_DISABLED, detail)
        if regime is RegimeLabel.UNKNOWN:
            return MandateRow(strategy, False, (), RefusalReason.NOT_WARM, "regime unknown")
        sides = self._enable_map.allowed(regime, strategy)
        if not sides:
            detail = f"the enable map does not allow {strategy} in {regime}"
            return MandateRow(strategy, False, (), RefusalReason.REGIME_OFF, detail)
        return MandateRow(strategy, True, sides)
