"""RegimeActor: names the market regime of each instrument from its closed 1h bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from actors.agent import DeskAgent
from actors.regimes import RegimeClassifier
from actors.toolbox import ToolFailure
from risk.vocabulary import Bar, Instant, Regime, RegimeLabel
from strategies import bus
from strategies.columns import apart
from strategies.guarded import guarded

REGIME_MINUTES = 60


class RegimeActor(DeskAgent):
    """Feeds one classifier per instrument and publishes every change of label."""

    agent: ClassVar[str] = "regime"

    def setup(self, classifiers: dict[str, RegimeClassifier]) -> RegimeActor:
        """Hand over the classifiers by instrument (the tools of this agent work on the same ones)."""
        self.classifiers = classifiers
        self._labels: dict[str, RegimeLabel] = dict.fromkeys(classifiers, RegimeLabel.UNKNOWN)
        self._topics = {name: bus.regime(name) for name in classifiers}
        return self

    def on_start(self) -> None:
        """Subscribe to instants."""
        self.hear(bus.INSTANT, self.on_instant, bus.REGIME_PRIORITY)

    @guarded
    def on_instant(self, instant: Instant) -> None:
        """Classify the instruments whose 1h bar closed now."""
        bars = instant.bars.get(REGIME_MINUTES)
        if bars:
            for group in apart(bars):
                self._classify(group)

    def _classify(self, bars: tuple[Bar, ...]) -> None:
        try:
            features = self.use("calc_features", bars)
            changes: Iterable[Regime] = self.use("classify_regime", features, self._labels)
        except ToolFailure as failure:
            self.log.error(str(failure.args[0]))  # the call is published; labels stay as they were
            return
        for regime in changes:
            self._labels[regime.instrument] = regime.label
            self.publish_message(self._topics[regime.instrument], regime)
