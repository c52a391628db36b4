"""From a catalog to instants: what lies in each, in which order, and what warms a start up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from catalog.instants import RunWindow, open_bucket_bars, run_instants, warm_instants
from catalog.store import Catalog
from risk.vocabulary import DAY_NS, HOUR_NS, MINUTE_NS, Funding, Instant, Quote
from tests.fakes.markets import START_NS, bar_arrays, from_closes, write_catalog

BTC, ETH, SOL = (f"{coin}USDT-PERP.BINANCE" for coin in ("BTC", "ETH", "SOL"))
STEP = 5 * MINUTE_NS


def closes(count: int, first: float = 100.0) -> list[float]:
    return [first + k % 7 for k in range(count)]


def at(k: int) -> int:
    """Return the close of the k-th 5m bar."""
    return START_NS + k * STEP


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """5m bars, 40 of them but 35 to 37; ETH lacks 6 to 9 too.  BTC and SOL settle at bar 12, BTC at 36."""
    folder = tmp_path_factory.mktemp("catalog")
    shared = np.array([k for k in range(40) if not 34 <= k <= 36], np.int64)
    eth = shared[(shared < 5) | (shared > 8)]
    rows = {SOL: (closes(40, 10.0), shared), BTC: (closes(40), shared), ETH: (closes(40, 50.0), eth)}
    markets = {name: bar_arrays(from_closes(prices), 5).take(kept) for name, (prices, kept) in rows.items()}
    return write_catalog(
        folder, markets, 5,
        funding={BTC: [(at(12), 0.0001), (at(36), 0.0002)], SOL: [(at(12), -0.0003)]},
        marks={BTC: [(START_NS + HOUR_NS, 101.5)]},
        references={ETH: [(START_NS + HOUR_NS, 50.5)]},
    )  # fmt: skip


def window(*names: str, start: int = START_NS, end: int = at(40)) -> RunWindow:
    return RunWindow(dict.fromkeys(names, 5), start, end)


def test_bars_of_an_instant_are_ordered_by_instrument_whatever_the_window_says(held: Catalog) -> None:
    found = list(run_instants(held, window(SOL, ETH, BTC)))
    assert [bar.instrument for bar in found[0].bars[5]] == [BTC, ETH, SOL]
    assert all(bar.ts_event == i.ts_event for i in found for bar in i.bars.get(5, ()))
    stamps = [i.ts_event for i in found]
    assert stamps == sorted(set(stamps))


def test_a_missing_bar_leaves_its_instrument_out_of_the_instant(held: Catalog) -> None:
    found = {i.ts_event: i for i in run_instants(held, window(BTC, ETH))}
    assert [bar.instrument for bar in found[at(5)].bars[5]] == [BTC, ETH]
    for k in (6, 7, 8, 9):
        assert [bar.instrument for bar in found[at(k)].bars[5]] == [BTC]


def test_funding_lies_at_its_settlement_with_bars_or_without(held: Catalog) -> None:
    found = list(run_instants(held, window(BTC, ETH, SOL)))
    settled = {i.ts_event: i for i in found if i.funding}
    assert list(settled) == [at(12), at(36)]
    assert settled[at(12)].funding == (Funding(BTC, at(12), 0.0001), Funding(SOL, at(12), -0.0003))
    assert len(settled[at(12)].bars[5]) == 3
    alone = settled[at(36)]
    assert alone.bars == {}
    position = found.index(alone)
    assert (found[position - 1].ts_event, found[position + 1].ts_event) == (at(34), at(38))


def test_marks_and_references_lie_at_the_close_at_which_they_were_known(held: Catalog) -> None:
    found = {i.ts_event: i for i in run_instants(held, window(BTC, ETH))}
    hour = found[START_NS + HOUR_NS]
    assert hour.marks == ((BTC, 101.5),)
    assert hour.references == ((ETH, 50.5),)
    assert sum(bool(i.marks or i.references) for i in found.values()) == 1


def test_the_window_is_open_at_its_start_and_closed_at_its_end(held: Catalog) -> None:
    found = list(run_instants(held, window(BTC, start=at(3), end=at(6))))
    assert [i.ts_event for i in found] == [at(4), at(5), at(6)]
    assert not any(i.funding for i in found)


def test_quotes_outside_of_the_window_are_left_out(held: Catalog) -> None:
    quotes = {BTC: tuple(Quote(BTC, at(k), 99.0, 101.0) for k in (2, 4, 8))}
    wanted = RunWindow({BTC: 5}, at(3), at(6), quotes)
    found = [i for i in run_instants(held, wanted) if i.quotes]
    assert [i.ts_event for i in found] == [at(4)]


def test_a_window_without_anything_yields_nothing(held: Catalog) -> None:
    assert list(run_instants(held, window(BTC, start=at(50), end=at(60)))) == []


def test_settlements_after_the_last_bar_still_have_their_instants(tmp_path: Path) -> None:
    market = {BTC: from_closes(closes(3))}
    held = write_catalog(tmp_path, market, 5, funding={BTC: [(at(12), 0.0001)]})
    found = list(run_instants(held, RunWindow({BTC: 5}, START_NS, at(20))))
    assert [i.ts_event for i in found] == [at(1), at(2), at(3), at(12)]


# --- warm-up ----------------------------------------------------------------------------------------------


def counts(instants: list[Instant]) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for instant in instants:
        for minutes, bars in instant.bars.items():
            for bar in bars:
                found[bar.instrument, minutes] = found.get((bar.instrument, minutes), 0) + 1
    return found


def test_warm_up_ends_at_the_start_and_leads_to_no_signal(held: Catalog) -> None:
    found = list(warm_instants(held, (BTC, ETH, SOL), at(15), {5: 4, 15: 2}, 0))
    assert all(i.warm_only for i in found)
    assert max(i.ts_event for i in found) == at(15)
    assert counts(found)[BTC, 5] >= 4
    assert counts(found)[BTC, 15] >= 2
    both = next(i for i in found if i.ts_event == at(15))
    assert list(both.bars) == [15, 5]  # slowest first
    assert [bar.instrument for bar in both.bars[15]] == [BTC, ETH, SOL]


def test_a_gap_before_the_start_does_not_shorten_the_warm_up(tmp_path: Path) -> None:
    """Bars are counted, not hours: two days without data still leave the windows full."""
    bars = bar_arrays(from_closes(closes(3 * 288 + 10)), 5)
    keep = np.r_[0:288, 3 * 288 : 3 * 288 + 10]
    held = write_catalog(tmp_path, {BTC: bars.take(keep)}, 5)
    start = int(bars.ts_event[-1])
    found = list(warm_instants(held, (BTC,), start, {5: 100, 60: 20}, 0))
    assert counts(found)[BTC, 5] >= 100
    assert counts(found)[BTC, 60] >= 20


def test_a_history_that_is_too_short_is_given_whole(held: Catalog) -> None:
    found = list(warm_instants(held, (BTC,), at(15), {5: 1000}, 0))
    assert counts(found) == {(BTC, 5): 15}


def test_coarse_bars_serve_where_the_fine_history_is_too_short(tmp_path: Path) -> None:
    hours = closes(48)
    write_catalog(tmp_path, {BTC: from_closes(hours)}, 60)
    fine = [x for a, b in zip(hours[-3:], hours[-2:], strict=False) for x in np.linspace(a, b, 13)[1:]]
    start = START_NS + 48 * HOUR_NS
    rows = from_closes([hours[-3], *fine], volume=1000.0 / 12)[1:]
    held = write_catalog(tmp_path, {BTC: rows}, 5, start_ns=start - 2 * HOUR_NS, label="other")
    found = counts(list(warm_instants(held, (BTC,), start, {5: 100, 60: 40, 240: 8}, 0)))
    assert found[BTC, 5] == 24
    assert found[BTC, 60] >= 40
    assert found[BTC, 240] >= 8


def test_an_instrument_too_coarse_for_a_timeframe_is_warmed_without_it(tmp_path: Path) -> None:
    held = write_catalog(tmp_path, {BTC: from_closes(closes(48))}, 60)
    found = counts(list(warm_instants(held, (BTC,), START_NS + 40 * HOUR_NS, {5: 100, 60: 10}, 0)))
    assert set(found) == {(BTC, 60)}


def test_settled_funding_is_warmed_for_the_days_asked(tmp_path: Path) -> None:
    rates = [(START_NS + k * 8 * HOUR_NS, 0.0001 * k) for k in range(1, 31)]
    held = write_catalog(tmp_path, {BTC: from_closes(closes(240))}, 60, funding={BTC: rates})
    start = START_NS + 10 * DAY_NS
    found = [f.ts_event for i in warm_instants(held, (BTC,), start, {60: 2}, 3) for f in i.funding]
    assert found == [start - k * 8 * HOUR_NS for k in range(8, -1, -1)]


# --- open buckets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "expected"), [(at(7), range(1, 8)), (at(12), range(1, 13))])
def test_open_buckets_are_seeded_with_their_fine_bars(held: Catalog, start: int, expected: range) -> None:
    seed = open_bucket_bars(held, window(BTC, start=start), 240)
    assert [bar.ts_event for bar in seed[BTC]] == [at(k) for k in expected]


def test_a_start_on_a_boundary_has_nothing_open(held: Catalog) -> None:
    assert open_bucket_bars(held, window(BTC, start=at(12)), 60) == {BTC: []}
