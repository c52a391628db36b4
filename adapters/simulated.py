"""The simulated venue: one model of fees, priced slippage, leverage and fills for backtest and sandbox.

Guarantees: every taker fill is charged its fee plus the slippage in the order's tag, every maker fill its fee
only, rounded to 8 decimals like the ledger; limits fill only when traded through; highs and lows inside a bar
are walked in the order that is nearer to the open; latency is 0 because bars drive the fills (a latency would
delay each order by a whole bar), its price is in the slippage.  The engine's own margin check is a backstop
only: the desk enforces `leverage_cap` itself, so the account runs at `ACCOUNT_LEVERAGE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from nautilus_trader.execution import DefaultFillModel, FeeModel
from nautilus_trader.model import (
    AccountType,
    CryptoPerpetual,
    Currency,
    InstrumentId,
    LiquiditySide,
    Money,
    OmsType,
    OrderType,
    Price,
    Quantity,
    Symbol,
    Venue,
)

from risk.costs import SLIPPAGE_TAG
from risk.vocabulary import InstrumentRules

USDT = Currency.from_str("USDT")
ACCOUNT_LEVERAGE = Decimal(10)
# Far above any exit: the engine's own limits would deny protective stops too.
ORDER_RATE = "100000/00:00:01"


class DeskFeeModel(FeeModel):
    """Charges fee plus the slippage that the order's tag announces (basis points of the fill's notional)."""

    def __new__(cls, *_args: object) -> DeskFeeModel:
        """Build the engine part without arguments."""
        return super().__new__(cls)

    def __init__(self, rules: Mapping[str, InstrumentRules], charge: bool) -> None:
        super().__init__()
        self._fees = {name: (r.maker_fee, r.taker_fee) for name, r in rules.items()} if charge else {}

    def get_commission(self, order: Any, fill_quantity: Any, fill_px: Any, instrument: Any) -> Money:
        """Return fee plus priced slippage in USDT."""
        fees = self._fees.get(str(instrument.id))
        if fees is None:
            return Money(0.0, USDT)
        notional = fill_quantity.as_double() * fill_px.as_double()
        maker = order.liquidity_side == LiquiditySide.MAKER or (
            order.liquidity_side == LiquiditySide.NO_LIQUIDITY_SIDE and order.order_type == OrderType.LIMIT
        )
        if maker:
            return Money(round(notional * fees[0], 8), USDT)
        fee = round(notional * fees[1], 8)
        slippage = round(notional * slippage_bps_of(order) / 10_000, 8)
        return Money(round(fee + slippage, 8), USDT)


def slippage_bps_of(order: Any) -> float:
    """Return the slippage announced in an order's tags, basis points; 0 if there is none."""
    for tag in order.tags or ():
        if tag.startswith(SLIPPAGE_TAG):
            return float(tag[len(SLIPPAGE_TAG) :])
    return 0.0


def perpetual(rules: InstrumentRules, base: str) -> CryptoPerpetual:
    """Return the engine's instrument: linear, settled in USDT."""
    iid = InstrumentId.from_str(rules.instrument)
    return CryptoPerpetual(
        iid,
        Symbol(str(iid.symbol)),
        Currency.from_str(base),
        USDT,
        USDT,
        False,
        rules.price_digits,
        rules.size_digits,
        Price(rules.tick, rules.price_digits),
        Quantity(rules.step, rules.size_digits),
        0,
        0,
        margin_init=Decimal(1) / 100,
        margin_maint=Decimal(str(rules.maintenance_margin)),
    )


def venue_arguments(venue: Venue, equity: float, fee_model: DeskFeeModel) -> dict[str, Any]:
    """Return the arguments that backtest venue and sandbox share."""
    return {
        "venue": venue,
        "oms_type": OmsType.NETTING,
        "account_type": AccountType.MARGIN,
        "starting_balances": [Money(round(equity, 8), USDT)],
        "base_currency": USDT,
        "default_leverage": ACCOUNT_LEVERAGE,
        "fee_model": fee_model,
        "fill_model": DefaultFillModel(prob_fill_on_limit=0.0, prob_slippage=0.0, random_seed=1),
        "bar_adaptive_high_low_ordering": True,
    }
