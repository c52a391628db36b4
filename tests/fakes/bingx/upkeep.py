"""What happens by itself: funding payments and liquidation."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.fakes.bingx import frames, matching
from tests.fakes.bingx.account import CENT, Position
from tests.fakes.bingx.contracts import ZERO
from tests.fakes.bingx.minutes import HOUR_MS
from tests.fakes.bingx.orders import Fill, Order

if TYPE_CHECKING:
    from tests.fakes.bingx.venue import Venue


def next_funding_ms(hours: int, now_ms: int) -> int:
    """Return the first settlement after a time."""
    step = hours * HOUR_MS
    return (now_ms // step + 1) * step


def pay_funding(venue: Venue, time_ms: int) -> None:
    """Settle funding of every contract that settles now: longs pay a positive rate to shorts."""
    for contract in venue.contracts:
        if time_ms % (contract.funding_hours * HOUR_MS):
            continue
        rate = Decimal(repr(venue.source.funding(contract, time_ms)))
        for position in venue.account.open_positions(contract.symbol):
            paid = (-position.amount * venue.mark(contract.symbol) * rate).quantize(CENT)
            position.funding += paid
            venue.account.book(time_ms, "FUNDING_FEE", paid, contract.symbol, "Funding Fee")
            crossed = venue.account.margin_type(contract.symbol) == "CROSSED"
            if not crossed:
                position.margin += paid
            touched = [] if crossed else [position]
            venue.emit_user(frames.account_update(venue, "FUNDING_FEE", paid, touched))


def liquidate_due(venue: Venue, symbol: str) -> None:
    """Close what the price of a symbol made too heavy: an isolated position, or all that share money."""
    account = venue.account
    held = account.open_positions(symbol)
    if not held:
        return
    for position in [p for p in held if p.margin]:
        mark = venue.mark(position.symbol)
        if position.margin + position.unrealised(mark) <= maintenance(venue, position):
            _liquidate(venue, position, lose_at_most=position.margin)
    crossed = [p for p in account.open_positions() if not p.margin]
    if not crossed or held[0].margin:
        return
    wallet = account.balance - sum((p.margin for p in account.open_positions()), ZERO)
    equity = wallet + sum((p.unrealised(venue.mark(p.symbol)) for p in crossed), ZERO)
    if equity <= sum((maintenance(venue, p) for p in crossed), ZERO):
        for order in venue.working():
            matching.cancel(venue, order)
        for position in crossed:
            _liquidate(venue, position, lose_at_most=None)


def maintenance(venue: Venue, position: Position) -> Decimal:
    """Return the maintenance margin of a position at the mark price."""
    notional = position.size * venue.mark(position.symbol)
    return venue.contracts.get(position.symbol).maintenance(notional)


def liquidation_price(venue: Venue, position: Position) -> Decimal:
    """Return the price at which a position alone is liquidated, 0 if there is none above zero."""
    account, contract = venue.account, venue.contracts.get(position.symbol)
    others = [p for p in account.open_positions() if p is not position and not p.margin]
    wallet = position.margin or account.balance + sum(
        (p.unrealised(venue.mark(p.symbol)) - maintenance(venue, p) for p in others), ZERO
    )
    notional = position.size * position.average
    rate = contract.maintenance(notional) / notional
    sign = 1 if position.amount > 0 else -1
    price = (sign * notional - wallet) / (position.size * (sign - rate))
    return max(ZERO, contract.cut_price(price))


def _liquidate(venue: Venue, position: Position, lose_at_most: Decimal | None) -> None:
    account, contract = venue.account, venue.contracts.get(position.symbol)
    price = venue.mark(position.symbol)
    order = Order(
        id=venue.new_order_id(),
        symbol=position.symbol,
        side="SELL" if position.amount > 0 else "BUY",
        position_side=position.side,
        type="LIQUIDATION",
        quantity=position.size,
        price=price,
        stop_price=ZERO,
        time_in_force="IOC",
        reduce_only=False,
        close_position=False,
        working_type="MARK_PRICE",
        client_id="",
        leverage=account.leverage(position.symbol, position.side),
        created_ms=venue.time_ms,
        updated_ms=venue.time_ms,
    )
    venue.keep(order)
    quantity, fee = position.size, (position.size * price * contract.taker_fee).quantize(CENT)
    before = account.balance
    realised = account.apply(position, -position.amount, price, fee, venue.time_ms)
    order.filled, order.average, order.fee, order.profit = quantity, price, fee, realised
    order.status = "FILLED"
    made = Fill(
        trade_id=venue.new_trade_id(),
        order_id=order.id,
        symbol=order.symbol,
        side=order.side,
        position_side=order.position_side,
        price=price,
        quantity=quantity,
        fee=fee,
        realised=realised,
        maker=False,
        time_ms=venue.time_ms,
        client_id="",
    )
    order.fills.append(made)
    venue.fills.append(made)
    floor = ZERO if lose_at_most is None else before - lose_at_most
    if account.balance < floor:  # the insurance fund bears what the margin does not cover
        account.book(
            venue.time_ms, "INSURANCE_CLEAR", floor - account.balance, order.symbol, "Insurance Clear"
        )
    venue.tell(order, "CALCULATED", made)
    venue.emit_user(frames.account_update(venue, "ORDER", ZERO, [position]))
    for stop in [o for o in venue.working(order.symbol) if o.closes]:
        matching.cancel(venue, stop)
