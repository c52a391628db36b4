"""How the table of contracts meets the data: the rules one instrument is traded by, and where they come
from.

The table wins, except where the data is finer: a price that cannot be written in the table's tick could
not be traded in a backtest, so its digits widen the tick.  The step stays the venue's (a finer volume in
the data does not make an order divisible).  A coin that is not in the table gets a row derived from its
data, and the provenance says so.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from catalog.symbols import parse_instrument
from crupto_nautilus.config.instrument_table import InstrumentDefaults, InstrumentRow
from crupto_nautilus.config.load import DeskConfig
from risk.vocabulary import InstrumentRules


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
