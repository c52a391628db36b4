"""24 h of market events through the live node: nothing breaks, no limit is passed, nothing grows or leaks.

1,440 one-minute bars of 20 instruments and quotes each second for 5 of them arrive as a venue sends them, in
virtual time, through the live feed (assembler, grace timer) into a node with sandbox execution.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crupto_nautilus.cli.main import run as crupto
from crupto_nautilus.reports.run_folder import RunFolder
from tests.soak.market import soak_catalog
from tests.soak.node import Case, run_apart
from tests.soak.settings import write_settings

pytestmark = pytest.mark.soak

INSTRUMENTS, QUOTED, HOURS = 20, 5, 24
SETTLED_SHARE = 0.1  # of the run, before memory is compared
MAX_GROWTH_PCT = 3.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("day")
    soak_catalog(made / "catalog", INSTRUMENTS, HOURS)
    write_settings(made / "config")
    return made


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, Any]:
    catalog, runs, record, config = (str(folder / n) for n in ("catalog", "runs", "recorded", "config"))
    return run_apart(Case(catalog, runs, HOURS, QUOTED, record=record, config=config))


@pytest.fixture(scope="module")
def done(figures: dict[str, Any]) -> RunFolder:
    return RunFolder(Path(figures["run"]))


def test_every_event_of_the_day_was_used_once(figures: dict[str, Any], done: RunFolder) -> None:
    counts = figures["counts"]
    assert counts["instants"] == HOURS * 60
    assert counts["bars"] == INSTRUMENTS * HOURS * 60
    assert counts["quotes"] == QUOTED * HOURS * 3600
    assert counts["missing"] == counts["late"] == counts["duplicate"] == counts["refused"] == 0
    assert done.facts.exit_reason == "completed"
    assert figures["stderr"] == ""


def test_no_limit_was_exceeded_and_no_handler_failed(done: RunFolder) -> None:
    assert crupto(["report", str(done.path), "--verify"]) == 0
    assert not done.read_json("summary.json").get("handler_errors")
    alarms = done.table("alarms")
    assert not list(alarms[alarms["kind"].isin(["handler_error", "unsettled"])]["detail"])


def test_the_backtest_of_the_recorded_feed_decides_the_same(folder: Path, done: RunFolder) -> None:
    arguments = ["parity", done.path.name, "--catalog", str(folder / "recorded")]
    assert crupto([*arguments, "--runs", str(done.path.parent), "--config", str(folder / "config")]) == 0


def test_memory_stays_flat_and_nothing_leaks(figures: dict[str, Any], done: RunFolder) -> None:
    samples = figures["samples"]
    settled = [s for s in samples if s["instants"] >= SETTLED_SHARE * samples[-1]["instants"]]
    first, last = settled[0], settled[-1]
    growth_mb = last["rss_mb"] - first["rss_mb"]
    growth_pct = 100.0 * growth_mb / first["rss_mb"]
    orders = done.table("orders")
    submitted = int((orders["action"] == "submit").sum())
    late = np.asarray(orders["ts_event"]) > done.facts.start_ns + SETTLED_SHARE * HOURS * 3600e9
    grown = int(((orders["action"] == "submit") & late).sum())
    summary = done.read_json("summary.json")
    print(
        f"\n24 h of events, {INSTRUMENTS} instruments: wall {figures['wall_s']:.1f} s, "
        f"CPU {figures['cpu_s']:.1f} s, {submitted} orders, {summary['trades']} trades; "
        f"memory {first['rss_mb']:.1f} -> {last['rss_mb']:.1f} MB from 10 % on ({growth_pct:+.2f} %), "
        f"{growth_mb * 2**20 / max(1, grown):,.0f} bytes an order; "
        f"tasks {first['tasks']:.0f} -> {last['tasks']:.0f}, handles {first['handles']:.0f} -> "
        f"{last['handles']:.0f}, threads {first['threads']:.0f} -> {last['threads']:.0f}; "
        f"latency {summary['latency']}"
    )
    assert submitted >= 500  # memory of a run without orders would prove nothing
    assert growth_pct < MAX_GROWTH_PCT
    for what in ("tasks", "handles", "threads"):
        assert last[what] <= first[what], what
