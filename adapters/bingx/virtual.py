"""One round trip on a VST account through the adapter itself: a live node opens a position and closes it.

Guarantees: virtual money only (the host list and the balance row of the execution client decide, before any
order); the same run id never opens twice, its order ids are derived from it; whatever fails, the position is
closed again or the error says that it is not; every order, position and trade of the result carries the
virtual asset it was made in.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from nautilus_trader.common import Environment, LoggerConfig, LogLevel
from nautilus_trader.live import (
    DataClientConfig,
    ExecutionClientConfig,
    LiveNode,
)
from nautilus_trader.model import ClientOrderId, InstrumentId, OrderSide, StrategyId, TraderId
from nautilus_trader.trading import Strategy, StrategyConfig

from adapters.bingx.account_guard import virtual_balance
from adapters.bingx.account_rows import positions
from adapters.bingx.config import DataSettings, ExecutionSettings
from adapters.bingx.constants import VENUE
from adapters.bingx.errors import BingxError, SafetyStop
from adapters.bingx.execution import BingxExecutionClient
from adapters.bingx.factories import data_factory, engine_config, execution_factory
from adapters.bingx.rest import POSITIONS, BingxRest

NOTIONAL_USD = Decimal(10)
CHECK_MS = 50


@dataclass(frozen=True, slots=True)
class VirtualOrder:
    """An order as it ended; quantities in base coins, `average_price` in USDT."""

    client_order_id: str
    venue_order_id: str
    side: str
    quantity: str
    filled: str
    average_price: float
    status: str
    virtual_asset: str


@dataclass(frozen=True, slots=True)
class VirtualPosition:
    """The position between the two orders."""

    symbol: str
    side: str
    quantity: str
    average_price: float
    virtual_asset: str


@dataclass(frozen=True, slots=True)
class VirtualTrade:
    """A fill; the fee is what was paid, in the virtual asset."""

    trade_id: str
    client_order_id: str
    side: str
    price: str
    quantity: str
    fee: float
    ts_event_ns: int
    virtual_asset: str


@dataclass(frozen=True, slots=True)
class VirtualCycle:
    """What a round trip did; `pnl` is after fees, in the virtual asset."""

    run_id: str
    symbol: str
    virtual_asset: str
    open_order: VirtualOrder
    close_order: VirtualOrder
    position: VirtualPosition
    trades: tuple[VirtualTrade, ...]
    pnl: float

    @property
    def orders(self) -> tuple[VirtualOrder, VirtualOrder]:
        """Both orders."""
        return self.open_order, self.close_order


def run_virtual_vst_cycle(
    settings: ExecutionSettings,
    run_id: str,
    *,
    symbol: str = "BTC-USDT",
    quantity: Decimal | None = None,
    short: bool = False,
    timeout_s: float = 60.0,
) -> VirtualCycle:
    """Open and close a position at market on a VST account and return what happened.

    Parameters
    ----------
    settings : ExecutionSettings
        Account and addresses; the market data comes from the same host.
    run_id : str
        Names the round trip; order ids follow from it.
    quantity : Decimal, optional
        Base coins; some ten dollars when left out.
    timeout_s : float
        Real seconds for the whole of it.

    Raises
    ------
    SafetyStop
        The host or the account could hold real money, or the account is not flat in the symbol.
    BingxError
        The round trip did not come to its end.
    """
    asyncio.run(_require_demo_account(settings, symbol))
    clients: list[Any] = []
    node = _node(settings, symbol, clients)
    strategy = _RoundTrip(StrategyConfig(strategy_id=StrategyId("VIRTUAL-001")))
    strategy.prepare(run_id, symbol, settings.virtual_asset, quantity, short=short, timeout_s=timeout_s)
    node.add_strategy(strategy)
    try:
        node.run()
    except RuntimeError as error:  # a client that could not connect
        raise BingxError(
            "the demo account cannot be traded with",
            found="; ".join(_problems(clients)) or str(error),
            expected="a VST account that can be reached",
            remedy="crupto vst check",
        ) from error
    finally:
        node.dispose()
        del node
        gc.collect()  # the engine allows one node a thread
    return strategy.result(_problems(clients))


async def _require_demo_account(settings: ExecutionSettings, symbol: str) -> None:
    """Refuse what is not a demo account that is flat in the symbol, before a node is built."""
    settings.endpoints.require_virtual()
    rest = BingxRest(
        settings.endpoints, settings.credentials, timeout_s=settings.timeout_s, timebase=settings.timebase
    )
    try:
        await rest.open()
        await virtual_balance(rest, settings.virtual_asset)
        if positions(await rest.call(POSITIONS, {"symbol": symbol})):
            raise SafetyStop(
                f"the demo account holds a position in {symbol}",
                expected="none: the round trip would be mixed up with it",
                remedy="close it, or choose another symbol",
            )
    finally:
        await rest.close()


def _node(settings: ExecutionSettings, symbol: str, clients: list[Any]) -> LiveNode:
    data = DataSettings(
        endpoints=settings.endpoints,
        symbols=(symbol,),
        timeout_s=settings.timeout_s,
        stream=settings.stream,
        timebase=settings.timebase,
    )
    built: LiveNode = (
        LiveNode.builder("VIRTUAL", TraderId("VIRTUAL-001"), Environment.SANDBOX)
        .with_logging(LoggerConfig(stdout_level=LogLevel.OFF))
        .with_delay_post_stop_secs(1)
        .with_timeout_connection(30)
        .with_timeout_disconnection_secs(5)
        .with_exec_engine_config(engine_config(startup_delay_s=0.5))
        .add_data_client(VENUE, data_factory(data), DataClientConfig())
        .add_exec_client(VENUE, execution_factory(settings, clients.append), ExecutionClientConfig())
        .build()
    )
    return built


def _problems(clients: Iterable[Any]) -> list[str]:
    return [p for client in clients if isinstance(client, BingxExecutionClient) for p in client.problems]


def order_id(run_id: str, role: str) -> str:
    """Return the client order id of a role (open, close): lower case, the same for the same run."""
    digest = hashlib.sha256(f"virtual|{run_id}|{role}".encode()).digest()
    return "vst-" + base64.b32encode(digest[:15]).decode().lower()


class _RoundTrip(Strategy):
    """Opens on the first quote, closes when filled, ends when flat."""

    def prepare(
        self,
        run_id: str,
        symbol: str,
        asset: str,
        quantity: Decimal | None,
        *,
        short: bool,
        timeout_s: float,
    ) -> None:
        self._run_id, self._symbol, self._asset, self._quantity = run_id, symbol, asset, quantity
        self._sides = (OrderSide.SELL, OrderSide.BUY) if short else (OrderSide.BUY, OrderSide.SELL)
        self._instrument_id = InstrumentId.from_str(f"{symbol}.{VENUE}")
        self._left = timeout_s * 1000
        self._sent: list[Any] = []
        self._fills: list[Any] = []
        self._rejection = ""
        self._position: VirtualPosition | None = None
        self._done = False

    def on_start(self) -> None:
        self.subscribe_quotes(self._instrument_id)
        self.clock.set_timer("check", timedelta(milliseconds=CHECK_MS), callback=self._check)

    def on_order_event(self, event: Any) -> None:
        if hasattr(event, "last_qty"):
            self._fills.append(event)
        if type(event).__name__ in {"OrderRejected", "OrderDenied"}:
            self._rejection = f"{event.client_order_id}: {event.reason}"

    def _check(self, _: Any) -> None:
        self._left -= CHECK_MS
        if self._done:
            return
        held = self.cache.positions_open(instrument_id=self._instrument_id)
        if not self._sent:
            if self.cache.quote(self._instrument_id) is not None:
                self._send("open", self._sides[0], self._size(), reduce_only=False)
        elif len(self._sent) == 1 and self._is_closed(0) and held:
            self._remember(held[0])
            self._send("close", self._sides[1], held[0].quantity, reduce_only=True)
        elif len(self._sent) == 2 and self._is_closed(1) and not held:
            self._end()
        if self._left <= 0 or (self._rejection and len(self._sent) == 1):
            self._end()

    def _size(self) -> Any:
        instrument: Any = self.cache.instrument(self._instrument_id)
        quote: Any = self.cache.quote(self._instrument_id)
        if self._quantity is not None:
            return instrument.make_qty(float(self._quantity))
        price = Decimal(str(quote.ask_price))
        step = Decimal(str(instrument.size_increment))
        wanted = (NOTIONAL_USD / price).quantize(step, ROUND_UP)
        smallest = Decimal(str(instrument.min_quantity)) if instrument.min_quantity else step
        return instrument.make_qty(float(max(wanted, smallest)))

    def _send(self, role: str, side: Any, quantity: Any, *, reduce_only: bool) -> None:
        order = self.order_factory.market(
            self._instrument_id,
            side,
            quantity,
            reduce_only=reduce_only,
            client_order_id=ClientOrderId(order_id(self._run_id, role)),
            tags=[f"virtual_asset={self._asset}"],
        )
        self._sent.append(order.client_order_id)
        self.submit_order(order)

    def _is_closed(self, which: int) -> bool:
        order = self.cache.order(self._sent[which])
        return order is not None and bool(order.is_closed)

    def _remember(self, held: Any) -> None:
        self._position = VirtualPosition(
            symbol=self._symbol,
            side="long" if held.signed_qty > 0 else "short",
            quantity=str(held.quantity),
            average_price=float(held.avg_px_open),
            virtual_asset=self._asset,
        )

    def _end(self) -> None:
        self._done = True
        self._orders = tuple(self._order(client_id) for client_id in self._sent)
        self._left_open = [
            f"{p.signed_qty:g}" for p in self.cache.positions_open(instrument_id=self._instrument_id)
        ]
        self.shutdown_system("the round trip is over")

    def _order(self, client_id: Any) -> VirtualOrder:
        order: Any = self.cache.order(client_id)
        return VirtualOrder(
            client_order_id=str(client_id),
            venue_order_id=str(order.venue_order_id or ""),
            side="buy" if order.side == OrderSide.BUY else "sell",
            quantity=str(order.quantity),
            filled=str(order.filled_qty),
            average_price=float(order.avg_px or 0.0),
            status=order.status.name,
            virtual_asset=self._asset,
        )

    def result(self, problems: list[str]) -> VirtualCycle:
        """Return the round trip, or raise what kept it from its end."""
        if not self._done:
            raise BingxError(
                "the demo account cannot be traded with",
                found="; ".join(problems) or "the node ended before the first quote",
                expected="a flat VST account that can be reached",
                remedy="crupto vst check",
            )
        if len(self._orders) != 2 or self._position is None or self._left_open:
            left = f"a position of {', '.join(self._left_open)} is left; " if self._left_open else ""
            raise BingxError(
                "the round trip did not come to its end",
                found=left + (self._rejection or f"{len(self._orders)} orders sent within the time"),
                expected="an opened and a closed position",
                remedy=f"look at {self._symbol} on the demo account",
            )
        opened, closed = self._orders
        trades = tuple(self._trade(event) for event in self._fills)
        flow = sum(Decimal(t.price) * Decimal(t.quantity) * (1 if t.side == "sell" else -1) for t in trades)
        pnl = float(flow) - sum(t.fee for t in trades)
        return VirtualCycle(
            self._run_id, self._symbol, self._asset, opened, closed, self._position, trades, pnl
        )

    def _trade(self, event: Any) -> VirtualTrade:
        return VirtualTrade(
            trade_id=str(event.trade_id),
            client_order_id=str(event.client_order_id),
            side="buy" if event.order_side == OrderSide.BUY else "sell",
            price=str(event.last_px),
            quantity=str(event.last_qty),
            fee=event.commission.as_double(),
            ts_event_ns=int(event.ts_event),
            virtual_asset=self._asset,
        )
