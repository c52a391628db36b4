"""The page in a real browser: shows changes within a second, survives the desk's death, no console error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.server import DashboardServer
from risk.vocabulary import DeskMode, RefusalReason
from tests.fakes.observers import browser, wait_for
from tests.fakes.watched_desk import WatchedDesk

pytestmark = pytest.mark.chromium


@pytest.fixture
def desk(tmp_path: Path) -> WatchedDesk:
    found = WatchedDesk(tmp_path)
    for k in range(5):
        found.beat(20_000.0 + 10 * k)
    return found


@pytest.fixture
def server(desk: WatchedDesk) -> Iterator[DashboardServer]:
    running = DashboardServer(desk.board, port=0)
    running.start()
    yield running
    running.stop()


def seconds_until(look: Callable[[], Any], what: str) -> float:
    began = time.monotonic()
    wait_for(look, 5.0, what)
    return time.monotonic() - began


def test_a_change_is_on_the_page_within_a_second(
    desk: WatchedDesk, server: DashboardServer, chromium_program: str
) -> None:
    with browser(chromium_program, viewport={"width": 1300, "height": 900}) as (page, problems):
        page.goto(server.url)
        page.wait_for_selector("body[data-connection=live]", timeout=15_000)

        desk.desk_state(DeskMode.HALTED, RefusalReason.KILL_SWITCH, "72 h drawdown -3.6 %")
        halted = seconds_until(lambda: page.get_attribute("#desk", "data-mode") == "HALTED", "the halt")
        assert "crupto state unlock" in page.inner_text("#desk-still")

        desk.answer(RefusalReason.PORTFOLIO_CAP)
        refused = seconds_until(lambda: "PORTFOLIO_CAP" in page.inner_text("#decisions"), "the refusal")
        assert "PORTFOLIO_CAP" in page.inner_text("#refusals")

        desk.fill()
        desk.protect(19_500.0)
        desk.beat(20_100.0)
        held = seconds_until(lambda: "19500" in page.inner_text("#positions"), "the position")
        assert page.get_attribute("[data-node=risk]", "data-state") == "warning"
        print(f"on the page after: halt {halted:.2f} s, refusal {refused:.2f} s, position {held:.2f} s")
        assert max(halted, refused, held) < 1.0
        assert problems == []


def test_the_page_says_that_the_desk_is_gone_and_comes_back_with_it(
    desk: WatchedDesk, server: DashboardServer, chromium_program: str
) -> None:
    with browser(chromium_program) as (page, problems):
        page.goto(server.url)
        page.wait_for_selector("body[data-connection=live]", timeout=15_000)
        shown = page.inner_text("#tiles")
        assert problems == []
        server.stop()
        page.wait_for_selector("body[data-connection=gone]", timeout=10_000)
        assert "The desk is gone" in page.inner_text("#banner")
        assert page.inner_text("#tiles") == shown  # the last it said stays readable
        again = DashboardServer(desk.board, port=server.port)
        again.start()
        try:
            assert again.port == server.port
            desk.desk_state(DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK, "-1.9 %")
            page.wait_for_selector("body[data-connection=live]", timeout=10_000)
            page.wait_for_selector("#desk[data-mode=REDUCE_ONLY]", timeout=3_000)
            assert page.is_hidden("#banner")
            # while the desk was gone the browser itself reports refused connections, and nothing else
            assert [text for text in problems if "Failed to load resource" not in text] == []
        finally:
            again.stop()


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_nothing_is_wider_than_the_screen(server: DashboardServer, chromium_program: str, width: int) -> None:
    with browser(chromium_program, viewport={"width": width, "height": 844}) as (page, _):
        page.goto(server.url)
        page.wait_for_selector("body[data-connection=live]", timeout=15_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_asks_nobody_else(server: DashboardServer, chromium_program: str) -> None:
    asked: list[str] = []
    with browser(chromium_program) as (page, problems):
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server.url)
        page.wait_for_selector("body[data-connection=live]", timeout=15_000)
        assert problems == []
    assert all(url.startswith((server.url, "data:")) for url in asked)


def test_what_a_trade_says_is_text_and_not_markup(
    desk: WatchedDesk, server: DashboardServer, chromium_program: str
) -> None:
    desk.desk_state(DeskMode.HALTED, RefusalReason.OPERATOR_HALT, "<img src=x onerror=document.title='gone'>")
    with browser(chromium_program) as (page, _):
        page.goto(server.url)
        page.wait_for_selector("#desk[data-mode=HALTED]", timeout=15_000)
        assert "<img" in page.inner_text("#desk-reason")
        assert page.title() != "gone"


def test_a_finished_run_opens(tmp_path: Path, chromium_program: str) -> None:
    from crupto_nautilus.desk.telemetry.finished import FinishedBoard
    from crupto_nautilus.reports.build import build_report
    from tests.fakes.runs import make_run

    folder = make_run(tmp_path)
    build_report(folder.path)
    server = DashboardServer(FinishedBoard(folder), port=0)
    server.start()
    try:
        with browser(chromium_program) as (page, problems):
            page.goto(server.url)
            page.wait_for_selector("body[data-connection=finished]", timeout=15_000)
            assert "has ended" in page.inner_text("#banner")
            assert int(page.get_attribute("#equity", "data-points")) > 100
            assert page.locator("#decisions li").count() == 40
            shown = page.eval_on_selector_all("[data-node]", "all => all.map(n => n.dataset.state)")
            assert set(shown) == {"disabled"}
            assert problems == []
    finally:
        server.stop()
