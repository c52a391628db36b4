"""What a venue demands of an order on one instrument: the committed table and how it meets the data.

The table wins, except where the data is finer: a price that cannot be written in the table's tick could
not be traded in a backtest, so its digits widen the tick.  The step stays the venue's (a finer volume in
the data does not make an order divisible).  A coin that is not in the table gets a row derived from its
data, and the provenance says so.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from catalog.symbols import parse_instrument
from crupto_nautilus.config.symbols import Overrides, check_key
from risk.vocabulary import InstrumentRules

if TYPE_CHECKING:
    from crupto_nautilus.config.load import DeskConfig


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


class ResolvedRules(NamedTuple):
    """The rules of an instrument and where each group of figures comes from."""

    rules: InstrumentRules
    provenance: dict[str, str]


def digits_of(size: float) -> int:
    """Return the decimals needed to write a tick or a step: 2 for 0.01, 0 for 1 and 10."""
    exponent = Decimal(repr(size)).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def resolve_instrument(
    instrument: str, price_digits: int | None, size_digits: int | None, config: DeskConfig
) -> ResolvedRules:
    """Return the rules of an instrument together with their provenance (tick, step, costs, liquidity).

    Parameters
    ----------
    instrument : str
        Full id, such as `BTCUSDT-PERP.BINANCE`.
    price_digits, size_digits : int or None
        Decimals found in the data; None where there is no data yet (then the coin must be in the table).
    config : DeskConfig
        The loaded configuration.

    Raises
    ------
    ValueError
        The coin is not in the table and there is no data to derive a row from.
    """
    table, symbol = config.instruments, config.symbols.settings(instrument)
    coin = parse_instrument(instrument).base
    key = instrument if instrument in table.instruments else coin
    row = table.instruments.get(key)
    if row is None:
        if price_digits is None or size_digits is None:
            raise ValueError(
                f"{instrument} is not in instruments.yaml and has no data to derive its rules from"
            )
        row = InstrumentRow(
            tick=float(Decimal(1).scaleb(-price_digits)),
            step=float(Decimal(1).scaleb(-size_digits)),
            min_quantity=float(Decimal(1).scaleb(-size_digits)),
            source="assumed",
        )
        origin = f"derived: {coin} is not in instruments.yaml; tick and step are the digits of the data"
    else:
        origin = f"instruments.yaml: {key} ({row.source}, {table.as_of})"
    provenance = dict.fromkeys(("tick", "step", "costs"), origin)
    if price_digits is not None and price_digits > digits_of(row.tick):
        provenance["tick"] = f"data: {price_digits} decimals, finer than the table's {digits_of(row.tick)}"
    table_price, table_size = digits_of(row.tick), digits_of(row.step)
    price = max(table_price, price_digits or 0)
    costs = table.defaults.model_dump() | row.model_dump(include=set(InstrumentDefaults.model_fields))
    spread = symbol.default_spread_bps
    if spread is not None:
        costs["default_spread_bps"] = spread
    provenance["liquidity"] = f"symbols.yaml: {config.symbols.source(instrument, 'min_liquidity_usd')}"
    rules = InstrumentRules(
        instrument=instrument,
        price_digits=price,
        size_digits=max(table_size, size_digits or 0),
        tick=row.tick if price == table_price else float(Decimal(1).scaleb(-price)),
        step=row.step,
        min_quantity=row.min_quantity,
        min_liquidity_usd=symbol.min_liquidity_usd,
        max_spread_pct=symbol.max_spread_pct,
        **costs,
    )
    return ResolvedRules(rules, provenance)


def instrument_rules(
    instrument: str, price_digits: int | None, size_digits: int | None, config: DeskConfig
) -> InstrumentRules:
    """Return the rules of an instrument (see `resolve_instrument` for where they come from)."""
    return resolve_instrument(instrument, price_digits, size_digits, config).rules
