"""The desk's own ledger: fills, fees, slippage, funding, liquidations, positions, reservations, trades.

Guarantees: balance moves only by realised PnL, commission and funding, each rounded to 8 decimals as the
engine's account does, so both agree; cash + margin + unrealised PnL = equity; the net of all trades plus
what open positions have booked, and late funding, is the change of balance; one position a strategy and
instrument, never reversed.  Refuses (`BooksError`) an exit without a position, an exit larger than its
position and an entry against its position.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from risk.positions import (
    SIZE_NOISE,
    Position,
    Reservation,
    Share,
    apply_fill,
    check_fill,
    liquidation_price,
    money,
)
from risk.vocabulary import EntryDone, Fill, Funding, FundingPaid, Protection, Role, Trade, TradePlan

Key = tuple[str, str]  # strategy, instrument


class BookFigures(NamedTuple):
    """The sums over positions and reservations that a sample of the books holds, USDT (see `Books`)."""

    unrealised_usd: float
    margin_usd: float
    open_risk_usd: float
    reserved_risk_usd: float
    gross_usd: float
    net_usd: float


_FLAT = BookFigures(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Books:
    """Ledger of one desk.

    Parameters
    ----------
    balance : float
        Starting balance in USDT.
    leverage_cap : float
        Leverage of the isolated margin: margin = entry notional / leverage.

    Attributes
    ----------
    losing_streak : int
        Closed trades in a row with net R < 0, over the whole desk and across days.
    cum_r, peak_r, max_drawdown_r : float
        Sum of the R of all trades, its peak and its largest fall from the peak (>= 0).

    """

    def __init__(self, balance: float, leverage_cap: float) -> None:
        self.start_balance = money(balance)
        self.balance = money(balance)
        self.leverage_cap = leverage_cap
        self.fees_usd = 0.0
        self.slippage_usd = 0.0
        self.funding_usd = 0.0
        self.late_funding_usd = 0.0  # part of it: settled on positions that had closed when its row came
        self.liquidation_usd = 0.0  # part of the commissions: what the venue bore of liquidated positions
        self.realised_usd = 0.0
        self.losing_streak = 0
        self.trades = 0
        self.cum_r = 0.0
        self.peak_r = 0.0
        self.max_drawdown_r = 0.0
        self.positions: dict[Key, Position] = {}
        self.reservations: dict[str, Reservation] = {}
        self._intents: dict[Key, Reservation] = {}  # the last plan of each key, for fills that come late

    @property
    def unrealised_usd(self) -> float:
        """PnL of the open positions at mark."""
        return sum([p.unrealised_usd for p in self.positions.values()])

    @property
    def equity(self) -> float:
        """Balance plus unrealised PnL at mark."""
        return self.balance + self.unrealised_usd if self.positions else self.balance

    @property
    def net_pnl_usd(self) -> float:
        """Change of equity since the start, after all costs."""
        return self.equity - self.start_balance

    @property
    def margin_usd(self) -> float:
        """Isolated margin of the open positions."""
        return sum([p.average_price * p.quantity for p in self.positions.values()]) / self.leverage_cap

    @property
    def cash_usd(self) -> float:
        """Balance that is not margin."""
        return self.balance - self.margin_usd

    @property
    def open_risk_usd(self) -> float:
        """Money lost if every stop is hit, exit costs included."""
        return sum([p.risk_usd(self.leverage_cap) for p in self.positions.values()])

    @property
    def reserved_risk_usd(self) -> float:
        """Money that approved entries would risk with what has not filled yet."""
        return sum([r.risk_usd for r in self.reservations.values()])

    @property
    def gross_usd(self) -> float:
        """Absolute notional of positions (at mark) and reservations."""
        return sum([p.notional_usd for p in self.positions.values()]) + sum(
            [r.notional_usd for r in self.reservations.values()]
        )

    @property
    def net_usd(self) -> float:
        """Signed notional of positions (at mark) and reservations, long positive."""
        return sum([p.side * p.notional_usd for p in self.positions.values()]) + sum(
            [r.side * r.notional_usd for r in self.reservations.values()]
        )

    def figures(self) -> BookFigures:
        """Return all sums at once: the books are sampled at every fill and every quarter of an hour."""
        if not self.positions and not self.reservations:
            return _FLAT
        leverage = self.leverage_cap
        unrealised = margin = risk = gross = net = 0.0
        for p in self.positions.values():
            quantity, mark, average = p.quantity, p.mark, p.average_price
            notional = quantity * mark
            unrealised += (mark - average) * p.side * quantity
            margin += average * quantity
            risk += p.risk_usd(leverage)
            gross += notional
            net += p.side * notional
        reserved = pending = pending_net = 0.0
        for r in self.reservations.values():
            notional = r.notional_usd
            reserved += r.risk_usd
            pending += notional
            pending_net += r.side * notional
        return BookFigures(unrealised, margin / leverage, risk, reserved, gross + pending, net + pending_net)

    def net_towards(self, side: int) -> float:
        """Notional towards `side`: positions at mark either way, but only the reservations of that side.

        A pending entry on the other side may never fill, so it lends no room.
        """
        held = sum([p.side * p.notional_usd for p in self.positions.values()])
        pending = sum([r.notional_usd for r in self.reservations.values() if r.side == side])
        return side * held + pending

    @property
    def pending_entry_cost_usd(self) -> float:
        """What the reserved entries will still pay in fees and slippage when they fill."""
        return sum([r.entry_cost * r.remaining for r in self.reservations.values()])

    def holders(self, instrument: str) -> list[tuple[str, int]]:
        """Return (strategy, side) of each position or pending entry on an instrument, in order of opening."""
        held = [(p.strategy, p.side) for p in self.positions.values() if p.instrument == instrument]
        return held + [
            (r.strategy, r.side)
            for r in self.reservations.values()
            if r.instrument == instrument and (r.strategy, instrument) not in self.positions
        ]

    def active(self) -> list[tuple[str, str, int]]:
        """Return (strategy, instrument, side) of each position or pending entry, a key only once."""
        held = [(p.strategy, p.instrument, p.side) for p in self.positions.values()]
        return held + [
            (r.strategy, r.instrument, r.side)
            for r in self.reservations.values()
            if (r.strategy, r.instrument) not in self.positions
        ]

    def liquidation_price(self, strategy: str, instrument: str, maintenance_margin: float) -> float | None:
        """Return the mark at which the position is liquidated, None if there is none."""
        position = self.positions.get((strategy, instrument))
        if position is None:
            return None
        return liquidation_price(position.side, position.average_price, self.leverage_cap, maintenance_margin)

    def reserve(self, plan: TradePlan) -> None:
        """Hold the risk and the room of an approved plan until its entry is over."""
        signal, costs = plan.signal, plan.costs
        reservation = Reservation(
            trace_id=signal.trace_id,
            strategy=signal.strategy,
            instrument=signal.instrument,
            side=signal.side,
            planned=plan.quantity,
            remaining=plan.quantity,
            price=signal.reference_price,
            loss_per_unit=plan.risk_usd / plan.quantity,
            stop_distance=abs(signal.reference_price - plan.stop_price),
            entry_cost=costs.entry_fee + costs.entry_slippage,
            exit_cost=costs.exit_fee + costs.exit_slippage,
        )
        self.reservations[signal.trace_id] = reservation
        self._intents[signal.strategy, signal.instrument] = reservation

    def release(self, trace_id: str) -> bool:
        """Give back what is left of a reservation; return whether there was one."""
        return self.reservations.pop(trace_id, None) is not None

    def entry_done(self, entry: EntryDone) -> bool:
        """Release the reservation of an entry that is over."""
        return self.release(entry.trace_id)

    def apply(self, fill: Fill) -> Trade | None:
        """Book a fill; return the trade if the position became flat with it."""
        position = self.positions.get((fill.strategy, fill.instrument))
        check_fill(fill, position)
        self.balance = money(self.balance - money(fill.commission))
        self.fees_usd += fill.fee
        self.slippage_usd += fill.slippage_usd
        self.liquidation_usd = money(self.liquidation_usd + fill.liquidation_usd)
        if fill.role == Role.ENTRY or position is None:
            self._enter(fill, position)
            return None
        return self._exit(fill, position)

    def _enter(self, fill: Fill, position: Position | None) -> None:
        if position is None:
            position = self.positions[fill.strategy, fill.instrument] = self._open(fill)
        after = apply_fill(
            position.side * position.quantity, position.average_price, fill.side, fill.quantity, fill.price
        )
        position.quantity, position.average_price = abs(after.quantity), after.average_price
        position.peak_quantity = max(position.peak_quantity, position.quantity)
        position.entered += fill.quantity
        position.entry_value += fill.quantity * fill.price
        position.fees_usd += fill.fee
        position.slippage_usd += fill.slippage_usd
        reservation = self.reservations.get(fill.trace_id)
        if reservation is not None:
            reservation.remaining -= fill.quantity
            if reservation.remaining <= SIZE_NOISE * reservation.planned:
                reservation.remaining = 0.0
                del self.reservations[fill.trace_id]

    def _open(self, fill: Fill) -> Position:
        position = Position(
            fill.trace_id, fill.strategy, fill.instrument, fill.side, fill.ts_event, mark=fill.price
        )
        # A fill may arrive after its reservation was released (it crossed the cancel): the plan still
        # counts.
        intent = self._intents.get((fill.strategy, fill.instrument))
        if intent is not None and intent.trace_id == fill.trace_id:
            position.stop_distance = intent.stop_distance
            position.exit_cost = intent.exit_cost
            position.loss_per_unit = intent.loss_per_unit
        return position

    def _exit(self, fill: Fill, position: Position) -> Trade | None:
        after = apply_fill(
            position.side * position.quantity,
            position.average_price,
            fill.side,
            min(fill.quantity, position.quantity),
            fill.price,
        )
        self.balance = money(self.balance + after.realised_usd)
        self.realised_usd = money(self.realised_usd + after.realised_usd)
        position.gross_usd = money(position.gross_usd + after.realised_usd)
        position.quantity = abs(after.quantity)
        position.exited += after.closed
        position.exit_value += after.closed * fill.price
        position.fees_usd += fill.fee
        position.slippage_usd += fill.slippage_usd
        position.liquidation_usd = money(position.liquidation_usd + fill.liquidation_usd)
        return self._close(position, fill) if position.quantity == 0.0 else None

    def _close(self, position: Position, fill: Fill) -> Trade:
        key = (position.strategy, position.instrument)
        del self.positions[key]
        costs = position.fees_usd + position.slippage_usd
        net = money(position.gross_usd - costs + position.funding_usd + position.liquidation_usd)
        risk = position.planned_risk_usd
        r = net / risk if risk > 0.0 else 0.0
        self._count(r)
        return Trade(
            ts_open=position.ts_open,
            ts_event=fill.ts_event,
            trace_id=position.trace_id,
            strategy=position.strategy,
            instrument=position.instrument,
            side=position.side,
            quantity=position.peak_quantity,
            entry_price=position.entry_value / position.entered,
            exit_price=position.exit_value / position.exited,
            gross_usd=position.gross_usd,
            fees_usd=money(position.fees_usd),
            slippage_usd=money(position.slippage_usd),
            funding_usd=position.funding_usd,
            net_usd=net,
            risk_usd=risk,
            r=r,
            exit_reason=fill.reason or fill.role,
            virtual_asset=fill.virtual_asset,
            liquidation_usd=position.liquidation_usd,
        )

    def _count(self, r: float) -> None:
        self.trades += 1
        self.losing_streak = self.losing_streak + 1 if r < 0.0 else 0
        self.cum_r += r
        self.peak_r = max(self.peak_r, self.cum_r)
        self.max_drawdown_r = max(self.max_drawdown_r, self.peak_r - self.cum_r)

    def settle_funding(self, funding: Funding, price: float) -> list[FundingPaid]:
        """Book a settlement on every position of the instrument: longs pay a positive rate."""
        booked = []
        for position in self.positions.values():
            if position.instrument != funding.instrument or position.quantity <= 0.0:
                continue
            amount = money(-position.side * position.quantity * price * funding.rate)
            self.balance = money(self.balance + amount)
            self.funding_usd = money(self.funding_usd + amount)
            position.funding_usd = money(position.funding_usd + amount)
            booked.append(
                FundingPaid(
                    funding.ts_event,
                    position.trace_id,
                    position.strategy,
                    position.instrument,
                    position.side,
                    position.quantity,
                    price,
                    funding.rate,
                    amount,
                )
            )
        return booked

    def receive_funding(self, share: Share, instrument: str, amount_usd: float) -> None:
        """Book what the venue's account settled on a position, also after it has closed."""
        self.balance = money(self.balance + amount_usd)
        self.funding_usd = money(self.funding_usd + amount_usd)
        position = self.positions.get((share.strategy, instrument))
        if position is not None and position.trace_id == share.trace_id:
            position.funding_usd = money(position.funding_usd + amount_usd)
        else:
            self.late_funding_usd = money(self.late_funding_usd + amount_usd)

    def protect(self, protection: Protection) -> None:
        """Take over the working stop of a position; at price 0 none works and the last one still counts."""
        position = self.positions.get((protection.strategy, protection.instrument))
        if position is None:
            return
        working = protection.stop_price > 0.0
        if position.stop_working and not working:
            position.unprotected_ns = protection.ts_event
        position.stop_working = working
        if position.stop_working:
            position.stop_price = protection.stop_price

    _SCALARS = (
        "start_balance",
        "balance",
        "fees_usd",
        "slippage_usd",
        "funding_usd",
        "late_funding_usd",
        "liquidation_usd",
        "realised_usd",
        "losing_streak",
        "trades",
        "cum_r",
        "peak_r",
        "max_drawdown_r",
    )

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        state: dict[str, Any] = {name: getattr(self, name) for name in self._SCALARS}
        state["positions"] = [position.state() for position in self.positions.values()]
        state["reservations"] = list(self.reservations)
        state["intents"] = [intent.state() for intent in self._intents.values()]
        return state

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        for name in self._SCALARS:
            setattr(self, name, state[name])
        positions = [Position(**values) for values in state["positions"]]
        self.positions = {(p.strategy, p.instrument): p for p in positions}
        intents = [Reservation(**values) for values in state["intents"]]
        self._intents = {(i.strategy, i.instrument): i for i in intents}
        by_trace = {intent.trace_id: intent for intent in intents}
        # A pending reservation is always the newest plan of its key: nothing is approved beside it.
        self.reservations = {trace_id: by_trace[trace_id] for trace_id in state["reservations"]}
