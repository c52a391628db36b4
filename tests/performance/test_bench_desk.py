"""`make bench`: what the full desk costs, as ratios within one run; README.md tells how to read it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.performance.figures import GROSS, Figure, Findings, reference, spread
from tests.performance.market import bench_catalog
from tests.performance.measure import Case, as_json

pytestmark = pytest.mark.bench

RUNS = 5
YEAR_DAYS = 365
INSTRUMENTS = (5, 20, 50)
INSTRUMENT_DAYS = 1_000  # instruments times days of the runs that compare numbers of instruments
FEW_DAYS = 18.0  # about 1,000 orders
FEW_STARTS = (0.0, 90.0, 180.0, 270.0)
MAX_PEAK_MB = 1_500.0


@pytest.fixture(scope="module")
def findings(project_dir: Path) -> Iterator[Findings]:
    """Collect what is found; print and keep it when all benchmarks are done."""
    found = Findings()
    yield found
    file = found.write(project_dir / "bench_results")
    print(f"\n\n{found.table()}\n\nwritten to {file.relative_to(project_dir)}")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A synthetic market of 50 instruments over a year, warm-up not counted."""
    folder = tmp_path_factory.mktemp("bench") / "market"
    bench_catalog(folder, max(INSTRUMENTS), YEAR_DAYS)
    return str(folder)


@pytest.fixture
def measured(project_dir: Path, findings: Findings) -> Any:
    """A function that runs one case in a process of its own and returns its figures."""

    def run(case: Case) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.performance.measure", as_json(case)],
            cwd=project_dir, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        findings.raw.setdefault(case.kind, []).append({"case": as_json(case), **found})
        return found

    return run


def median(found: list[dict[str, Any]], name: str = "cpu_s") -> float:
    return statistics.median(one[name] for one in found)


def test_full_desk_against_the_bare_engine(
    catalog: str, tmp_path: Path, measured: Any, findings: Findings
) -> None:
    year = {"catalog": catalog, "days": YEAR_DAYS, "instruments": 20, "script": str(tmp_path / "orders")}
    pairs = [(measured(Case("desk", **year)), measured(Case("bare", **year))) for _ in range(RUNS)]
    desks, bares = [desk for desk, _ in pairs], [bare for _, bare in pairs]
    ratios = [desk["cpu_s"] / bare["cpu_s"] for desk, bare in pairs]
    ratio, peak, first = statistics.median(ratios), median(desks, "peak_mb"), desks[0]
    bars, days = first["bars"], 20 * YEAR_DAYS
    findings.add(
        Figure("desk / bare engine", ratio, "x", 3.0, f"runs {', '.join(f'{r:.2f}' for r in ratios)}"),
        Figure("desk, a bar", 1e6 * median(desks) / bars, "us CPU", None, f"{bars:,} 15m bars"),
        Figure("bare engine, a bar", 1e6 * median(bares) / bars, "us CPU"),
        Figure("signals, of 100 bars", 100 * first["signals"] / bars, ""),
        Figure("trades, an instrument and day", first["trades"] / days, ""),
        Figure("order commands, of 100 bars", 100 * first["commands"] / bars, ""),
        Figure("peak memory", peak, "MB", MAX_PEAK_MB),
    )
    assert first["commands"] == pytest.approx(bares[0]["commands"], rel=0.02)
    assert ratio < GROSS * reference("desk_to_bare")
    assert peak < MAX_PEAK_MB


def test_cost_a_bar_from_5_to_50_instruments(catalog: str, measured: Any, findings: Findings) -> None:
    cases = [Case("desk", catalog, INSTRUMENT_DAYS / count, count, trading="equal") for count in INSTRUMENTS]
    found = [[measured(case) for case in cases] for _ in range(RUNS)]
    costs = []
    for count, runs in zip(INSTRUMENTS, zip(*found, strict=True), strict=True):
        bars = runs[0]["bars"]
        costs.append(1e6 * median(list(runs)) / bars)
        note = f"{100 * runs[0]['commands'] / bars:.1f} order commands of 100 bars"
        findings.add(Figure(f"a bar, {count} instruments", costs[-1], "us CPU", None, note))
    findings.add(Figure("flat in instruments", spread(costs), "+-%", 15.0))
    assert spread(costs) < GROSS * max(15.0, reference("spread_instruments_pct"))


def test_cost_an_order_from_1_000_to_20_000(catalog: str, measured: Any, findings: Findings) -> None:
    costs, found = [], []
    for days, starts in ((FEW_DAYS, FEW_STARTS), (float(YEAR_DAYS), (0.0,))):
        cases = [Case("desk", catalog, days, 20, trading, starts) for trading in ("equal", "off")]
        found.append([[measured(case) for case in cases] for _ in range(RUNS)])
    for runs, starts in zip(found, (FEW_STARTS, (0.0,)), strict=True):
        trading, quiet = zip(*runs, strict=True)
        orders = trading[0]["orders"]
        costs.append(1e6 * (median(list(trading)) - median(list(quiet))) / orders)
        note = f"{100 * trading[0]['commands'] / trading[0]['bars']:.1f} order commands of 100 bars"
        findings.add(
            Figure(f"an order, of {orders / len(starts):,.0f} in a run", costs[-1], "us CPU", None, note)
        )
    findings.add(Figure("flat in orders", spread(costs), "+-%", 25.0))
    assert spread(costs) < GROSS * max(25.0, reference("spread_orders_pct"))


def test_stages_of_the_desk(catalog: str, measured: Any, findings: Findings) -> None:
    found = measured(Case("stages", catalog, 60.0, 20))
    findings.stages = found["stages"]
    assert {"engine", "feed", "router", "regime", "strategies", "risk", "monitor"} <= set(findings.stages)
