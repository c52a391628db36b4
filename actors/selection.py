"""SelectionActor: which strategy may trade which side of which instrument, and until when it is blocked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from actors.agent import DeskAgent
from actors.selection_rules import CooldownBook, Key, ScoreBook
from actors.toolbox import ToolFailure
from risk.vocabulary import (
    Fill,
    Instant,
    Mandate,
    MandateRow,
    RefusalReason,
    Regime,
    RegimeLabel,
    Role,
    Trade,
)
from strategies import bus
from strategies.guarded import guarded
from strategies.registry import StrategySpec


class SelectionActor(DeskAgent):
    """Publishes a mandate per instrument whenever one of its parts changes."""

    agent: ClassVar[str] = "selection"

    def setup(
        self,
        specs: Mapping[str, StrategySpec],
        instruments: tuple[str, ...],
        cooldowns: CooldownBook,
        scores: ScoreBook,
        rest_by_score: bool,
    ) -> SelectionActor:
        """Hand over the strategies, instruments and the books this agent's tools work on."""
        self.specs, self.instruments = specs, instruments
        self.cooldowns, self.scores, self._rest_by_score = cooldowns, scores, rest_by_score
        self._regimes: dict[str, RegimeLabel] = dict.fromkeys(instruments, RegimeLabel.UNKNOWN)
        self._entered: set[str] = set()
        self._scores: dict[Key, float | None] = {}
        self._rows: dict[str, dict[str, MandateRow]] = {name: {} for name in instruments}
        self._announced = False
        return self

    def on_start(self) -> None:
        """Subscribe to instants, regimes, fills and trades."""
        self.hear(bus.INSTANT, self.on_instant, bus.SELECTION_PRIORITY)
        self.hear(bus.regime("*"), self.on_regime, bus.SELECTION_PRIORITY)
        self.hear(bus.fill("*"), self.on_fill, bus.SELECTION_PRIORITY)
        self.hear(bus.trade("*"), self.on_trade_closed, bus.SELECTION_PRIORITY)

    @property
    def regimes(self) -> dict[str, RegimeLabel]:
        """The label in force of each instrument."""
        return dict(self._regimes)

    @guarded
    def on_instant(self, instant: Instant) -> None:
        """Keep the closes that scores need; announce every mandate at the first real instant."""
        self.scores.add_bars(instant.bars)
        if instant.warm_only:
            return
        if not self._announced:
            self._announced = True
            for instrument in self.instruments:
                self._announce(instrument, rescore=True)
        elif self._rest_by_score and instant.bars:
            for instrument in sorted({bar.instrument for bars in instant.bars.values() for bar in bars}):
                self._announce(instrument, rescore=True)

    @guarded
    def on_regime(self, regime: Regime) -> None:
        """Take a new label."""
        self._regimes[regime.instrument] = regime.label
        if self._announced:
            self._announce(regime.instrument, rescore=True)

    @guarded
    def on_fill(self, fill: Fill) -> None:
        """Start the cooldown at the first fill of an entry."""
        if fill.role != Role.ENTRY or fill.trace_id in self._entered:
            return
        self._entered.add(fill.trace_id)
        self.use(
            "manage_cooldown",
            "entered",
            (fill.strategy, fill.instrument),
            self.specs[fill.strategy].minutes,
            0.0,
            context=self.context(fill.instrument, fill.trace_id),
        )
        self._announce(fill.instrument, fill.strategy)

    @guarded
    def on_trade_closed(self, trade: Trade) -> None:
        """Book a result: scores and the cooldown after two losses."""
        self._entered.discard(trade.trace_id)
        self.scores.add_trade(trade)
        self.use(
            "manage_cooldown",
            "closed",
            (trade.strategy, trade.instrument),
            self.specs[trade.strategy].minutes,
            trade.r,
            context=self.context(trade.instrument, trade.trace_id),
        )
        self._announce(trade.instrument, trade.strategy, rescore=True)

    def _announce(self, instrument: str, only: str = "", *, rescore: bool = False) -> None:
        """Publish a mandate whose rows (`only` one strategy's, or all) are worked out anew."""
        regime, rows = self._regimes[instrument], self._rows[instrument]
        names = (only,) if only and rows else tuple(self.specs)
        try:
            if rescore:
                for name in names:
                    score = self.use("score_strategy", (name, instrument), self.specs[name])
                    self._scores[name, instrument] = score
            changed: tuple[MandateRow, ...] = self.use(
                "load_enable_map", regime, [self._scored(name, instrument) for name in names]
            )
        except ToolFailure as failure:
            self.log.error(str(failure.args[0]))  # the failed call is published; the last mandate stands
            return
        for row in changed:
            rows[row.strategy] = row
        mandate = Mandate(self.desk_clock.now_ns, instrument, regime, tuple(rows.values()))
        self.publish_message(bus.mandate(instrument), mandate)

    def _scored(self, name: str, instrument: str) -> tuple[str, float | None, int, int]:
        key, ts = (name, instrument), self.desk_clock.now_ns
        score = self._scores.get(key)
        rested = self.scores.rested_until_ns(key, ts, self.specs[name].minutes, score)
        return name, score, rested, self.cooldowns.until_ns(key)

    def saved_state(self) -> dict[str, Any]:
        """Return what must survive a restart."""
        return {
            "cooldowns": self.cooldowns.state(),
            "scores": self.scores.state(),
            "entered": sorted(self._entered),
            "last_scores": [[*key, score] for key, score in self._scores.items()],
            "rows": {name: [_row_state(row) for row in rows.values()] for name, rows in self._rows.items()},
            "announced": self._announced,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what `saved_state` returned and say the mandates in force again."""
        self.cooldowns.load(state["cooldowns"])
        self.scores.load(state["scores"])
        self._entered = set(state["entered"])
        self._scores = {(strategy, name): score for strategy, name, score in state["last_scores"]}
        self._announced = bool(state["announced"])
        for name, rows in state["rows"].items():
            loaded = [_row(values) for values in rows]
            self._rows[name] = {row.strategy: row for row in loaded}
            if loaded:
                mandate = Mandate(self.desk_clock.now_ns, name, self._regimes[name], tuple(loaded))
                self.publish_message(bus.mandate(name), mandate)


def _row_state(row: MandateRow) -> dict[str, Any]:
    return {
        "strategy": row.strategy,
        "allowed": row.allowed,
        "sides": list(row.sides),
        "reason": None if row.reason is None else row.reason.value,
        "detail": row.detail,
        "score": row.score,
        "rested_until_ns": row.rested_until_ns,
        "cooldown_until_ns": row.cooldown_until_ns,
    }


def _row(values: dict[str, Any]) -> MandateRow:
    reason = values["reason"]
    return MandateRow(
        **{
            **values,
            "sides": tuple(values["sides"]),
            "reason": None if reason is None else RefusalReason(reason),
        }
    )
