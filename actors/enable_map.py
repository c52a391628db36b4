"""Which strategies a regime allows, in which direction, and how selection counts its bars:
`enable_map.yaml`.

Guarantees: values and look-ups only, no file is read here; the model is frozen; a regime that is not
named allows nothing, and neither does an unknown one.  Challengers stand apart: no look-up of a champion
ever returns one; only `with_canaries` lets those on probation in, each with its share of the risk.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from risk.vocabulary import LONG, SHORT, RegimeLabel

SideName = Literal["long", "short"]
_NAME = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"
_ID = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"  # a file name

RegimeTable = dict[RegimeLabel, dict[str, tuple[SideName, ...]]]


class Challenger(BaseModel):
    """A strategy on trial: in `shadow` it has a book of its own, as a `canary` a share of the risk.

    It is a registered strategy (`strategy`) or a research document (`document`, its path, and the hash of
    its canonical form).  A shadow passes the whole chain beside the desk and never sends an order; a canary
    is traded and counted like a champion, with its risk budget multiplied by `risk_share`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = Field("", pattern=_ID, max_length=64)  # names its tables; left out: the name of the strategy
    strategy: str | None = Field(None, pattern=_NAME)
    document: str | None = Field(None, min_length=1, max_length=500)
    document_hash: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    ledger_head: str = Field("", max_length=128)  # head of the research ledger that proves its gates
    risk_share: float = Field(0.0, ge=0.0, le=1.0)
    stage: Literal["shadow", "canary"] = "shadow"
    regimes: dict[RegimeLabel, tuple[SideName, ...]] = Field(min_length=1)

    def model_post_init(self, context: object, /) -> None:
        """Name a registered strategy that was given no id of its own."""
        if not self.id and self.strategy:
            object.__setattr__(self, "id", self.strategy)

    @model_validator(mode="after")
    def _one_source(self) -> Challenger:
        if (self.strategy is None) == (self.document is None):
            both = "both" if self.strategy is not None else "neither"
            raise ValueError(f"{both} of strategy and document was given, expected one of them")
        if self.document is not None and not self.document_hash:
            raise ValueError(
                "document_hash was missing, expected the sha256 of the document's canonical form"
            )
        if not self.id:
            raise ValueError("id was missing, expected a name for the challenger that is a document")
        if self.stage == "canary" and not 0.0 < self.risk_share < 1.0:
            raise ValueError(
                f"risk_share of a canary was {self.risk_share:g}, expected a fraction between 0 and 1"
            )
        return self

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
            ("challengers", [c.id for c in self.challengers]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} names {', '.join(twice)} twice, expected each strategy once")
        both = sorted(
            set(self.strategies)
            & {c.strategy for c in self.challengers if c.stage == "canary" and c.strategy}
        )
        if both:
            raise ValueError(
                f"{', '.join(both)} was allowed under regimes and is a canary, expected one of them: "
                "one desk trades a strategy once"
            )
        return self

    def model_post_init(self, context: object, /) -> None:
        """Build the look-up tables once; decisions read these, not the nested lists."""
        for label, rows in self.regimes.items():
            for name, sides in rows.items():
                self._champions[label.value, name] = _signs(sides)

    @property
    def strategies(self) -> tuple[str, ...]:
        """Return every strategy some regime allows, in order of first appearance."""
        return tuple(dict.fromkeys(name for rows in self.regimes.values() for name in rows))

    def allowed(self, regime: RegimeLabel, strategy: str) -> tuple[int, ...]:
        """Return the sides (+1, -1) a champion may take in a regime; `disabled` is not applied."""
        return self._champions.get((regime.value, strategy), ())

    @property
    def shadows(self) -> tuple[Challenger, ...]:
        """The challengers that trade in a book of their own."""
        return tuple(c for c in self.challengers if c.stage == "shadow")

    @property
    def canaries(self) -> tuple[Challenger, ...]:
        """The challengers that trade with a share of the risk."""
        return tuple(c for c in self.challengers if c.stage == "canary")

    def only(self, challenger: Challenger, strategy: str) -> EnableMap:
        """Return the map of a desk that trades nothing but one challenger, known to it as `strategy`."""
        regimes = {label: {strategy: sides} for label, sides in challenger.regimes.items()}
        return self._changed(regimes=regimes, challengers=(), disabled=self._kept(strategy, challenger))

    def with_canaries(self, names: Mapping[str, str]) -> EnableMap:
        """Return the map with the canaries among the champions; `names` are their strategies by id."""
        regimes = {label: dict(rows) for label, rows in self.regimes.items()}
        for canary in self.canaries:
            for label, sides in canary.regimes.items():
                regimes.setdefault(label, {})[names[canary.id]] = sides
        off = [names[canary.id] for canary in self.canaries if canary.id in self.disabled]
        return self._changed(
            regimes=regimes, challengers=self.shadows, disabled=tuple(dict.fromkeys((*self.disabled, *off)))
        )

    def with_challengers(self, challengers: tuple[Challenger, ...]) -> EnableMap:
        """Return the map with these challengers instead of its own; ValueError if they contradict it."""
        return self._changed(challengers=challengers)

    def _kept(self, strategy: str, challenger: Challenger) -> tuple[str, ...]:
        return (strategy,) if {strategy, challenger.id} & set(self.disabled) else ()

    def _changed(self, **values: object) -> EnableMap:
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**(fields | values))

    def is_disabled(self, strategy: str) -> bool:
        """Tell whether an operator switched the strategy off."""
        return strategy in self.disabled

    def check_strategies(self, known: Collection[str]) -> None:
        """Refuse names that no registered strategy has; documents are resolved where the desk is planned.

        Raises
        ------
        UnknownStrategy
            For the first name under `regimes`, `disabled` or `challengers` that is not in `known`.
        """
        for label, rows in self.regimes.items():
            for name in rows:
                _require(name, known, f"regimes.{label.value}.{name}")
        for position, name in enumerate(self.disabled):
            trials = [challenger.id for challenger in self.challengers]
            _require(name, [*known, *trials], f"disabled.{position}")
        for position, challenger in enumerate(self.challengers):
            if challenger.strategy is not None:
                _require(challenger.strategy, known, f"challengers.{position}.strategy")


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
