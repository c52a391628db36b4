"""Higher timeframes as the router publishes them, on real history with a hole, against pandas `resample`."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import pytest
from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import ActorId

from actors.router import RouterActor
from actors.toolbox import ToolRegistry
from catalog.feed import EngineFeed
from catalog.instants import RunWindow, open_bucket_bars, run_instants
from catalog.store import Catalog
from crupto_nautilus.config import load_config
from crupto_nautilus.desk.engine import make_engine, play
from crupto_nautilus.desk.window import choose_market
from risk.clock import DeskClock
from risk.vocabulary import DAY_NS, MINUTE_NS, Bar, Instant
from strategies import bus
from tests.acceptance.conftest import RealRuns
from tests.acceptance.desk_runs import ns

pytestmark = pytest.mark.data

HIGHER = (15, 60, 240)
START, END = "2023-03-20 09:35", "2023-03-28 17:20"  # both inside open buckets of all higher timeframes
HOLE = ("2023-03-24 12:40", "2023-03-24 14:00")  # opens of the 16 bars that nobody has

Reorder = Callable[[Instant], Instant]


class Listener(DataActor):
    """Keeps every instant the router publishes."""

    def setup(self) -> Listener:
        self.heard: list[Instant] = []
        return self

    def on_start(self) -> None:
        self.subscribe_topic(bus.INSTANT, self.heard.append, 1)


def published(catalog: Catalog, window: RunWindow, instants: Iterable[Instant]) -> list[Instant]:
    """Run a router alone in the engine and return what it published."""
    names = window.instruments
    rules = dict(
        choose_market(catalog, names, window.start_ns, window.end_ns, None, load_config(env={})).rules
    )
    engine = make_engine(rules, 1_000.0, charge=True)
    listener = Listener(DataActorConfig(actor_id=ActorId("LISTENER-001"))).setup()
    router = RouterActor(DataActorConfig(actor_id=ActorId("ROUTER-001")))
    router.connect("run", DeskClock(), ToolRegistry())
    seed = open_bucket_bars(catalog, window, max(HIGHER))
    router.setup(window.base_minutes, HIGHER, (), seed, window.start_ns)
    engine.add_actor(listener)
    engine.add_actor(router)
    play(engine, EngineFeed(rules, window.base_minutes), instants, 3 * DAY_NS)
    engine.dispose()
    assert not router.unsettled
    return listener.heard


def in_order(instant: Instant) -> Instant:
    return instant


def shuffled(instant: Instant) -> Instant:
    """Return the instant with its bars in another order (the same in every run of the test)."""
    draw = random.Random(instant.ts_event)
    return instant._replace(
        bars={m: tuple(draw.sample(group, len(group))) for m, group in instant.bars.items()}
    )


@pytest.fixture(scope="module")
def window(real_runs: RealRuns) -> tuple[Catalog, RunWindow]:
    catalog = Catalog(real_runs.catalog("spot"))
    start, end = ns(START), ns(END)
    assert start is not None
    assert end is not None
    return catalog, RunWindow(dict.fromkeys(catalog.instruments(), 5), start, end)


def by_frame(instants: Iterable[Instant]) -> dict[tuple[str, int], list[Bar]]:
    """Return the higher bars by instrument and timeframe, in order of publication."""
    found: dict[tuple[str, int], list[Bar]] = defaultdict(list)
    for instant in instants:
        for minutes in HIGHER:
            for bar in instant.bars.get(minutes, ()):
                found[bar.instrument, minutes].append(bar)
    return found


def resampled(market: Path, name: str, minutes: int) -> list[tuple[int, ...]]:
    """Return rows (close time, open, high, low, close, volume) made by pandas from the raw file."""
    raw = pd.read_parquet(market / "spot_5m" / f"{name.replace('-PERP', '')}.5m.parquet")
    raw = raw.set_index(pd.to_datetime(raw["ts_utc"]))
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    bars = raw.resample(f"{minutes}min", label="right", closed="left").agg(how).dropna(subset="open")  # type: ignore[arg-type]
    stamps = bars.index.as_unit("ns").asi8
    start, end = ns(START), ns(END)
    inside = (stamps > start) & (stamps <= end)
    return list(zip(stamps[inside].tolist(), *(bars[k][inside].tolist() for k in how), strict=True))


@pytest.mark.parametrize("reorder", [in_order, shuffled])
def test_published_bars_equal_pandas_resample_to_the_last_bit(
    real_runs: RealRuns, window: tuple[Catalog, RunWindow], reorder: Reorder
) -> None:
    catalog, run = window
    frames = by_frame(published(catalog, run, map(reorder, run_instants(catalog, run))))
    assert len(frames) == 5 * len(HIGHER)
    for (name, minutes), bars in frames.items():
        assert [bar[2:] for bar in bars] == resampled(real_runs.market, name, minutes), (name, minutes)


def test_buckets_in_the_hole_are_left_out_and_the_open_one_comes_at_the_next_instant(
    window: tuple[Catalog, RunWindow],
) -> None:
    catalog, run = window
    hole = tuple(ns(moment) or 0 for moment in HOLE)
    instants = published(catalog, run, run_instants(catalog, run))
    assert not [i for i in instants if hole[0] < i.ts_event <= hole[1]]
    first = next(i for i in instants if i.ts_event > hole[1])
    late = {(bar.minutes, bar.ts_event) for m in HIGHER for bar in first.bars.get(m, ())}
    assert late == {(15, ns("2023-03-24 12:45")), (60, ns("2023-03-24 13:00"))}
    stamps = {bar.ts_event for i in instants for bar in i.bars.get(15, ())}
    assert not {ns("2023-03-24 13:00"), ns("2023-03-24 13:30"), ns("2023-03-24 14:00")} & stamps


def test_the_order_of_arrival_inside_an_instant_changes_nothing_that_was_built(
    window: tuple[Catalog, RunWindow],
) -> None:
    catalog, run = window
    straight = published(catalog, run, run_instants(catalog, run))
    mixed = published(catalog, run, map(shuffled, run_instants(catalog, run)))
    assert [i.ts_event for i in straight] == [i.ts_event for i in mixed]
    for a, b in zip(straight, mixed, strict=True):
        assert list(a.bars) == list(b.bars)  # slowest first
        assert all(a.bars[m] == b.bars[m] for m in HIGHER if m in a.bars)
        assert sorted(a.bars[5]) == sorted(b.bars[5])


def test_a_fine_bar_that_comes_late_but_before_its_bucket_closes_changes_nothing(
    window: tuple[Catalog, RunWindow],
) -> None:
    """Every bar that does not close a quarter of an hour is held back to the next instant."""
    catalog, run = window
    held: list[Bar] = []

    def delayed() -> Iterable[Instant]:
        for instant in run_instants(catalog, run):
            bars = [*held, *instant.bars.get(5, ())]
            held.clear()
            closing = instant.ts_event % (15 * MINUTE_NS) == 0
            odd = [
                bar
                for bar in bars
                if bar.instrument < "C" and bar.ts_event == instant.ts_event and not closing
            ]
            held.extend(odd)
            yield instant._replace(bars={5: tuple(bar for bar in bars if bar not in odd)})

    straight = by_frame(published(catalog, run, run_instants(catalog, run)))
    late = by_frame(published(catalog, run, delayed()))
    hole = tuple(ns(moment) or 0 for moment in HOLE)
    for key, bars in straight.items():
        outside = [bar for bar in bars if not hole[0] < bar.ts_event <= hole[1] + 15 * MINUTE_NS]
        assert [bar for bar in late[key] if not hole[0] < bar.ts_event <= hole[1] + 15 * MINUTE_NS] == outside
