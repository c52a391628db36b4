"""What each strategy was waiting for in a span of time: which entry condition failed, how often, by how much.

Guarantees: rules are fed the history of the run's own catalog from its first bar, so they stand where the
desk's rules stood; regimes, sides and refusals come from the run's record and its own settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from catalog.errors import CatalogError
from crupto_nautilus.cli.rules import history
from crupto_nautilus.errors import UsageError
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import side_name
from strategies import batch, registry
from strategies.registry import RegistryError
from strategies.rule import Condition


@dataclass(slots=True)
class ConditionSpan:
    """One entry condition over a span; `nearest` is the bar on which it was unmet by the least."""

    name: str
    side: int  # +1 or -1 where it belongs to one direction
    bars: int = 0
    met: int = 0
    nearest: Condition | None = None
    nearest_ns: int = 0

    def add(self, condition: Condition, ts: int) -> None:
        """Take one bar."""
        self.bars += 1
        if condition.met:
            self.met += 1
        elif self.nearest is None or condition.distance < self.nearest.distance:
            self.nearest, self.nearest_ns = condition, ts


@dataclass(slots=True)
class StrategySpan:
    """One strategy on one instrument over a span."""

    strategy: str
    instrument: str
    problem: str = ""  # why nothing can be said, or what the rule lacked
    bars: int = 0
    warm: int = 0
    setups: int = 0
    allowed_bars: dict[int, int] = field(default_factory=dict)  # by side: bars whose regime allowed it
    conditions: list[ConditionSpan] = field(default_factory=list)
    closest_unmet: int | None = None  # conditions that failed on the bar that came closest
    closest_side: int = 0
    closest_ns: int = 0
    closest: tuple[Condition, ...] = ()

    @property
    def text(self) -> str:
        """The answer in one sentence."""
        if self.problem and not self.warm:
            return self.problem
        if self.setups:
            return f"{self.setups} of {self.bars} bars made a setup"
        if not self.bars:
            return "no bar of its timeframe closed in the span"
        if self.closest_unmet is None:
            return "its rule names no conditions"
        failed = "; ".join(
            f"{c.name} {c.value:.6g} against {c.threshold:.6g}, missing {c.distance:.4g}"
            for c in self.closest
        )
        return f"no setup on {self.bars} bars; the closest {side_name(self.closest_side)}: {failed}"


def waiting(
    folder: RunFolder, instruments: list[str], start_ns: int, end_ns: int, catalog_dir: Path
) -> list[StrategySpan]:
    """Return what each strategy of a run was waiting for on each instrument in (`start_ns`, `end_ns`]."""
    return [
        _span(folder, name, instrument, start_ns, end_ns, catalog_dir)
        for instrument in instruments
        for name in folder.facts.strategies
    ]


def _span(
    folder: RunFolder, strategy: str, instrument: str, start_ns: int, end_ns: int, catalog_dir: Path
) -> StrategySpan:
    found = StrategySpan(strategy, instrument)
    try:
        spec = registry.get(strategy)
        fed = history(catalog_dir, strategy, instrument, None, end_ns)
    except (UsageError, CatalogError, RegistryError) as error:
        found.problem = error.message
        return found
    rule = spec.rule()
    labels = _Labels(folder, instrument)
    spans: dict[tuple[str, int], ConditionSpan] = {}
    for bar, setup in batch.replay(rule, fed.instrument, fed.bars, fed.funding, fed.references):
        if bar.ts_event <= start_ns:
            continue
        found.bars += 1
        found.setups += setup is not None
        for side in labels.allowed(strategy, bar.ts_event):
            found.allowed_bars[side] = found.allowed_bars.get(side, 0) + 1
        conditions = rule.waiting()
        if not conditions:
            found.problem = rule.missing() or "no closed bar yet"
            continue
        found.warm += 1
        for condition in conditions:
            key = condition.name, condition.side
            spans.setdefault(key, ConditionSpan(*key)).add(condition, bar.ts_event)
        _closest(found, conditions, bar.ts_event)
    found.conditions = list(spans.values())
    return found


def _closest(found: StrategySpan, conditions: tuple[Condition, ...], ts: int) -> None:
    """Remember the bar and direction on which the fewest conditions failed, the latest of equals."""
    for side in (1, -1):
        unmet = tuple(c for c in conditions if not c.met and c.side in (0, side))
        if found.closest_unmet is None or len(unmet) <= found.closest_unmet:
            found.closest_unmet, found.closest_side = len(unmet), side
            found.closest_ns, found.closest = ts, unmet


class _Labels:
    """The regime of an instrument at each moment, and what the run's own enable map allowed in it."""

    def __init__(self, folder: RunFolder, instrument: str) -> None:
        frame = folder.table("regimes")
        rows: pd.DataFrame = frame[frame["instrument"] == instrument]
        self._rows = list(zip(rows["ts_event"].tolist(), rows["label"].tolist(), strict=True))
        self._next, self._label = 0, "unknown"
        self._map = folder.facts.config.get("enable_map", {}).get("regimes", {})

    def allowed(self, strategy: str, ts: int) -> Iterator[int]:
        """Yield the sides allowed at `ts`; ask in time order."""
        while self._next < len(self._rows) and self._rows[self._next][0] <= ts:
            self._label = self._rows[self._next][1]
            self._next += 1
        for name in self._map.get(self._label, {}).get(strategy, ()):
            yield 1 if name == "long" else -1
