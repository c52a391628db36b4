"""Which strategies a regime allows, in which direction, and how selection counts its bars:
`enable_map.yaml`.

Guarantees: values and look-ups only, no file is read here; the model is frozen; a regime that is not
named allows nothing, and neither does an unknown one.  Challengers stand apart: no look-up of a champion
ever returns one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from risk.vocabulary import LONG, SHORT, RegimeLabel

SideName = Literal["long", "short"]
_NAME = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"

RegimeTable = dict[RegimeLabel, dict[str, tuple[SideName, ...]]]


class Challenger(BaseModel):
    """A strategy that research wants to see in shadow: it passes the whole chain but trades no money."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    strategy: str = Field(pattern=_NAME)
    ledger_id: str = Field("", max_length=128)  # entry of the research ledger that proves its gates
    regimes: dict[RegimeLabel, tuple[SideName, ...]] = Field(min_length=1)

    @field_validator("regimes")
    @classmethod
    def _sides_once(
        cls, table: dict[RegimeLabel, tuple[SideName, ...]]
    ) -> dict[RegimeLabel, tuple[SideName, ...]]:
        for label, sides in table.items():
            _check(label, "", sides)
        return table


class EnableMap(BaseModel):
    """Selection rules; every count is in bars of the strategy's timeframe, hysteresis in 1h bars."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_bars_hold: int = Field(3, ge=1, le=100)
    panic_min_bars: int = Field(6, ge=0, le=500)
    cooldown_bars: int = Field(3, ge=0, le=1000)
    cooldown_after_2_losses: int = Field(12, ge=0, le=1000)
    min_score: float | None = Field(None, ge=-100, le=100)  # R; None: no strategy is ever rested
    rest_bars: int = Field(12, ge=1, le=1000)
    score_trades: int = Field(20, ge=1, le=1000)
    score_min_trades: int = Field(5, ge=1, le=1000)
    regimes: RegimeTable = Field(min_length=1)
    challengers: tuple[Challenger, ...] = ()
    disabled: tuple[str, ...] = ()

    _champions: dict[tuple[str, str], tuple[int, ...]] = PrivateAttr(default_factory=dict)
    _shadows: dict[tuple[str, str], tuple[int, ...]] = PrivateAttr(default_factory=dict)

    @field_validator("regimes")
    @classmethod
    def _sides_once(cls, table: RegimeTable) -> RegimeTable:
        for label, rows in table.items():
            for name, sides in rows.items():
                _check(label, f".{name}", sides)
        return table

    @model_validator(mode="after")
    def _consistent(self) -> EnableMap:
        if self.score_min_trades > self.score_trades:
            raise ValueError(
                f"score_min_trades was {self.score_min_trades}, "
                f"expected at most score_trades ({self.score_trades})"
            )
        for what, names in (
            ("disabled", list(self.disabled)),
            ("challengers", [c.strategy for c in self.challengers]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} names {', '.join(twice)} twice, expected each strategy once")
        both = sorted(set(self.strategies) & {c.strategy for c in self.challengers})
        if both:
            raise ValueError(
                f"{', '.join(both)} was allowed under regimes and is a challenger, expected one of them"
            )
        return self

    def model_post_init(self, context: object, /) -> None:
        """Build the look-up tables once; decisions read these, not the nested lists."""
        for label, rows in self.regimes.items():
            for name, sides in rows.items():
                self._champions[label.value, name] = _signs(sides)
        for challenger in self.challengers:
            for label, sides in challenger.regimes.items():
                self._shadows[label.value, challenger.strategy] = _signs(sides)

    @property
    def strategies(self) -> tuple[str, ...]:
        """Return every strategy some regime allows, in order of first appearance."""
        return tuple(dict.fromkeys(name for rows in self.regimes.values() for name in rows))

    def allowed(self, regime: RegimeLabel, strategy: str) -> tuple[int, ...]:
        """Return the sides (+1, -1) a champion may take in a regime; `disabled` is not applied."""
        return self._champions.get((regime.value, strategy), ())

    def challenger_allowed(self, regime: RegimeLabel, strategy: str) -> tuple[int, ...]:
        """Return the sides a challenger may take in shadow."""
        return self._shadows.get((regime.value, strategy), ())

    def is_disabled(self, strategy: str) -> bool:
        """Tell whether an operator switched the strategy off."""
        return strategy in self.disabled

    def check_strategies(self, known: Collection[str]) -> None:
        """Refuse names that no registered strategy has; challengers come from research and are checked there.

        Raises
        ------
        UnknownStrategy
            For the first name under `regimes` or `disabled` that is not in `known`.
        """
        for label, rows in self.regimes.items():
            for name in rows:
                _require(name, known, f"regimes.{label.value}.{name}")
        for position, name in enumerate(self.disabled):
            shadows = [challenger.strategy for challenger in self.challengers]
            _require(name, [*known, *shadows], f"disabled.{position}")


class UnknownStrategy(ValueError):
    """The enable map names a strategy that does not exist."""

    def __init__(self, key: str, name: str, known: Iterable[str]) -> None:
        self.key = key
        self.message = f"there is no strategy {name!r}"
        self.found = repr(name)
        self.expected = "one of " + ", ".join(known)
        near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
        self.remedy = f"write {near[0]}" if near else "name a strategy of the registry"
        super().__init__(f"{key}: {self.message}, expected {self.expected}")


def _require(name: str, known: Collection[str], key: str) -> None:
    if name not in known:
        raise UnknownStrategy(key, name, list(known))


def _check(label: RegimeLabel, name: str, sides: tuple[SideName, ...]) -> None:
    if label is RegimeLabel.UNKNOWN:
        raise ValueError("unknown was listed, expected a known regime: nothing is traded before it is known")
    if not sides or len(set(sides)) != len(sides):
        raise ValueError(
            f"{label.value}{name} was {list(sides)}, expected long, short or both, each once "
            "(leave the strategy out to forbid it)"
        )


def _signs(sides: tuple[SideName, ...]) -> tuple[int, ...]:
    return tuple(LONG if side == "long" else SHORT for side in sides)
