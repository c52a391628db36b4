"""Feed and liquidity settings of the instruments: `symbols.yaml`.

An instrument finds its settings by its full id, else by its base coin, else it takes the defaults; each
field by itself.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from catalog.symbols import parse_instrument
from catalog.timeframes import parse_timeframe

_COIN = re.compile(r"[A-Z0-9]{1,20}")


def check_key(key: str) -> str:
    """Return a key of a per-instrument table (a base coin or an instrument id), or raise ValueError."""
    if not _COIN.fullmatch(key):
        parse_instrument(key)
    return key


class Overrides(BaseModel):
    """A row of a table that says only what differs; what it leaves out is None and is not written."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


def _checked_timeframes(labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if labels is None:
        return None
    minutes = [parse_timeframe(label) for label in labels]
    if len(set(minutes)) != len(minutes):
        raise ValueError(f"timeframes were {', '.join(labels)}, expected each length once")
    return tuple(label for _, label in sorted(zip(minutes, labels, strict=True)))


class SymbolSettings(BaseModel):
    """What the desk asks of one instrument's feed and market."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    timeframes: tuple[str, ...] = Field(("1m", "5m", "15m", "1h", "4h"), min_length=1)
    poll_interval_seconds: float = Field(5.0, gt=0, le=60)
    backfill_bars: int = Field(150, ge=0, le=5000)
    min_liquidity_usd: float = Field(1_000_000.0, ge=0, le=1e12)  # 24 h quote volume
    max_spread_pct: float = Field(0.15, gt=0, le=5)
    default_spread_bps: float | None = Field(None, ge=0, le=500)  # None: the figure of the instrument table

    _sorted = field_validator("timeframes")(_checked_timeframes)

    @property
    def minutes(self) -> tuple[int, ...]:
        """Return the timeframes in minutes, shortest first."""
        return tuple(parse_timeframe(label) for label in self.timeframes)


class SymbolOverride(Overrides):
    """The fields of one instrument that differ from the defaults."""

    timeframes: tuple[str, ...] | None = Field(None, min_length=1)
    poll_interval_seconds: float | None = Field(None, gt=0, le=60)
    backfill_bars: int | None = Field(None, ge=0, le=5000)
    min_liquidity_usd: float | None = Field(None, ge=0, le=1e12)
    max_spread_pct: float | None = Field(None, gt=0, le=5)
    default_spread_bps: float | None = Field(None, ge=0, le=500)

    _sorted = field_validator("timeframes")(_checked_timeframes)


class SymbolsConfig(BaseModel):
    """Defaults and overrides; `names` are what a live feed trades unless told otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    defaults: SymbolSettings = SymbolSettings()
    symbols: dict[str, SymbolOverride] = Field(default_factory=dict)

    @field_validator("symbols")
    @classmethod
    def _keys(cls, table: dict[str, SymbolOverride]) -> dict[str, SymbolOverride]:
        for key in table:
            check_key(key)
        return table

    @property
    def names(self) -> tuple[str, ...]:
        """Return the keys of the table: base coins or instrument ids."""
        return tuple(self.symbols)

    def source(self, instrument: str, field: str) -> str:
        """Return the key that supplies a field: `symbols.<id or coin>.<field>` or `defaults.<field>`."""
        for key in (instrument, parse_instrument(instrument).base):
            row = self.symbols.get(key)
            if row is not None and getattr(row, field) is not None:
                return f"symbols.{key}.{field}"
        return f"defaults.{field}"

    def settings(self, instrument: str) -> SymbolSettings:
        """Return the settings of an instrument, field by field from its id, its base coin or the defaults."""
        values = self.defaults.model_dump()
        for key in (parse_instrument(instrument).base, instrument):
            row = self.symbols.get(key)
            if row is not None:
                values |= row.model_dump()
        return SymbolSettings(**values)
