"""What must be true of the account before anything is sent: VST, one-way mode, the right leverage.

Guarantees: nothing is concluded from a malformed answer; an account without the virtual asset, or in hedge
mode that cannot be left, or whose leverage is not what was asked for after it was set, is refused with
`SafetyStop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.bingx.account_rows import (
    BalanceRow,
    PositionRow,
    balances,
    commission_rates,
    is_hedge_mode,
    leverages,
    margin_mode,
    positions,
)
from adapters.bingx.config import ExecutionSettings
from adapters.bingx.errors import SafetyStop, VenueRefused
from adapters.bingx.order_rows import OrderRow, orders
from adapters.bingx.rest import (
    BALANCE,
    COMMISSION,
    LEVERAGE,
    MARGIN_MODE,
    OPEN_ORDERS,
    POSITION_MODE,
    POSITIONS,
    SET_LEVERAGE,
    SET_MARGIN_MODE,
    SET_POSITION_MODE,
    BingxRest,
)


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The account as it was found and left."""

    balance: BalanceRow
    positions: tuple[PositionRow, ...]
    orders: tuple[OrderRow, ...]
    converted_from_hedge: bool
    leverage_set: tuple[str, ...]  # symbols whose leverage or margin mode was changed
    maker_fee: Decimal
    taker_fee: Decimal


async def virtual_balance(rest: BingxRest, asset: str) -> BalanceRow:
    """Return the balance row of the virtual asset.

    Raises
    ------
    SafetyStop
        The account has none: it is not a demo account.
    """
    found = balances(await rest.call(BALANCE))
    if asset not in found:
        raise SafetyStop(
            "this is not a VST account",
            found=f"assets {', '.join(sorted(found)) or 'none'}",
            expected=f"a balance in {asset}",
            remedy="use a key of BingX's demo trading; real-money accounts are refused",
        )
    real = [row.asset for row in found.values() if row.asset != asset and row.equity != 0]
    if real:
        raise SafetyStop(
            "the account holds other assets beside the virtual one",
            found=", ".join(sorted(real)),
            expected=f"{asset} only",
            remedy="use a key of BingX's demo trading; real-money accounts are refused",
        )
    return found[asset]


async def secure_account(
    rest: BingxRest, settings: ExecutionSettings, symbols: Sequence[str]
) -> AccountFacts:
    """Check the account and put it in order.

    Raises
    ------
    SafetyStop
        Something about it is not safe to trade with.
    """
    settings.endpoints.require_virtual()
    balance = await virtual_balance(rest, settings.virtual_asset)
    held = tuple(positions(await rest.call(POSITIONS)))
    resting = tuple(orders(await rest.call(OPEN_ORDERS)))
    converted = await _one_way(rest, settings, flat=not held and not resting)
    changed = []
    for symbol in symbols:
        busy = symbol in {row.symbol for row in held} | {row.symbol for row in resting}
        if await _secure_symbol(rest, settings, symbol, busy=busy):
            changed.append(symbol)
    fees = commission_rates(await rest.call(COMMISSION))
    return AccountFacts(balance, held, resting, converted, tuple(changed), *fees)


async def _one_way(rest: BingxRest, settings: ExecutionSettings, *, flat: bool) -> bool:
    if not is_hedge_mode(await rest.call(POSITION_MODE)):
        return False
    if not settings.convert_hedge_mode or not flat:
        raise SafetyStop(
            "the account is in hedge mode",
            found="dualSidePosition true" + ("" if flat else ", with positions or orders"),
            expected="one-way mode",
            remedy="close what is open on the demo account and start again: it is switched while flat",
        )
    try:
        await rest.call(SET_POSITION_MODE, {"dualSidePosition": "false"})
    except VenueRefused as refusal:
        raise SafetyStop(
            "the account could not be switched to one-way mode",
            found=f"code {refusal.code} {refusal.reason}",
            expected="a flat account",
            remedy="close positions and orders of the demo account",
        ) from refusal
    if is_hedge_mode(await rest.call(POSITION_MODE)):
        raise SafetyStop(
            "the account stayed in hedge mode", found="dualSidePosition true", expected="one-way mode"
        )
    return True


async def _secure_symbol(rest: BingxRest, settings: ExecutionSettings, symbol: str, *, busy: bool) -> bool:
    changed = False
    wanted = "ISOLATED" if settings.isolated else "CROSSED"
    mode = margin_mode(await rest.call(MARGIN_MODE, {"symbol": symbol}))
    if mode != wanted:
        if busy:
            raise SafetyStop(
                f"{symbol}: the margin mode cannot be changed while a position or an order is open",
                found=mode,
                expected=wanted,
                remedy=f"close what is open in {symbol} on the demo account",
            )
        await rest.call(SET_MARGIN_MODE, {"symbol": symbol, "marginType": wanted})
        changed = True
        mode = margin_mode(await rest.call(MARGIN_MODE, {"symbol": symbol}))
        if mode != wanted:
            raise SafetyStop(f"{symbol}: the margin mode was not set", found=mode, expected=wanted)
    both = leverages(await rest.call(LEVERAGE, {"symbol": symbol}))
    if set(both) != {settings.leverage}:
        await rest.call(SET_LEVERAGE, {"symbol": symbol, "side": "BOTH", "leverage": settings.leverage})
        changed = True
        both = leverages(await rest.call(LEVERAGE, {"symbol": symbol}))
        if set(both) != {settings.leverage}:
            raise SafetyStop(
                f"{symbol}: the leverage was not set",
                found=f"long {both[0]}, short {both[1]}",
                expected=str(settings.leverage),
            )
    return changed


def free_margin(row: BalanceRow) -> tuple[Decimal, Decimal, Decimal]:
    """Return total, locked and free: the wallet balance, what of it is not available, the rest."""
    free = max(Decimal(0), min(row.available, row.balance))
    return row.balance, row.balance - free, free
