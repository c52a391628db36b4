"""Orders and fills as the venue keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from tests.fakes.bingx.contracts import ZERO

# Need an open position and can only close it.
CLOSING_TYPES = frozenset({"STOP_MARKET", "STOP", "TAKE_PROFIT_MARKET", "TAKE_PROFIT", "TRAILING_TP_SL"})
TRAILING_TYPES = frozenset({"TRAILING_STOP_MARKET", "TRAILING_TP_SL"})
TRIGGER_TYPES = CLOSING_TYPES | TRAILING_TYPES | {"TRIGGER_MARKET", "TRIGGER_LIMIT"}
PRICED_TYPES = frozenset({"LIMIT", "STOP", "TAKE_PROFIT", "TRIGGER_LIMIT"})
ORDER_TYPES = TRIGGER_TYPES | {"MARKET", "LIMIT"}

OPEN = frozenset({"NEW", "PENDING", "PARTIALLY_FILLED"})


@dataclass(slots=True)
class Fill:
    """One trade of ours.  `fee` is what was paid (positive), `realised` before fees."""

    trade_id: int
    order_id: int
    symbol: str
    side: str
    position_side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    realised: Decimal
    maker: bool
    time_ms: int
    client_id: str


@dataclass(slots=True)
class Order:
    """One order.  Quantities in base coins; a quantity of 0 with `close_position` closes all there is."""

    id: int
    symbol: str
    side: str
    position_side: str
    type: str
    quantity: Decimal
    price: Decimal
    stop_price: Decimal
    time_in_force: str
    reduce_only: bool
    close_position: bool
    working_type: str
    client_id: str
    leverage: int
    created_ms: int
    updated_ms: int
    status: str = "NEW"
    filled: Decimal = ZERO
    average: Decimal = ZERO
    fee: Decimal = ZERO
    profit: Decimal = ZERO
    trigger_order_id: int = 0  # of the order that was triggered and made this one
    activation_price: Decimal = ZERO
    price_rate: Decimal = ZERO  # trailing distance as a fraction; else `price` is the distance
    extreme: Decimal | None = None  # best price since a trailing order became active
    stop_loss: str = ""
    take_profit: str = ""
    fills: list[Fill] = field(default_factory=list)
    last_cancel_ms: int | None = None

    @property
    def is_buy(self) -> bool:
        return self.side == "BUY"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def waits_for_trigger(self) -> bool:
        return self.is_open and self.type in TRIGGER_TYPES

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def signed(self) -> int:
        """Return the direction in which a fill moves the position: 1 up, -1 down."""
        return 1 if self.is_buy else -1

    @property
    def closes(self) -> bool:
        """Return whether it can only reduce: by its type, by its flag, or by its side in a hedge account."""
        if self.reduce_only or self.close_position or self.type in CLOSING_TYPES:
            return True
        return self.position_side == ("SHORT" if self.is_buy else "LONG")
