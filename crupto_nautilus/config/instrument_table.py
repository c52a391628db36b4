"""The committed table of contracts: tick, step, minimum, fees and margin by base coin or instrument id.

Sizes are powers of ten, since the venue states them as digits; a minimum lies on the step.  Each row
names its source.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from crupto_nautilus.config.symbols import Overrides, check_key


class InstrumentDefaults(BaseModel):
    """Figures of every contract whose row does not differ; fees and margin are fractions of notional."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_notional_usd: float = Field(2.0, ge=0, le=1e6)
    maker_fee: float = Field(0.0002, ge=-0.001, le=0.01)
    taker_fee: float = Field(0.0005, ge=0, le=0.01)
    maintenance_margin: float = Field(0.01, gt=0, lt=0.5)
    default_spread_bps: float = Field(2.0, ge=0, le=500)


class InstrumentRow(Overrides):
    """One contract; `None` takes the default."""

    tick: float = Field(gt=0, le=1e6)
    step: float = Field(gt=0, le=1e9)
    min_quantity: float = Field(gt=0, le=1e12)  # base coins
    source: Literal["documented", "assumed", "venue"]
    min_notional_usd: float | None = Field(None, ge=0, le=1e6)
    maker_fee: float | None = Field(None, ge=-0.001, le=0.01)
    taker_fee: float | None = Field(None, ge=0, le=0.01)
    maintenance_margin: float | None = Field(None, gt=0, lt=0.5)
    default_spread_bps: float | None = Field(None, ge=0, le=500)

    @field_validator("tick", "step")
    @classmethod
    def _power_of_ten(cls, value: float) -> float:
        digits = Decimal(repr(value)).normalize()
        if digits.as_tuple().digits != (1,):
            raise ValueError(
                f"value was {value:g}, expected a power of ten: the venue states it as a number of digits"
            )
        return value

    @model_validator(mode="after")
    def _minimum_on_step(self) -> InstrumentRow:
        if Decimal(repr(self.min_quantity)) % Decimal(repr(self.step)):
            raise ValueError(
                f"min_quantity was {self.min_quantity:g}, expected a multiple of step ({self.step:g})"
            )
        return self


class InstrumentTable(BaseModel):
    """The contracts by base coin or full instrument id."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    as_of: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    defaults: InstrumentDefaults = InstrumentDefaults()
    instruments: dict[str, InstrumentRow]

    @field_validator("instruments")
    @classmethod
    def _keys(cls, table: dict[str, InstrumentRow]) -> dict[str, InstrumentRow]:
        for key in table:
            check_key(key)
        return table
