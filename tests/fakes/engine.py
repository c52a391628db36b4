"""A small engine run for tests of engine behaviour: scripted bars, one strategy, everything it heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nautilus_trader.backtest import BacktestEngine
from nautilus_trader.model import (
    ClientOrderId,
    InstrumentId,
    OrderSide,
    Price,
    Quantity,
    StrategyId,
    TriggerType,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from catalog.feed import EngineFeed, bar_type
from crupto_nautilus.desk.engine import make_engine, play
from risk.vocabulary import MINUTE_NS, Bar, Funding, Instant, InstrumentRules

NAME = "BTC-USDT.TEST"
RULES = InstrumentRules(NAME, 2, 4, 0.01, 0.0001, 0.0001, 2.0, 0.0002, 0.0005)
START = 1_672_531_200_000_000_000  # 2023-01-01 00:00 UTC
MINUTES = 5

Ohlcv = tuple[float, float, float, float, float]
Step = Callable[["Script"], None]


class Script(Strategy):
    """Runs one step after each bar and keeps every order and position event."""

    def setup(self, steps: dict[int, Step]) -> Script:
        self.steps, self.n = steps, 0
        self.events: list[tuple[str, str, Any]] = []
        self.iid = InstrumentId.from_str(NAME)
        return self

    def on_start(self) -> None:
        self.subscribe_bars(bar_type(NAME, MINUTES))

    def on_bar(self, bar: Any) -> None:
        self.n += 1
        step = self.steps.get(self.n)
        if step is not None:
            step(self)

    def on_order_event(self, event: Any) -> None:
        self.events.append((type(event).__name__, str(event.client_order_id), event))

    def on_position_event(self, event: Any) -> None:
        self.events.append((type(event).__name__, "", event))

    # --- sending -------------------------------------------------------------------------------------------

    def market(self, name: str, side: int, quantity: float, reduce_only: bool = False) -> None:
        order = self.order_factory.market(
            self.iid, _side(side), _quantity(quantity), reduce_only=reduce_only, client_order_id=_id(name)
        )
        self.submit_order(order)

    def limit(
        self, name: str, side: int, quantity: float, price: float, *, post_only: bool = False,
        reduce_only: bool = False,
    ) -> None:  # fmt: skip
        order = self.order_factory.limit(
            self.iid,
            _side(side),
            _quantity(quantity),
            price=Price(price, 2),
            post_only=post_only,
            reduce_only=reduce_only,
            client_order_id=_id(name),
        )
        self.submit_order(order)

    def stop(
        self, name: str, side: int, quantity: float, price: float, tags: list[str] | None = None
    ) -> None:
        order = self.order_factory.stop_market(
            self.iid,
            _side(side),
            _quantity(quantity),
            trigger_price=Price(price, 2),
            trigger_type=TriggerType.LAST_PRICE,
            reduce_only=True,
            tags=tags,
            client_order_id=_id(name),
        )
        self.submit_order(order)

    def move(self, name: str, quantity: float, price: float) -> None:
        self.modify_order(_id(name), quantity=_quantity(quantity), trigger_price=Price(price, 2))

    # --- reading -------------------------------------------------------------------------------------------

    def kinds(self, name: str) -> list[str]:
        """Return the event kinds of an order, in order."""
        return [kind for kind, order_id, _ in self.events if order_id == name]

    def fills(self, name: str = "") -> list[tuple[float, float, int]]:
        """Return (quantity, price, ts) of the fills of an order, or of all."""
        return [
            (e.last_qty.as_double(), e.last_px.as_double(), e.ts_event)
            for kind, order_id, e in self.events
            if kind == "OrderFilled" and name in ("", order_id)
        ]


def instants(rows: Sequence[Ohlcv], funding: dict[int, float] | None = None) -> list[Instant]:
    """Return one instant per row; `funding` maps a row's number (from 1) to a settled rate."""
    made = []
    for k, row in enumerate(rows, start=1):
        ts = START + k * MINUTES * MINUTE_NS
        rate = (funding or {}).get(k)
        settled = () if rate is None else (Funding(NAME, ts, rate),)
        made.append(Instant(ts, {MINUTES: (Bar(NAME, MINUTES, ts, *row),)}, settled))
    return made


def ts_of(n: int) -> int:
    """Return the close of the n-th bar."""
    return START + n * MINUTES * MINUTE_NS


def run_script(
    rows: Sequence[Ohlcv],
    steps: dict[int, Step],
    *,
    equity: float = 10_000.0,
    funding: dict[int, float] | None = None,
    charge: bool = False,
    actors: Sequence[Any] = (),
) -> tuple[Script, BacktestEngine]:
    """Run a script over bars on the desk's own simulated venue."""
    engine = make_engine({NAME: RULES}, equity, charge=charge)
    script = Script(StrategyConfig(strategy_id=StrategyId("SCRIPT-001"))).setup(steps)
    engine.add_strategy(script)
    for actor in actors:
        engine.add_actor(actor)
    play(engine, EngineFeed({NAME: RULES}, {NAME: MINUTES}), iter(instants(rows, funding)), 10**18)
    return script, engine


def _side(side: int) -> OrderSide:
    return OrderSide.BUY if side > 0 else OrderSide.SELL


def _quantity(value: float) -> Quantity:
    return Quantity(value, 4)


def _id(name: str) -> ClientOrderId:
    return ClientOrderId(name)


__all__ = ["NAME", "RULES", "Script", "instants", "run_script", "ts_of"]
