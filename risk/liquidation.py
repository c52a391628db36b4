"""Liquidation of an isolated position: from which price on the venue takes it over, and who bears what.

Guarantees: a position that is left at or beyond its liquidation price costs its isolated margin and the taker
fee of the bankruptcy price, not more and not less, wherever the market really traded.  A stop always lies
inside the liquidation price, so this matters only where the price jumps over both.
"""

from __future__ import annotations

from typing import NamedTuple

from risk.positions import liquidation_price, money

LIQUIDATION = "liquidation"
"""Exit reason of such a fill and kind of its alarm."""

# Tag of an exit order that tells the simulated venue where it takes the position over.
TAKEOVER_TAG = "liq_px="
_BANKRUPT = ";bankrupt_px="


class TakenOver(NamedTuple):
    """Money of an exit that the venue took over.

    `borne_usd` is the difference to the loss at the price that traded: positive where the venue bears what
    the margin does not cover, negative where it keeps what the margin had left.
    """

    fee_usd: float
    borne_usd: float


class Takeover(NamedTuple):
    """Where the venue takes a position of one entry price over; `side` is the position's."""

    side: int
    liquidation_price: float
    bankruptcy_price: float

    @property
    def tag(self) -> str:
        """The order tag; the figures read back exactly."""
        return f"{TAKEOVER_TAG}{self.liquidation_price!r}{_BANKRUPT}{self.bankruptcy_price!r}"

    def due(self, price: float) -> bool:
        """Whether an exit that trades at `price` comes too late."""
        return (price - self.liquidation_price) * self.side <= 0.0

    def settle(self, price: float, quantity: float, taker_fee: float) -> TakenOver | None:
        """Return what an exit of `quantity` coins at `price` costs if the venue took it over, else None."""
        if not self.due(price):
            return None
        fee = money(quantity * self.bankruptcy_price * taker_fee)
        return TakenOver(fee, money((self.bankruptcy_price - price) * self.side * quantity))


def bankruptcy_price(side: int, entry_price: float, leverage: float) -> float:
    """Return the price at which the isolated margin (entry notional / leverage) is gone."""
    return entry_price * (1.0 - side / leverage)


def takeover(side: int, entry_price: float, leverage: float, maintenance_margin: float) -> Takeover:
    """Return where an isolated position is taken over."""
    liquidation = liquidation_price(side, entry_price, leverage, maintenance_margin)
    return Takeover(side, liquidation, bankruptcy_price(side, entry_price, leverage))


def takeover_of(tag: str, side: int) -> Takeover:
    """Read the tag of an exit order of a position of `side`; ValueError if it is none."""
    liquidation, mark, bankrupt = tag.removeprefix(TAKEOVER_TAG).partition(_BANKRUPT)
    if not mark:
        raise ValueError(f"tag was {tag!r}, expected {TAKEOVER_TAG}<price>{_BANKRUPT}<price>")
    return Takeover(side, float(liquidation), float(bankrupt))
