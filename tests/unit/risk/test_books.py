"""The ledger: what fills, fees, funding and stops do to it, and what stays true whatever happens."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.books import Books
from risk.positions import BooksError, apply_fill, liquidation_price
from risk.vocabulary import (
    LONG,
    SHORT,
    CostEstimate,
    EntryDone,
    ExitSpec,
    Fill,
    Funding,
    Protection,
    Signal,
    Trade,
    TradePlan,
)

BTC, ETH = "BTCUSDT-PERP", "ETHUSDT-PERP"
COSTS = CostEstimate(0.05, 0.05, 0.02, 0.02, 0.0, 0.07)


def plan(
    side: int = LONG,
    quantity: float = 2.0,
    price: float = 100.0,
    distance: float = 2.0,
    instrument: str = BTC,
    trace_id: str = "t1",
    strategy: str = "s",
) -> TradePlan:
    signal = Signal(trace_id, 1, strategy, instrument, 15, side, price, ExitSpec(distance), 1.0, 1.0)
    loss = distance + 0.14
    return TradePlan(
        signal, quantity, price - side * distance, quantity * loss, 0.5, quantity * price, COSTS, 2.0
    )


def fill(role: str, side: int, quantity: float, price: float, **changes: Any) -> Fill:
    values: dict[str, Any] = {
        "ts_event": 10,
        "ts_venue": 10,
        "trace_id": "t1",
        "strategy": "s",
        "instrument": BTC,
        "client_order_id": "c1",
        "role": role,
        "side": side,
        "quantity": quantity,
        "price": price,
        "fee": 0.1,
        "slippage_usd": 0.02,
        "maker": False,
    } | changes
    return Fill(**values)


@pytest.fixture
def books() -> Books:
    return Books(1_000.0, 3.0)


def test_round_trip_books_price_pnl_fees_slippage_and_funding_apart(books: Books) -> None:
    books.reserve(plan())
    assert books.apply(fill("entry", LONG, 2.0, 100.0)) is None
    (paid,) = books.settle_funding(Funding(BTC, 20, 0.001), 101.0)
    assert paid.amount_usd == -0.202
    trade = books.apply(fill("target_1", SHORT, 2.0, 104.0, ts_event=30))
    assert trade is not None
    assert (trade.gross_usd, trade.fees_usd, trade.slippage_usd) == (8.0, 0.2, 0.04)
    assert trade.funding_usd == -0.202
    assert trade.net_usd == pytest.approx(8.0 - 0.2 - 0.04 - 0.202)
    assert trade.risk_usd == pytest.approx(2.0 * 2.14)
    assert trade.r == pytest.approx(trade.net_usd / trade.risk_usd)
    assert books.balance == pytest.approx(1_000.0 + trade.net_usd)
    assert (trade.ts_open, trade.ts_event, trade.exit_reason) == (10, 30, "target_1")
    assert books.positions == {}


def test_short_earns_when_price_falls_and_receives_positive_funding(books: Books) -> None:
    books.reserve(plan(SHORT))
    books.apply(fill("entry", SHORT, 2.0, 100.0))
    (paid,) = books.settle_funding(Funding(BTC, 20, 0.001), 100.0)
    assert paid.amount_usd == 0.2
    trade = books.apply(fill("stop", LONG, 2.0, 97.0))
    assert trade is not None
    assert trade.gross_usd == 6.0


def test_a_liquidation_is_booked_apart_and_leaves_the_margin_as_the_loss(books: Books) -> None:
    books.reserve(plan())
    books.apply(fill("entry", LONG, 2.0, 100.0, fee=0.0, slippage_usd=0.0))
    borne = (200 / 3 - 55.0) * 2
    trade = books.apply(
        fill("stop", SHORT, 2.0, 55.0, slippage_usd=0.0, reason="liquidation", liquidation_usd=borne)
    )
    assert trade is not None
    assert (trade.exit_reason, trade.gross_usd) == ("liquidation", -90.0)
    assert trade.liquidation_usd == books.liquidation_usd == pytest.approx(borne, abs=1e-8)
    assert trade.net_usd == pytest.approx(-200 / 3 - 0.1)
    assert books.balance == pytest.approx(1_000.0 + trade.net_usd)
    again = Books(1_000.0, 3.0)
    again.load(books.state())
    assert again.liquidation_usd == books.liquidation_usd


def test_sliced_entry_averages_and_shrinks_its_reservation(books: Books) -> None:
    books.reserve(plan(quantity=3.0))
    books.apply(fill("entry", LONG, 1.0, 100.0))
    assert books.reservations["t1"].remaining == 2.0
    assert books.reserved_risk_usd == pytest.approx(2.0 * 2.14)
    assert books.open_risk_usd == pytest.approx(1.0 * (2.0 + 0.07))
    books.apply(fill("entry", LONG, 1.0, 103.0))
    position = books.positions["s", BTC]
    assert position.average_price == pytest.approx(101.5)
    assert position.stop == pytest.approx(99.5)  # the plan's distance from the average entry
    books.entry_done(EntryDone(11, "t1", "s", BTC, 2.0, 101.5))
    assert books.reserved_risk_usd == 0.0
    trade = books.apply(fill("stop", SHORT, 2.0, 99.5))
    assert trade is not None
    assert trade.quantity == 2.0
    assert trade.risk_usd == pytest.approx(2.0 * 2.14)  # what filled, not what was planned


def test_partial_exits_report_the_average_exit_and_the_largest_quantity(books: Books) -> None:
    books.reserve(plan())
    books.apply(fill("entry", LONG, 2.0, 100.0))
    assert books.apply(fill("target_1", SHORT, 1.0, 102.0)) is None
    assert books.balance == pytest.approx(1_000.0 + 2.0 - 0.24)
    trade = books.apply(fill("stop", SHORT, 1.0, 100.2))
    assert trade is not None
    assert trade.exit_price == pytest.approx(101.1)
    assert trade.quantity == 2.0
    assert trade.gross_usd == pytest.approx(2.2)


def test_stop_at_break_even_risks_only_the_cost_of_leaving(books: Books) -> None:
    books.reserve(plan())
    books.apply(fill("entry", LONG, 2.0, 100.0))
    books.protect(Protection(11, "t1", "s", BTC, 98.0, 2.0))
    assert books.open_risk_usd == pytest.approx(2.0 * (2.0 + 0.07))
    books.protect(Protection(12, "t1", "s", BTC, 100.3, 2.0))
    assert books.open_risk_usd == pytest.approx(2.0 * 0.07)
    books.protect(Protection(13, "t1", "s", BTC, 0.0, 0.0))
    assert not books.positions["s", BTC].stop_working
    assert books.open_risk_usd == pytest.approx(2.0 * 0.07)  # the last stop counts until another works
    books.protect(Protection(13, "t9", "nobody", BTC, 1.0, 1.0))


def test_position_without_any_plan_risks_its_whole_margin(books: Books) -> None:
    books.apply(fill("entry", LONG, 3.0, 100.0))
    assert books.open_risk_usd == pytest.approx(100.0)
    trade = books.apply(fill("exit", SHORT, 3.0, 99.0))
    assert trade is not None
    assert trade.r == 0.0


def test_fill_that_crossed_the_cancel_still_carries_its_plan(books: Books) -> None:
    books.reserve(plan())
    assert books.release("t1")
    assert not books.release("t1")
    books.apply(fill("entry", LONG, 2.0, 100.0))
    assert books.reservations == {}
    assert books.open_risk_usd == pytest.approx(2.0 * 2.07)


def test_exposure_counts_positions_at_mark_and_reservations(books: Books) -> None:
    books.reserve(plan())
    books.apply(fill("entry", LONG, 2.0, 100.0))
    books.entry_done(EntryDone(11, "t1", "s", BTC, 2.0, 100.0))
    books.positions["s", BTC].mark = 110.0
    books.reserve(plan(SHORT, 1.0, 50.0, 1.0, ETH, "t2"))
    assert books.gross_usd == pytest.approx(220.0 + 50.0)
    assert books.net_usd == pytest.approx(220.0 - 50.0)
    assert books.pending_entry_cost_usd == pytest.approx(0.07)
    assert books.holders(BTC) == [("s", LONG)]
    assert books.holders(ETH) == [("s", SHORT)]
    assert books.active() == [("s", BTC, LONG), ("s", ETH, SHORT)]


def test_position_and_the_rest_of_its_entry_are_one_holder(books: Books) -> None:
    books.reserve(plan())
    books.apply(fill("entry", LONG, 1.0, 100.0))
    assert books.holders(BTC) == [("s", LONG)]
    assert books.active() == [("s", BTC, LONG)]


def test_streak_counts_losses_over_strategies_and_ends_with_anything_else(books: Books) -> None:
    def trade(price: float, strategy: str) -> None:
        books.reserve(plan(strategy=strategy))
        books.apply(fill("entry", LONG, 2.0, 100.0, strategy=strategy))
        books.apply(fill("exit", SHORT, 2.0, price, strategy=strategy))

    trade(98.0, "a")
    trade(98.0, "b")
    assert books.losing_streak == 2
    assert books.cum_r < -1.9
    trade(110.0, "a")
    assert books.losing_streak == 0
    assert books.trades == 3
    assert books.peak_r == pytest.approx(books.cum_r)
    assert books.max_drawdown_r == pytest.approx(2 * 4.24 / 4.28)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (fill("exit", SHORT, 1.0, 100.0, instrument=ETH), "no position"),
        (fill("exit", LONG, 1.0, 100.0), "no position"),
        (fill("exit", SHORT, 2.1, 100.0), "larger than its position"),
        (fill("entry", SHORT, 1.0, 100.0), "against its position"),
        (fill("entry", LONG, float("nan"), 100.0), "cannot be booked"),
        (fill("entry", LONG, 1.0, float("inf")), "cannot be booked"),
        (fill("entry", LONG, 0.0, 100.0), "cannot be booked"),
        (fill("entry", LONG, 1.0, 100.0, fee=float("nan")), "cannot be booked"),
    ],
)
def test_booking_that_cannot_be_true_is_refused_and_changes_nothing(
    books: Books, wrong: Fill, words: str
) -> None:
    books.apply(fill("entry", LONG, 2.0, 100.0))
    before = json.dumps(books.state())
    with pytest.raises(BooksError, match=words) as caught:
        books.apply(wrong)
    assert caught.value.remedy
    assert json.dumps(books.state()) == before


@pytest.mark.parametrize(
    ("side", "leverage", "expected"),
    [(LONG, 3.0, 100 * (2 / 3) / 0.995), (SHORT, 3.0, 100 * (4 / 3) / 1.005)],
)
def test_liquidation_price_leaves_exactly_the_maintenance_margin(
    side: int, leverage: float, expected: float
) -> None:
    price = liquidation_price(side, 100.0, leverage, 0.005)
    assert price == pytest.approx(expected)
    assert 100.0 / leverage + side * (price - 100.0) == pytest.approx(0.005 * price)


def test_liquidation_price_of_a_position(books: Books) -> None:
    assert books.liquidation_price("s", BTC, 0.005) is None
    books.apply(fill("entry", LONG, 2.0, 100.0))
    assert books.liquidation_price("s", BTC, 0.005) == pytest.approx(100 * (2 / 3) / 0.995)


@pytest.mark.parametrize(
    ("quantity", "side", "filled", "after", "average", "realised"),
    [
        (0.0, LONG, 2.0, 2.0, 110.0, 0.0),
        (2.0, LONG, 2.0, 4.0, 105.0, 0.0),
        (2.0, SHORT, 1.0, 1.0, 100.0, 10.0),
        (2.0, SHORT, 2.0, 0.0, 0.0, 20.0),
        (2.0, SHORT, 3.0, -1.0, 110.0, 20.0),
        (-2.0, SHORT, 2.0, -4.0, 105.0, 0.0),
        (-2.0, LONG, 3.0, 1.0, 110.0, -20.0),
    ],
)
def test_pure_fill_averages_closes_and_reverses(
    quantity: float, side: int, filled: float, after: float, average: float, realised: float
) -> None:
    found = apply_fill(quantity, 100.0, side, filled, 110.0)
    assert (found.quantity, found.average_price, found.realised_usd) == (after, average, realised)


class Account:
    """The engine's margin account: commission and PnL are money of 8 decimals, kept exactly."""

    def __init__(self, balance: str) -> None:
        self.balance = Decimal(balance)

    def book(self, amount: float) -> None:
        self.balance += Decimal(amount).quantize(Decimal("1e-8"), rounding=ROUND_HALF_EVEN)


Prices = st.floats(0.01, 90_000.0).map(lambda x: round(x, 2))
Steps = st.lists(
    st.tuples(
        st.sampled_from(["entry", "exit", "funding", "mark", "protect"]),
        st.sampled_from([("a", BTC), ("b", BTC), ("a", ETH)]),
        st.integers(1, 5_000),
        Prices,
        st.floats(0.0, 5.0),
        st.booleans(),
    ),
    max_size=60,
)


@given(Steps)
@settings(deadline=None)
def test_cash_margin_and_unrealised_are_equity_and_trades_add_up_to_it(steps: list[Any]) -> None:
    books, account, trades = Books(10_000.0, 3.0), Account("10000"), list[Trade]()
    for number, (what, (strategy, instrument), units, price, cost, to_flat) in enumerate(steps):
        position = books.positions.get((strategy, instrument))
        common: dict[str, Any] = {
            "strategy": strategy,
            "instrument": instrument,
            "trace_id": f"t{number}",
            "fee": round(cost, 8),
            "slippage_usd": round(cost / 3, 8),
        }
        quantity = units / 1_000
        if what == "entry":
            side = position.side if position else (LONG if units % 2 else SHORT)
            books.apply(fill("entry", side, quantity, price, **common))
            account.book(-round(cost, 8) - round(cost / 3, 8))
        elif what == "exit" and position:
            held = position.quantity if to_flat else min(position.quantity, quantity)
            account.book((price - position.average_price) * position.side * held)
            account.book(-round(cost, 8) - round(cost / 3, 8))
            trade = books.apply(fill("exit", -position.side, held, price, **common))
            if trade is not None:
                trades.append(trade)
        elif what == "funding":
            for paid in books.settle_funding(Funding(instrument, number, cost / 1_000 - 0.002), price):
                account.book(paid.amount_usd)
        elif what == "mark" and position:
            position.mark = price
        elif what == "protect":
            books.protect(Protection(number, "t", strategy, instrument, price, quantity))
        equity = books.cash_usd + books.margin_usd + books.unrealised_usd
        assert equity == pytest.approx(books.equity, abs=1e-6)
        assert float(account.balance) == pytest.approx(books.balance, abs=2e-8 * (number + 1))
        assert books.open_risk_usd >= 0.0
        assert books.gross_usd >= abs(books.net_usd) - 1e-6
        booked = sum(t.net_usd for t in trades) + sum(
            p.gross_usd - p.fees_usd - p.slippage_usd + p.funding_usd for p in books.positions.values()
        )
        assert books.balance - books.start_balance == pytest.approx(booked, abs=1e-6)
    again = Books(0.0, 3.0)
    again.load(json.loads(json.dumps(books.state())))
    assert again.state() == books.state()
    assert again.equity == books.equity
