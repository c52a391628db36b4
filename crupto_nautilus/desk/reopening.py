"""Back into the simulated venue after a restart: at which price, with which balance, by which marks.

The sandbox starts flat.  One flat bar an instrument gives it a market at the last close before the restart,
with volume for any size; the strategies open again what they held there, and the account begins with the
balance at which its equity is the one of the ledger.

Guarantees: no resting order would fill or be refused at the price of that bar; nothing of it reaches the
ledger; the account's equity after it equals the ledger's, funding apart (the sandbox settles none).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from catalog.feed import RESTORE, RESTORED, EngineFeed, mark
from crupto_nautilus.desk.assembly import Desk
from crupto_nautilus.desk.checkpoint import Resumed
from risk.rounding import price_down, price_up
from risk.vocabulary import Bar, InstrumentRules

_ANY_SIZE: Final = 1e9  # volume of the bar, in coins


def reopening_prices(resume: Resumed, rules: Mapping[str, InstrumentRules]) -> dict[str, float]:
    """Return the price at which each instrument is opened again.

    That is the last close, or a tick beside it where a resting order touches it: a limit that was touched
    still rests, but could not be placed anew as one that must not take.
    """
    prices = {}
    for name, last in resume.prices.items():
        tick, digits = rules[name].tick, rules[name].price_digits
        lowest, highest = 0.0, float("inf")
        for order in _resting(resume, name):
            # A buy limit and a sell stop lie below the market, a sell limit and a buy stop above it.
            below = (order["side"] > 0) == (order["order_type"] == "limit")
            if below:
                lowest = max(lowest, order["price"] + tick)
            else:
                highest = min(highest, order["price"] - tick)
        price = min(max(last, lowest), highest)
        prices[name] = (price_up if price > last else price_down)(price, tick, digits)
    return prices


def opening_balance(resume: Resumed, prices: Mapping[str, float]) -> float:
    """Return the balance with which the sandbox's equity is the ledger's."""
    books = resume.books
    moved = sum(
        p["side"] * p["quantity"] * (prices[p["instrument"]] - p["average_price"]) for p in books["positions"]
    )
    return float(books["balance"] - books["funding_usd"] + moved)


def reopening_marks(
    resume: Resumed, rules: Mapping[str, InstrumentRules], base_minutes: Mapping[str, int], feed: EngineFeed
) -> list[Any]:
    """Return what a feed emits before the first instant of a resumed run, in order."""
    ts = resume.begin_ns
    bars = [
        feed.engine_bar(Bar(name, base_minutes[name], ts, price, price, price, price, _ANY_SIZE), ts)
        for name, price in sorted(reopening_prices(resume, rules).items())
    ]
    return [*bars, mark(ts, RESTORE), mark(ts, RESTORED)]


def reopening_difference(cache: Any, desk: Desk) -> float:
    """Return what the account's balance owes to positions that were opened again at another price.

    The account counts from the price of the reopening, the ledger from the real average: the difference is
    gone once the position is closed.
    """
    if desk.plan.resume is None:
        return 0.0
    names = {str(strategy.strategy_id): strategy.strategy_name for strategy in desk.strategies}
    total = 0.0
    for position in cache.positions_open():
        key = (names.get(str(position.strategy_id), ""), str(position.instrument_id))
        held = desk.risk_desk.books.positions.get(key)
        if held is not None:
            opened = float(position.avg_px_open)
            total += held.side * held.quantity * (opened - held.average_price)
    return total


def _resting(resume: Resumed, instrument: str) -> Iterable[dict[str, Any]]:
    for strategy in resume.state["strategies"].values():
        for slot in strategy["slots"]:
            if slot["signal"]["instrument"] == instrument:
                yield from (order for order in slot["orders"] if order["price"] > 0.0)
