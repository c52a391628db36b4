"""The backtest engine of the desk: the simulated venue with its instruments, and instants streamed through
it.

Guarantees: at each moment the engine sees OPEN, the fine bars, funding and CLOSE in this order; data is
loaded in chunks, so memory does not grow with the window; finished orders are purged (the run folder keeps
them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import LoggerConfig, LogLevel
from nautilus_trader.execution import ExecutionEngineConfig
from nautilus_trader.model import Venue
from nautilus_trader.risk import RiskEngineConfig

from adapters.simulated import ORDER_RATE, DeskFeeModel, perpetual, venue_arguments
from catalog.feed import CLOSE, END, OPEN, EngineFeed, feed_client, in_chunks, mark
from catalog.symbols import parse_instrument
from risk.vocabulary import Instant, InstrumentRules


def make_engine(rules: Mapping[str, InstrumentRules], equity: float, *, charge: bool) -> BacktestEngine:
    """Return an engine with the simulated venue and its instruments; purging keeps long runs flat."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggerConfig(stdout_level=LogLevel.ERROR),
            run_analysis=False,
            risk_engine=RiskEngineConfig(max_order_submit_rate=ORDER_RATE, max_order_modify_rate=ORDER_RATE),
            exec_engine=ExecutionEngineConfig(
                purge_closed_orders_interval_mins=60,
                purge_closed_orders_buffer_mins=60,
                purge_closed_positions_interval_mins=60,
                purge_closed_positions_buffer_mins=60,
                purge_account_events_interval_mins=60,
                purge_account_events_lookback_mins=60,
            ),
        )
    )
    names = sorted(rules)
    venue = Venue(names[0].rpartition(".")[2])
    engine.add_venue(**venue_arguments(venue, equity, DeskFeeModel(rules, charge)))
    for name in names:
        engine.add_instrument(perpetual(rules[name], parse_instrument(name).base))
    return engine


def play(
    engine: BacktestEngine,
    feed: EngineFeed,
    instants: Iterable[Instant],
    span_ns: int,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Play instants through an engine from the first to the END mark."""
    end_of_data(engine, feed, stream(engine, feed, instants, span_ns, progress))


def stream(
    engine: BacktestEngine,
    feed: EngineFeed,
    instants: Iterable[Instant],
    span_ns: int,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Stream instants in chunks: OPEN, fine bars, funding, CLOSE at each moment; return the last moment.

    More may follow in another call; how the instants are cut changes nothing.
    """
    last, client = 0, feed_client(feed.venue)
    for chunk in in_chunks(instants, span_ns):
        opens = [mark(i.ts_event, OPEN) for i in chunk]
        bars = [feed.engine_bar(bar, i.ts_event) for i in chunk for group in i.bars.values() for bar in group]
        updates = [update for i in chunk for update in feed.settlement(i)]
        closes = [mark(i.ts_event, CLOSE, i) for i in chunk]
        engine.add_data(opens, client_id=client, sort=False)
        if bars:
            engine.add_data(bars, validate=False, sort=False)
        for update in updates:
            engine.add_data([update], validate=False, sort=False)
        engine.add_data(closes, client_id=client, sort=False)
        last = chunk[-1].ts_event
        engine.sort_data()  # stable: OPEN, bars, funding, CLOSE at equal ts_init
        engine.run(streaming=True)
        engine.clear_data()
        if progress is not None:
            progress(last)
    return last


def end_of_data(engine: BacktestEngine, feed: EngineFeed, last: int) -> None:
    """Say that no more instants follow the one at `last` (0: there was none)."""
    if last:
        engine.add_data([mark(last, END)], client_id=feed_client(feed.venue), sort=False)
        engine.sort_data()
        engine.run(streaming=True)
    engine.end()
