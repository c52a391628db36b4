from __future__ import annotations

from pathlib import Path

import ccxt
import numpy as np
import pytest

from catalog.downloader import Request, download
from catalog.errors import CatalogError, CatalogIOError, UnknownInstrument
from catalog.schema import Kind
from catalog.store import Catalog
from catalog.venues import open_exchange, venue_of
from risk.vocabulary import HOUR_NS, MINUTE_NS
from tests.unit.catalog.rows import DAY0, bars, picked, with_row
from tests.unit.catalog.scripted_exchange import ScriptedExchange

BTC = "BTC-USDT.BINGX"
STEP = 5 * MINUTE_NS


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(tmp_path / "catalog")


def request(first: int, end: int) -> Request:
    return Request(BTC, 5, DAY0 + first * STEP, DAY0 + end * STEP)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("cap", [7, 10_000])
def test_every_closed_bar_of_the_window_is_fetched_once(
    catalog: Catalog, newest_first: bool, cap: int
) -> None:
    """A venue may cap its answers below the limit and may send them newest first."""
    exchange = ScriptedExchange(bars(0, 500), newest_first=newest_first, cap=cap)

    report = download(catalog, exchange, request(10, 210), page_rows=50)

    read = catalog.bars(BTC, 5)
    assert (read.close == bars(10, 200)["close"]).all()
    assert (report.rows, report.written) == (200, 200)
    assert catalog.manifest.parts[0].origin["symbol"] == "BTC/USDT:USDT"
    assert catalog.sources(BTC)[0].label == "real"


def test_every_request_has_both_bounds_inside_the_window(catalog: Catalog) -> None:
    exchange = ScriptedExchange(bars(0, 500))

    download(catalog, exchange, request(10, 210), page_rows=50)

    for since, until, _ in exchange.asked:
        assert DAY0 + 10 * STEP <= since * 10**6 < until * 10**6 < DAY0 + 210 * STEP
        assert until - since <= 50 * 5 * 60_000


def test_forming_bar_is_left_out_and_fetched_when_closed(catalog: Catalog) -> None:
    now = DAY0 + 20 * STEP + 2 * MINUTE_NS
    exchange = ScriptedExchange(with_row(bars(0, 21), 20, close=1.0, low=0.5), now_ns=now)
    download(catalog, exchange, request(0, 100))
    assert len(catalog.bars(BTC, 5)) == 20

    later = ScriptedExchange(bars(0, 40), now_ns=DAY0 + 30 * STEP + MINUTE_NS)
    report = download(catalog, later, request(0, 100))

    assert report.written == 10
    assert (catalog.bars(BTC, 5).close == bars(0, 30)["close"]).all()


def test_bar_that_closed_a_moment_ago_may_still_change_and_is_left_out(catalog: Catalog) -> None:
    exchange = ScriptedExchange(bars(0, 20), now_ns=DAY0 + 20 * STEP + 3 * 10**9, obeys_bounds=False)

    report = download(catalog, exchange, request(0, 20))

    assert len(catalog.bars(BTC, 5)) == 19
    assert report.unclosed == 1


def test_repeated_download_asks_for_nothing(catalog: Catalog) -> None:
    download(catalog, ScriptedExchange(bars(0, 500)), request(0, 200), page_rows=50)
    again = ScriptedExchange(bars(0, 500))

    report = download(catalog, again, request(0, 200), page_rows=50)

    assert again.asked == []
    assert (report.pages, report.pages_held, report.written) == (0, 4, 0)


def test_download_cut_off_keeps_what_it_has_and_resumes(catalog: Catalog) -> None:
    def cut(n: int) -> None:
        if n == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(catalog, ScriptedExchange(bars(0, 500), fail=cut), request(0, 200), page_rows=50)
    assert len(Catalog(catalog.path).bars(BTC, 5)) == 100
    resumed = ScriptedExchange(bars(0, 500))

    report = download(catalog, resumed, request(0, 200), page_rows=50)

    assert report.pages_held == 2
    assert len(resumed.asked) == 2
    assert (catalog.bars(BTC, 5).close == bars(0, 200)["close"]).all()


def test_only_the_missing_part_of_a_page_is_asked_for(catalog: Catalog) -> None:
    catalog.add(Kind.OHLCV, BTC, 5, picked(bars(0, 50), [*range(20), *range(30, 50)]))
    exchange = ScriptedExchange(bars(0, 500))

    report = download(catalog, exchange, request(0, 50), page_rows=50)

    (asked,) = exchange.asked
    assert asked[0] * 10**6 == DAY0 + 20 * STEP
    assert report.written == 10


def test_gap_of_the_venue_stays_a_gap(catalog: Catalog) -> None:
    exchange = ScriptedExchange(picked(bars(0, 100), [*range(40), *range(60, 100)]))

    report = download(catalog, exchange, request(0, 100), page_rows=100)

    assert report.written == 80
    assert len(catalog.bars(BTC, 5)) == 80


def test_history_before_the_listing_is_empty_pages(catalog: Catalog) -> None:
    exchange = ScriptedExchange(bars(100, 50))

    report = download(catalog, exchange, request(0, 150), page_rows=50)

    assert (report.written, report.pages_empty) == (50, 2)


def test_passing_failures_are_tried_again_with_growing_pauses(catalog: Catalog) -> None:
    pauses: list[float] = []

    def busy(n: int) -> None:
        if n in (1, 2):
            raise ccxt.RateLimitExceeded("slow down")
        if n == 4:
            raise ccxt.RequestTimeout("no answer")

    exchange = ScriptedExchange(bars(0, 500), fail=busy)

    report = download(catalog, exchange, request(0, 100), page_rows=50, sleep=pauses.append)

    assert pauses == [1.0, 2.0, 1.0]
    assert report.retries == 3
    assert len(catalog.bars(BTC, 5)) == 100


def test_unreachable_exchange_keeps_what_was_fetched_and_says_how_to_go_on(catalog: Catalog) -> None:
    def down(n: int) -> None:
        if n > 1:
            raise ccxt.ExchangeNotAvailable("maintenance")

    exchange = ScriptedExchange(bars(0, 500), fail=down)

    with pytest.raises(CatalogIOError, match="cannot be reached") as refused:
        download(catalog, exchange, request(0, 100), page_rows=50, sleep=lambda _: None)

    assert "maintenance" in refused.value.found
    assert "resumes" in refused.value.remedy
    assert len(Catalog(catalog.path).bars(BTC, 5)) == 50


def test_refusal_of_the_exchange_is_not_tried_again(catalog: Catalog) -> None:
    def refuse(_: int) -> None:
        raise ccxt.BadRequest("interval")

    exchange = ScriptedExchange(bars(0, 500), fail=refuse)

    with pytest.raises(CatalogError, match="refused"):
        download(catalog, exchange, request(0, 100), sleep=lambda _: None)

    assert len(exchange.asked) == 1


def test_venue_that_ignores_the_bounds_does_not_add_other_rows(catalog: Catalog) -> None:
    exchange = ScriptedExchange(bars(0, 60), obeys_bounds=False)

    report = download(catalog, exchange, request(0, 50), page_rows=50)

    assert report.outside > 0
    assert len(catalog.bars(BTC, 5)) == 50


def test_row_without_a_number_is_refused_with_its_time(catalog: Catalog) -> None:
    exchange = ScriptedExchange(bars(0, 50))
    exchange._bars[7][4] = None

    with pytest.raises(CatalogError, match="2024-01-01T00:35:00Z"):
        download(catalog, exchange, request(0, 50))


def test_funding_is_downloaded_and_resumed(catalog: Catalog) -> None:
    settled = [(DAY0 + k * 8 * HOUR_NS + 3_000_000, 1e-5 * k) for k in range(1, 31)]
    wanted = Request(BTC, 480, DAY0, DAY0 + 240 * HOUR_NS, Kind.FUNDING)

    first = download(catalog, ScriptedExchange(funding=settled[:15]), wanted, page_rows=10)
    second = download(catalog, ScriptedExchange(funding=settled), wanted, page_rows=10)
    third = ScriptedExchange(funding=settled)
    download(catalog, third, wanted, page_rows=10)

    assert (first.written, second.written) == (15, 14)
    funding = catalog.funding(BTC)
    assert (funding.ts_event == DAY0 + np.arange(1, 30) * 8 * HOUR_NS).all()
    assert len(third.asked) <= 1  # the window begins with a settlement that the venue does not have


def test_mark_and_index_are_asked_for_by_price(catalog: Catalog) -> None:
    exchange = ScriptedExchange(bars(0, 50, minutes=60))

    for kind, price in ((Kind.MARK, "mark"), (Kind.REFERENCE, "index")):
        download(catalog, exchange, Request(BTC, 60, DAY0, DAY0 + 50 * HOUR_NS, kind))
        assert exchange.asked[-1][2]["price"] == price

    assert len(catalog.marks(BTC)) == len(catalog.references(BTC)) == 50


def test_progress_counts_windows(catalog: Catalog) -> None:
    steps: list[tuple[str, int, int]] = []

    download(
        catalog,
        ScriptedExchange(bars(0, 500)),
        request(0, 200),
        page_rows=50,
        progress=lambda *step: steps.append(step),
    )

    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)
    assert steps[-1][1:] == (steps[-1][2], steps[-1][2])


def test_unknown_market_other_venue_and_empty_window_are_refused(catalog: Catalog) -> None:
    exchange = ScriptedExchange(bars(0, 50))
    with pytest.raises(UnknownInstrument, match="no market"):
        download(catalog, exchange, Request("DOGE-USDT.BINGX", 5, DAY0, DAY0 + STEP))
    with pytest.raises(UnknownInstrument, match="not an instrument of bingx"):
        download(catalog, exchange, Request("BTCUSDT-PERP.BINANCE", 5, DAY0, DAY0 + STEP))
    with pytest.raises(CatalogError, match="empty"):
        download(catalog, exchange, Request(BTC, 5, DAY0, DAY0))
    with pytest.raises(CatalogError, match="timeframe"):
        download(catalog, exchange, Request(BTC, 7, DAY0, DAY0 + STEP))
    with pytest.raises(CatalogError, match="basis"):
        download(catalog, exchange, Request(BTC, 60, DAY0, DAY0 + HOUR_NS, Kind.BASIS))


def test_spot_name_finds_the_spot_market(catalog: Catalog) -> None:
    download(catalog, ScriptedExchange(bars(0, 50)), Request("BTCUSDT.BINGX", 5, DAY0, DAY0 + 50 * STEP))

    assert catalog.manifest.parts[0].origin["symbol"] == "BTC/USDT"


def test_exchanges_are_opened_by_id_with_their_throttle_on() -> None:
    exchange = open_exchange("bingx")

    assert exchange.enableRateLimit
    assert venue_of("bingx") == "BINGX"
    assert venue_of("binanceusdm") == "BINANCE"
    with pytest.raises(CatalogError, match="bingx"):
        open_exchange("bingxx")
