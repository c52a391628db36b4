"""`crupto catalog download --venue bingx` against the fake exchange."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from adapters.bingx.config import Endpoints
from adapters.bingx.download import BingxHistory
from catalog.downloader import Request, download
from catalog.errors import CatalogError, CatalogIOError
from catalog.schema import Kind
from catalog.store import Catalog
from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings

DAY_NS = 86_400 * 10**9
HOUR_NS = 3_600 * 10**9
MINUTE_NS = 60 * 10**9
NOW_MS = 1_780_000_000_000 // 86_400_000 * 86_400_000
NOW_NS = NOW_MS * 10**6
NAME = "BTC-USDT.BINGX"


def _settings(**changes: object) -> Settings:
    return Settings(start_ms=NOW_MS, speed=0.0, **changes)  # type: ignore[arg-type]


def test_a_wide_window_comes_whole_although_the_venue_answers_newest_first_and_caps_its_pages(
    tmp_path: Path,
) -> None:
    catalog = Catalog.create(tmp_path / "c")
    request = Request(NAME, 1, NOW_NS - 3 * DAY_NS, NOW_NS)
    with threaded.running(_settings(klines_cap=400)) as venue, _history(venue) as history:
        first = download(catalog, history, request)
        second = download(catalog, history, request)
        calls = [c for c in venue.call(lambda fake: list(fake.calls)) if c[1].endswith("klines")]

    stamps = catalog.raw_stamps((Kind.OHLCV, NAME, 1))
    assert np.array_equal(np.diff(stamps), np.full(len(stamps) - 1, MINUTE_NS))
    assert first.rows == len(stamps) == 3 * 1440 - 1  # the last minute still settles
    assert (first.missing, first.gaps) == (0, 0)
    assert (second.rows, second.pages) == (0, 0)  # nothing is asked for twice
    assert all({"startTime", "endTime", "limit"} <= c[2].keys() for c in calls)


def test_what_the_venue_does_not_keep_is_not_asked_for_and_said(tmp_path: Path) -> None:
    request = Request(NAME, 5, NOW_NS - 200 * DAY_NS, NOW_NS - 89 * DAY_NS)
    with threaded.running(_settings()) as venue, _history(venue) as history:
        report = download(Catalog.create(tmp_path / "c"), history, request)

    assert report.clipped_ns == 110 * DAY_NS
    assert report.rows == 288
    assert report.pages_empty == 0


def test_a_minute_without_a_trade_stays_a_gap_and_is_counted(tmp_path: Path) -> None:
    from tests.fakes.bingx.sources import Script

    opens = [NOW_MS - 60_000 * n for n in range(300, 0, -1) if n not in (100, 101, 50)]
    bars = {"BTC-USDT": [(ms, 100.0, 101.0, 99.0, 100.5, 2.0) for ms in opens]}
    request = Request(NAME, 1, NOW_NS - 300 * MINUTE_NS, NOW_NS - 5 * MINUTE_NS)
    with threaded.running(_settings(), Script(bars)) as venue, _history(venue) as history:
        report = download(Catalog.create(tmp_path / "c"), history, request)

    assert (report.missing, report.gaps, report.longest_gap) == (3, 2, 2)
    assert report.first_gap_ns == NOW_NS - 101 * MINUTE_NS


def test_funding_and_the_mark_price_have_their_history(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "c")
    begin, end = NOW_NS - 10 * DAY_NS, NOW_NS - DAY_NS
    with threaded.running(_settings()) as venue, _history(venue) as history:
        funding = download(catalog, history, Request(NAME, 480, begin, end, Kind.FUNDING))
        mark = download(catalog, history, Request(NAME, 60, begin, end, Kind.MARK))
        with pytest.raises(CatalogError, match="no history of the index price"):
            download(catalog, history, Request(NAME, 60, begin, end, Kind.REFERENCE))

    assert funding.rows == 27
    assert mark.rows == 9 * 24
    assert len(catalog.funding(NAME, begin - 1, end)) == 27
    assert len(catalog.marks(NAME, begin, end)) == 9 * 24


def test_a_malformed_page_is_an_error_that_keeps_the_pages_before_and_the_next_call_goes_on(
    tmp_path: Path,
) -> None:
    catalog = Catalog.create(tmp_path / "c")
    request = Request(NAME, 1, NOW_NS - DAY_NS, NOW_NS - HOUR_NS)
    with threaded.running(_settings()) as venue, _history(venue) as history:

        def break_the_second_page(what: str, n: int, total: int) -> None:
            if n == 1:
                venue.do("rest_fault", name="null_data", path="/quote/klines")

        with pytest.raises(CatalogError, match="klines"):
            download(catalog, history, request, progress=break_the_second_page)
        kept = len(catalog.raw_stamps((Kind.OHLCV, NAME, 1)))
        rest = download(catalog, history, request)

    assert 0 < kept < 23 * 60
    assert kept + rest.rows == 23 * 60


def test_a_venue_that_cannot_be_reached_says_so_without_an_address(tmp_path: Path) -> None:
    nobody = Endpoints("http://127.0.0.1:9", "ws://127.0.0.1:9/swap-market")
    with BingxHistory(nobody) as history, pytest.raises(CatalogIOError) as caught:
        download(Catalog.create(tmp_path / "c"), history, Request(NAME, 1, NOW_NS - DAY_NS, NOW_NS))

    assert "no answer from BingX" in str(caught.value)
    assert "timestamp" not in str(caught.value)


def test_the_command_fills_a_catalog_and_reports_gaps(tmp_path: Path) -> None:
    with threaded.running(_settings()) as venue:
        done = subprocess.run(
            [
                sys.executable, "-m", "crupto_nautilus.cli", "catalog", "download", "--json",
                "--venue", "bingx", "--catalog", str(tmp_path / "c"), "--symbols", "BTC,ETH",
                "--timeframe", "15m",
                "--kinds", "ohlcv,funding", "--start", "2026-05-20", "--end", "2026-05-25",
            ],
            env={"BINGX_REST_URL": venue.rest_url, "PATH": "", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    reports = json.loads(done.stdout)["reports"]
    assert [r["rows"] for r in reports] == [480, 15, 480, 15]
    assert [r["missing"] for r in reports] == [0, 0, 0, 0]


def _history(venue: threaded.ThreadedBingx) -> BingxHistory:
    return BingxHistory(Endpoints(venue.rest_url, venue.ws_url), _Standing())


class _Standing:
    """The fake's clock stands still, and so does the client's."""

    def now_ms(self) -> int:
        return NOW_MS

    async def sleep(self, seconds: float) -> None:
        return
