"""Latency of the agents, refusals over time, slippage expected and paid, a page a day."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from crupto_nautilus.reports.build import build_report
from crupto_nautilus.reports.days import FOLDER, wants_days
from crupto_nautilus.reports.machine import agent_latency, refusals_over_time, slippage_check
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import DAY_NS
from tests.fakes.runs import make_run, tamper
from tests.fakes.tiny_desk import TinyDesk


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    made = make_run(tmp_path_factory.mktemp("run"), mode="paper")
    build_report(made.path)
    return RunFolder(made.path)


def test_a_tools_latency_is_what_the_calls_say(folder: RunFolder) -> None:
    row = next(row for row in agent_latency(folder) if row["tool"] == "plan_position")
    assert (row["agent"], row["calls"], row["errors"]) == ("risk", 3, 0)
    assert row["max_us"] == 400.0
    assert row["mean_us"] == pytest.approx((9 + 12 + 400) / 3)


def test_refusals_over_time_add_up_to_the_refusals(folder: RunFolder) -> None:
    starts, counted = refusals_over_time(folder)
    refused = folder.table("decisions").query("not approved")
    assert sum(map(sum, counted.values())) == len(refused) > 0
    assert {len(counts) for counts in counted.values()} == {len(starts)}
    reason, counts = next(iter(counted.items()))
    first_day = refused[(refused["reason"] == reason) & (refused["ts_event"] < starts[1])]
    assert counts[0] == len(first_day)
    assert (starts[1] - starts[0]) % DAY_NS == 0


def test_slippage_is_that_of_entries_that_took_liquidity(folder: RunFolder) -> None:
    rows = slippage_check(folder)
    fills = folder.table("fills").query("role == 'entry' and not maker")
    assert rows[-1]["strategy"] == "all"
    assert rows[-1]["entries"] == fills["trace_id"].nunique() == sum(row["entries"] for row in rows[:-1])
    assert rows[-1]["gap_bps"] == pytest.approx(rows[-1]["paid_bps"] - rows[-1]["expected_bps"])


def test_slippage_above_its_estimate_is_seen(tmp_path: Path) -> None:
    def double(fills: pd.DataFrame) -> pd.DataFrame:
        fills["slippage_usd"] *= 10.0
        return fills

    made = make_run(tmp_path)
    before = slippage_check(made)[-1]
    after = slippage_check(tamper(made, "fills", double))[-1]
    assert after["paid_bps"] == pytest.approx(10 * before["paid_bps"])
    assert after["share_above"] == 1.0


def test_a_long_paper_run_has_a_page_a_day_that_link_to_each_other(folder: RunFolder) -> None:
    pages = sorted((folder.path / FOLDER).glob("*.html"))
    days = (folder.facts.end_ns - 1) // DAY_NS - folder.facts.start_ns // DAY_NS + 1
    assert len(pages) == days > 30
    report = (folder.path / "report.html").read_text()
    assert len(re.findall(rf'href="{FOLDER}/', report)) == days
    for page in pages:
        for link in re.findall(r'href="([^"]+)"', page.read_text()):
            assert (page.parent / link).is_file(), link


def test_the_days_hold_every_trade_and_every_decision_once(folder: RunFolder) -> None:
    text = "".join(page.read_text() for page in (folder.path / FOLDER).glob("*.html"))
    signals = sum(int(n.replace(",", "")) for n in re.findall(r"([\d,]+) signals, ", text))
    assert signals == len(folder.table("decisions"))


def test_a_backtest_and_a_short_run_have_none(tmp_path: Path) -> None:
    assert not wants_days(make_run(tmp_path / "a", mode="backtest"))
    short = make_run(tmp_path / "b", desk=TinyDesk(days=2), mode="paper")
    assert not wants_days(short)


def test_the_summary_and_the_report_say_all_of_it(folder: RunFolder) -> None:
    report = (folder.path / "report.html").read_text()
    for title in ("Refusals over time", "Slippage, expected and paid", "Latency of the agents", "Day by day"):
        assert f"<h2>{title}</h2>" in report
    summary = folder.read_json("summary.json")
    assert summary["slippage"][-1]["strategy"] == "all"
    assert {row["tool"] for row in summary["agents"]} >= {"plan_position"}
    assert "bps paid" in (folder.path / "summary.md").read_text()
