"""Account payloads as frozen rows: balances, positions, income, modes; pure and strict.

Guarantees: both spellings of a field that the venue uses are understood; an empty amount is refused where a
balance depends on it; a malformed list is never an empty one, so nobody concludes "flat" from it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from adapters.bingx.errors import MalformedAnswer
from adapters.live.fields import (
    Row,
    asset,
    choice,
    integer,
    malformed,
    milliseconds,
    not_negative,
    number,
    positive,
    record,
    rows,
    symbol,
    text,
    truth,
    truth_or_false,
)

SIDES = {"LONG": 1, "SHORT": -1}


class BalanceRow(NamedTuple):
    """One asset of the account."""

    asset: str
    balance: Decimal
    equity: Decimal
    available: Decimal
    used: Decimal
    frozen: Decimal


class PositionRow(NamedTuple):
    """An open position; `quantity` is signed: below 0 short."""

    symbol: str
    position_id: str
    quantity: Decimal
    average_price: Decimal
    leverage: int
    isolated: bool
    one_way: bool
    updated_ms: int


class IncomeRow(NamedTuple):
    """Something that moved the balance; `amount` above 0 was received."""

    symbol: str
    kind: str
    amount: Decimal
    asset: str
    ts_ms: int
    transaction_id: str


def balances(data: object) -> dict[str, BalanceRow]:
    """Return balances by asset."""
    found: dict[str, BalanceRow] = {}
    for k, raw in enumerate(rows(data, "balance")):
        where = f"balance[{k}]"
        row = record(raw, where)
        name = asset(row, "asset", where)
        if name in found:
            raise malformed(f"{where}.asset", name, "one row an asset")
        frozen = "freezedMargin" if "freezedMargin" in row else "frozenMargin"
        found[name] = BalanceRow(
            name,
            number(row, "balance", where),
            number(row, "equity", where),
            number(row, "availableMargin", where),
            not_negative(row, "usedMargin", where),
            not_negative(row, frozen, where),
        )
    return found


def positions(data: object) -> list[PositionRow]:
    """Return the open positions; rows of size 0 are none."""
    found = [position(record(raw, f"positions[{k}]")) for k, raw in enumerate(rows(data, "positions"))]
    return [row for row in found if row.quantity]


def position(row: Row) -> PositionRow:
    """Return one position row."""
    where = "position"
    quantity = number(row, "positionAmt", where)
    one_way = truth_or_false(row, "onlyOnePosition", where)
    sign = choice(row, "positionSide", where, SIDES | {"BOTH": 0})
    if sign == 0:
        sign = 1 if quantity >= 0 else -1
    size = abs(quantity)
    average = positive(row, "avgPrice", where) if size else not_negative(row, "avgPrice", where)
    leverage = integer(row, "leverage", where)
    if not 1 <= leverage <= 1000:
        raise malformed(f"{where}.leverage", leverage, "1 to 1000")
    return PositionRow(
        symbol(row, "symbol", where),
        text(row, "positionId", where),
        sign * size,
        average,
        leverage,
        truth(row, "isolated", where),
        one_way,
        milliseconds(row, "updateTime", where) if row.get("updateTime") not in (None, 0, "0", "") else 0,
    )


def incomes(data: object) -> list[IncomeRow]:
    """Return what moved the balance, oldest first; the venue may say null where nothing did."""
    found = []
    for k, raw in enumerate(rows([] if data is None else data, "income")):
        where = f"income[{k}]"
        row = record(raw, where)
        found.append(
            IncomeRow(
                symbol(row, "symbol", where),
                text(row, "incomeType", where),
                number(row, "income", where),
                asset(row, "asset", where),
                milliseconds(row, "time", where),
                text(row, "tranId", where),
            )
        )
    return sorted(found, key=lambda row: row.ts_ms)


def is_hedge_mode(data: object) -> bool:
    """Return whether the account is in hedge mode."""
    return truth(record(data, "position mode"), "dualSidePosition", "position mode")


def leverages(data: object) -> tuple[int, int]:
    """Return the leverage of long and short."""
    row = record(data, "leverage")
    both = tuple(integer(row, key, "leverage") for key in ("longLeverage", "shortLeverage"))
    if not all(1 <= value <= 1000 for value in both):
        raise malformed("leverage", both, "1 to 1000")
    return both[0], both[1]


def leverage_set(data: object) -> int:
    """Return the leverage that the venue says it has set."""
    return integer(record(data, "set leverage"), "leverage", "set leverage")


def margin_mode(data: object) -> str:
    """Return ISOLATED, CROSSED or SEPARATE_ISOLATED."""
    words = {word: word for word in ("ISOLATED", "CROSSED", "SEPARATE_ISOLATED")}
    return choice(record(data, "margin mode"), "marginType", "margin mode", words)


def commission_rates(data: object) -> tuple[Decimal, Decimal]:
    """Return the account's maker and taker fee as fractions."""
    row = record(record(data, "commission rate").get("commission"), "commission rate.commission")
    return (
        number(row, "makerCommissionRate", "commission rate"),
        number(row, "takerCommissionRate", "commission rate"),
    )


def listen_key(answer: object) -> str:
    """Return the key of a user stream."""
    key = text(record(answer, "listen key"), "listenKey", "listen key")
    if not key.isalnum():
        raise MalformedAnswer(
            "the listen key is not one", found=f"{len(key)} characters", expected="letters, digits"
        )
    return key
