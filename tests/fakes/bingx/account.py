"""The account: balance, positions, leverage, modes, and where the money went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.fakes.bingx.contracts import ZERO, Contracts
from tests.fakes.bingx.errors import VenueError, invalid

CENT = Decimal("0.00000001")  # money has eight decimals
MARGIN_TYPES = ("ISOLATED", "CROSSED", "SEPARATE_ISOLATED")


@dataclass(slots=True)
class Position:
    """A position; `amount` is signed, above zero when long.  `margin` counts in isolated mode only."""

    id: int
    symbol: str
    side: str  # LONG, SHORT or BOTH
    amount: Decimal = ZERO
    average: Decimal = ZERO
    realised: Decimal = ZERO
    commission: Decimal = ZERO
    funding: Decimal = ZERO
    margin: Decimal = ZERO
    opened_ms: int = 0
    updated_ms: int = 0
    closed_quantity: Decimal = ZERO
    closed_value: Decimal = ZERO

    @property
    def size(self) -> Decimal:
        return abs(self.amount)

    @property
    def shown_side(self) -> str:
        """Return LONG or SHORT, which the venue shows in one-way mode too."""
        return ("LONG" if self.amount >= 0 else "SHORT") if self.side == "BOTH" else self.side

    def unrealised(self, mark: Decimal) -> Decimal:
        return (mark - self.average) * self.amount


@dataclass(frozen=True, slots=True)
class Income:
    """A row of the account's history: what came (+) or went (-)."""

    time_ms: int
    kind: str
    amount: Decimal
    symbol: str
    asset: str
    info: str
    id: int


class Account:
    """One account, cross or isolated a symbol, hedge or one-way."""

    def __init__(
        self,
        asset: str,
        balance: Decimal,
        hedge: bool,
        leverage: int,
        contracts: Contracts,
        mark: Callable[[str], Decimal],
    ) -> None:
        self.asset = asset
        self.balance = balance
        self.hedge = hedge
        self.default_leverage = leverage
        self.realised = ZERO
        self.positions: dict[tuple[str, str], Position] = {}
        self.closed: list[dict[str, Any]] = []
        self.income: list[Income] = []
        self._contracts = contracts
        self._mark = mark
        self._leverage: dict[tuple[str, str], int] = {}
        self._margin_type: dict[str, str] = {}
        self._next_id = 1_735_900_000_000_000_001

    def new_id(self) -> int:
        self._next_id += 7
        return self._next_id

    def leverage(self, symbol: str, side: str = "BOTH") -> int:
        return self._leverage.get((symbol, side), self.default_leverage)

    def set_leverage(self, symbol: str, side: str, leverage: int) -> None:
        """Set the leverage of a symbol (one-way: BOTH) or of one side of it (hedge)."""
        allowed = ("LONG", "SHORT") if self.hedge else ("BOTH",)
        if side not in allowed:
            mode, words = ("Hedge", "LONG or SHORT") if self.hedge else ("One-way", "BOTH")
            raise VenueError(109400, f"In the {mode} mode, the 'Side' field can only be set to {words}.")
        if not 1 <= leverage <= self._contracts.get(symbol).max_leverage:
            raise invalid("leverage")
        for one in allowed if side == "BOTH" else (side,):
            self._leverage[symbol, one] = leverage
        position = self.positions.get((symbol, side))
        if position is not None and self.margin_type(symbol) != "CROSSED":
            position.margin = position.size * position.average / leverage

    def margin_type(self, symbol: str) -> str:
        return self._margin_type.get(symbol, "CROSSED")

    def set_margin_type(self, symbol: str, kind: str) -> None:
        if kind not in MARGIN_TYPES:
            raise invalid("marginType")
        if any(p.amount for p in self.positions.values() if p.symbol == symbol):
            raise VenueError(109401, "The margin mode cannot be switched while there are positions.")
        self._margin_type[symbol] = kind

    def position(self, symbol: str, side: str) -> Position:
        """Return the position of a symbol and side, made if there is none."""
        key = (symbol, side)
        if key not in self.positions:
            self.positions[key] = Position(self.new_id(), symbol, side)
        return self.positions[key]

    def size(self, symbol: str, side: str) -> Decimal:
        held = self.positions.get((symbol, side))
        return held.size if held else ZERO

    def open_positions(self, symbol: str | None = None) -> list[Position]:
        return [p for p in self.positions.values() if p.amount and symbol in (None, "", p.symbol)]

    @property
    def unrealised(self) -> Decimal:
        return sum((p.unrealised(self._mark(p.symbol)) for p in self.open_positions()), ZERO)

    @property
    def equity(self) -> Decimal:
        return self.balance + self.unrealised

    @property
    def used_margin(self) -> Decimal:
        return sum((self.margin_of(p) for p in self.open_positions()), ZERO)

    def margin_of(self, position: Position) -> Decimal:
        """Return the initial margin of a position in the account's asset."""
        if position.margin:
            return position.margin
        return position.size * position.average / self.leverage(position.symbol, position.side)

    def book(self, time_ms: int, kind: str, amount: Decimal, symbol: str, info: str) -> None:
        """Move the balance and write the row."""
        amount = amount.quantize(CENT)
        self.balance += amount
        self.income.append(Income(time_ms, kind, amount, symbol, self.asset, info, self.new_id()))

    def apply(
        self, position: Position, signed: Decimal, price: Decimal, fee: Decimal, time_ms: int
    ) -> Decimal:
        """Move a position by a fill and return what it realised before fees."""
        if not position.amount:
            position.opened_ms = time_ms
            position.realised = position.commission = position.funding = ZERO
            position.closed_quantity = position.closed_value = ZERO
        realised = ZERO
        grows = position.amount * signed >= 0
        if grows:
            total = position.size + abs(signed)
            position.average = (position.average * position.size + price * abs(signed)) / total
        else:
            closed = min(abs(signed), position.size)
            gained = (price - position.average) * closed * (1 if position.amount > 0 else -1)
            realised = gained.quantize(CENT)
            position.closed_quantity += closed
            position.closed_value += closed * price
        before = position.size
        position.amount += signed
        if position.amount * signed > 0 and not grows:
            position.average = price  # it went through zero
            position.opened_ms = time_ms
        self._adjust_margin(position, before)
        position.realised += realised
        position.commission += fee
        position.updated_ms = time_ms
        self.realised += realised
        if realised:
            self.book(time_ms, "REALIZED_PNL", realised, position.symbol, "Realized PNL")
        self.book(time_ms, "TRADING_FEE", -fee, position.symbol, "Trading Fee")
        if not position.amount:
            self._close(position, time_ms)
        return realised

    def _adjust_margin(self, position: Position, before: Decimal) -> None:
        if self.margin_type(position.symbol) == "CROSSED":
            position.margin = ZERO
        elif position.size > before or not position.margin:
            leverage = self.leverage(position.symbol, position.side)
            position.margin = position.size * position.average / leverage
        elif before:
            position.margin = position.margin * position.size / before

    def _close(self, position: Position, time_ms: int) -> None:
        self.closed.append(
            {
                "positionId": str(position.id),
                "symbol": position.symbol,
                "isolated": self.margin_type(position.symbol) != "CROSSED",
                "positionSide": position.side,
                "openTime": position.opened_ms,
                "updateTime": time_ms,
                "avgPrice": f"{position.average:.4f}",
                "avgClosePrice": f"{position.closed_value / position.closed_quantity:.4f}",
                "realizedProfit": f"{position.realised:.4f}",
                "netProfit": f"{position.realised - position.commission + position.funding:.4f}",
                "positionAmt": f"{position.closed_quantity}",
                "closePositionAmt": f"{position.closed_quantity}",
                "leverage": self.leverage(position.symbol, position.side),
                "closeAllPositions": True,
                "positionCommission": f"{-position.commission:f}",
                "totalFunding": f"{position.funding:f}",
            }
        )
        position.margin = ZERO
        position.id = self.new_id()

    def set_mode(self, hedge: bool, busy: bool) -> None:
        """Switch between hedge and one-way, which needs an account without orders and positions."""
        if busy or self.open_positions():
            raise VenueError(
                109401, "The position mode cannot be switched while there are open orders or positions."
            )
        self.hedge = hedge
        self.positions.clear()
