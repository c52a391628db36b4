"""report.html: one file that needs nothing, shows everything and trusts no text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from crupto_nautilus.reports import charts
from crupto_nautilus.reports.bars import Part, waterfall
from crupto_nautilus.reports.build import build_report
from crupto_nautilus.reports.errors import RunFolderError
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.words import REFUSALS, REGIMES, money, number, percent, price
from risk.vocabulary import DAY_NS, HOUR_NS, RefusalReason, RegimeLabel
from tests.fakes.runs import make_run, tamper
from tests.fakes.tiny_desk import TinyDesk


class Page(HTMLParser):
    """Reads a page strictly: every tag must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.titles: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "br"):
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack[-1:] == ["h2"]:
            self.titles.append(data)


@pytest.fixture(scope="module")
def built(made_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    target = tmp_path_factory.mktemp("built") / "sample"
    shutil.copytree(made_run.path, target)
    return build_report(target)


def test_page_is_well_formed_and_has_every_part(built: Path) -> None:
    page = Page(built.read_text())
    assert page.titles == [
        "Equity", "Strategies", "From gross to net", "Distribution of results", "Why signals were refused",
        "Refusals over time", "How trades ended", "Market regimes", "Instruments", "Months",
        "Open at the end", "Slippage, expected and paid", "Latency of the agents", "Verification",
        "What this cannot show", "Run",
    ]  # fmt: skip


def test_page_needs_no_network_and_runs_no_script(built: Path) -> None:
    text = built.read_text()
    page = Page(text)
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert not [value for name, value in page.attributes if name in ("src", "href") or name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text


def test_page_says_that_the_market_is_synthetic_and_what_funding_is_missing(built: Path) -> None:
    text = built.read_text()
    assert "synthetic market: invented prices" in text
    assert "funding coverage 82.8" in text
    assert "books verified: 19 of 19 checks passed" in text


def test_summary_page_names_verdict_strategies_and_refusals(built: Path) -> None:
    text = (built.parent / "summary.md").read_text()
    summary = json.loads((built.parent / "summary.json").read_text())
    assert summary["verdict"]["text"] in text
    assert all(f"| {name} |" in text for name in summary["strategies"])
    assert all(reason in text for reason in summary["refused_by_reason"])
    assert summary["run_hash"] in text


def test_building_twice_gives_the_same_bytes(built: Path) -> None:
    names = ("summary.json", "verify.json", "summary.md", "report.html")
    before = [(built.parent / name).read_bytes() for name in names]
    build_report(built.parent)
    assert [(built.parent / name).read_bytes() for name in names] == before


def test_failed_verification_is_the_first_thing_one_sees(copy_run: Callable[[], RunFolder]) -> None:
    folder = tamper(copy_run(), "trades", lambda frame: frame.assign(net_usd=1.0))
    text = build_report(folder.path).read_text()
    assert "verification FAILED: 2 of 19 checks" in text[: text.index("<section>")]
    assert "violations" in text


def test_hostile_text_is_escaped(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    folder = make_run(
        tmp_path,
        desk=TinyDesk(days=3),
        command=hostile,
        notes=(hostile,),
        git_revision=hostile,
        config={hostile: hostile},
        provenance={hostile: hostile},
        virtual_asset=hostile,
    )
    text = build_report(folder.path).read_text()
    Page(text)
    assert "<script" not in text.lower()


@pytest.mark.parametrize("days", [1, 2])
def test_run_in_which_nothing_happened_makes_a_page(tmp_path: Path, days: int) -> None:
    folder = make_run(tmp_path, desk=TinyDesk(days=days, signal_rate=0.0), costs="off", strategies=())
    text = build_report(folder.path).read_text()
    Page(text)
    assert "No closed trades: nothing to judge" in text
    assert "costs OFF" in text
    assert not re.search(r"\bnan\b", text)


def test_report_of_an_unknown_run_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no run nope"):
        build_report("nope", tmp_path)


def test_every_reason_and_regime_has_plain_words() -> None:
    assert set(REFUSALS) == set(RefusalReason)
    assert set(REGIMES) == set(RegimeLabel)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (money(-1.2), "\u22121.20"),
        (money(0.001), "0.00"),
        (money(-0.001), "0.00"),
        (number(None), "\u2013"),
        (number(float("nan")), "\u2013"),
        (number(1234567.0, 0), "1,234,567"),
        (percent(1.5), "+1.50\u00a0%"),
        (price(0.00012300), "0.000123"),
        (price(60000.0), "60,000"),
        (price(None), "\u2013"),
    ],
)
def test_numbers_as_people_read_them(text: str, expected: str) -> None:
    assert text == expected


def test_reduced_line_keeps_its_extremes() -> None:
    values = np.random.default_rng(3).normal(size=50_000)
    ts = np.arange(50_000)
    kept_ts, kept = charts.reduce_line(ts, values)
    assert len(kept) <= 4 * 800
    assert (kept.min(), kept.max()) == (values.min(), values.max())
    assert (kept_ts[0], kept_ts[-1]) == (0, 49_999)
    assert (np.diff(kept_ts) > 0).all()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 97.0), (299.99, 300.02), (1e-6, 2e-6)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = charts.ticks(low, high)
    assert 2 <= len(found) <= 7
    assert low - 1e-12 <= found[0] <= found[-1] <= high + 1e-12
    assert charts.ticks(5.0, 5.0) == [5.0]


@pytest.mark.parametrize(
    ("days", "shape"), [(1, r"\d\d \w{3} \d\d:\d\d"), (40, r"\d\d \w{3}"), (900, r"\w{3} \d{4}")]
)
def test_time_labels_suit_the_window(days: int, shape: str) -> None:
    start = 20_000 * DAY_NS
    found = charts.time_ticks(charts.Window(start, start + days * DAY_NS))
    assert 3 <= len(found) <= 8
    assert all(re.fullmatch(shape, label) for _, label in found)


def test_strip_shows_the_label_in_force_and_unknown_before_the_first() -> None:
    window = charts.Window(0, 10 * HOUR_NS)
    drawn = charts.strip([5 * HOUR_NS], ["panic"], window, name="x")
    assert 'class="regime-unknown" d="M0 0h120v20h-120z"' in drawn
    assert 'class="regime-panic" d="M120 0h120v20h-120z"' in drawn


def test_strip_column_shows_what_held_longest_in_it() -> None:
    minutes = list(range(0, 600 * 60, 60))  # a flicker each minute, one label for two thirds of the time
    labels = ["panic" if index % 3 else "trend_up" for index in range(len(minutes))]
    drawn = charts.strip(minutes, labels, charts.Window(0, 600 * 60), name="x")
    assert "regime-trend_up" not in drawn


def test_benchmark_that_dwarfs_the_desk_gets_its_own_chart(made_run: RunFolder, tmp_path: Path) -> None:
    desk = TinyDesk(days=3, signal_rate=0.0)  # an equity curve without any movement
    assert "<h3>Beside buy-and-hold</h3>" in build_report(make_run(tmp_path, desk=desk).path).read_text()


def test_waterfall_hangs_each_step_where_the_one_before_ended() -> None:
    drawn = waterfall([Part("gross", 10.0, total=True), Part("fees", -4.0), Part("net", 6.0, total=True)])
    spans = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", drawn)
    assert spans == [("0.00", "100.00"), ("60.00", "40.00"), ("0.00", "60.00")]


def test_histogram_of_one_value_and_of_none() -> None:
    assert "no closed trades" in charts.histogram(np.array([]), low=None, high=None, mean=None)
    assert "<rect" in charts.histogram(np.array([0.4]), low=None, high=None, mean=0.4)
