"""The simulated venue: one model of fees, priced slippage, leverage and fills for backtest and sandbox.

Guarantees: every taker fill is charged its fee plus the slippage in the order's tag, every maker fill its fee
only, rounded to 8 decimals like the ledger; an exit at or beyond the liquidation price in its tag costs the
isolated margin and the taker fee, whatever the price was (the engine does not liquidate on bars, so the
commission carries the difference and may be negative); limits fill only when traded through; highs and lows
inside a bar are walked in the order that is nearer to the open; latency is 0 because bars drive the fills (a
latency would delay each order by a whole bar), its price is in the slippage.  The engine's own margin check
is a backstop only: the desk enforces `leverage_cap` itself, so the account runs at `ACCOUNT_LEVERAGE`.
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
    OrderSide,
    OrderType,
    Price,
    Quantity,
    Symbol,
    Venue,
)

from risk.costs import RESTORE_TAG, SLIPPAGE_TAG
from risk.liquidation import TAKEOVER_TAG, Takeover, takeover_of
from risk.vocabulary import InstrumentRules

USDT = Currency.from_str("USDT")
ACCOUNT_LEVERAGE = Decimal(10)
# Far above any exit: the engine's own limits would deny protective stops too.
ORDER_RATE = "100000/00:00:01"


class DeskFeeModel(FeeModel):
    """Charges fee plus the slippage that the order's tag announces (basis points of the fill's notional).

    Parameters
    ----------
    rules : Mapping[str, InstrumentRules]
        Fees by instrument id.
    charge : bool
        False: neither fee nor slippage; liquidations are settled all the same, they are no cost of trading.

    """

    def __new__(cls, *_args: object) -> DeskFeeModel:
        """Build the engine part without arguments."""
        return super().__new__(cls)

    def __init__(self, rules: Mapping[str, InstrumentRules], charge: bool) -> None:
        super().__init__()
        self._charge = charge
        self._fees = {n: (r.maker_fee, r.taker_fee) if charge else (0.0, 0.0) for n, r in rules.items()}

    def get_commission(self, order: Any, fill_quantity: Any, fill_px: Any, instrument: Any) -> Money:
        """Return fee plus priced slippage in USDT; less what the venue bears of a liquidation."""
        fees = self._fees.get(str(instrument.id))
        if fees is None:
            return Money(0.0, USDT)
        if order.tags and RESTORE_TAG in order.tags:
            return Money(0.0, USDT)  # the position was paid for when it was opened
        quantity, price = fill_quantity.as_double(), fill_px.as_double()
        maker = order.liquidity_side == LiquiditySide.MAKER or (
            order.liquidity_side == LiquiditySide.NO_LIQUIDITY_SIDE and order.order_type == OrderType.LIMIT
        )
        if maker:
            return Money(round(quantity * price * fees[0], 8), USDT)
        slippage_bps, takeover = tags_of(order)
        if takeover is not None:
            taken = takeover.settle(price, quantity, fees[1])
            if taken is not None:
                return Money(round(taken.fee_usd - taken.borne_usd, 8), USDT)
        fee = round(quantity * price * fees[1], 8)
        slippage = round(quantity * price * slippage_bps / 10_000, 8) if self._charge else 0.0
        return Money(round(fee + slippage, 8), USDT)


def tags_of(order: Any) -> tuple[float, Takeover | None]:
    """Return what an order's tags announce: slippage in basis points (0: none), where it is taken over."""
    slippage_bps, takeover = 0.0, None
    for tag in order.tags or ():
        if tag.startswith(SLIPPAGE_TAG):
            slippage_bps = float(tag[len(SLIPPAGE_TAG) :])
        elif tag.startswith(TAKEOVER_TAG):
            takeover = takeover_of(tag, 1 if order.side == OrderSide.SELL else -1)
    return slippage_bps, takeover


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
