"""The same inputs give the same run; what should make no difference makes none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catalog.schema import Kind
from catalog.store import Catalog
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import run_hash
from risk.vocabulary import DAY_NS, HOUR_NS
from tests.acceptance.conftest import RealRuns, crupto
from tests.acceptance.desk_runs import TABLES_OF_EVENTS, Rows, add_frame, first_difference, ns, played, until

pytestmark = pytest.mark.data

WINDOW = ("2023-03-10", "2023-03-28")  # with the hole of 2023-03-24
COINS = ("BTC", "SOL")


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory, market_dir: Path) -> Path:
    """Return a catalog of two coins at 5m, from a month and a half before the window."""
    folder = tmp_path_factory.mktemp("spot")
    catalog = Catalog.create(folder)
    for coin in COINS:
        frame = pd.read_parquet(market_dir / "spot_5m" / f"{coin}USDT.BINANCE.5m.parquet")
        frame = frame[frame["ts_utc"].between(ns("2023-01-25"), ns("2023-03-29"))]
        add_frame(catalog, Kind.OHLCV, f"{coin}USDT-PERP.BINANCE", 5, frame)
    return folder


@pytest.fixture(scope="module")
def rows(spot: Path) -> Rows:
    """Return the run that the others are compared with."""
    found = played(spot, start=WINDOW[0], end=WINDOW[1])
    assert len(found["fills"]) > 50
    assert len(found["decisions"]) > 200
    return found


def test_two_processes_with_other_hash_seeds_write_the_same_run(spot: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "crupto_nautilus.cli", "backtest", "--catalog", str(spot), "--json"]
    window = ["--start", WINDOW[0], "--end", WINDOW[1], "--equity", "10000"]
    found = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [*program, *window, "--out", str(tmp_path / seed), "--run-id", "same"],
            capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found.append(RunFolder(Path(json.loads(done.stdout)["path"])))
    one, other = found
    assert len(one.table("fills")) > 50
    assert run_hash(one) == run_hash(other)
    for table in TABLES_OF_EVENTS:
        pd.testing.assert_frame_equal(one.table(table), other.table(table), obj=table)
    named = crupto(*program[3:-1], *window, "--out", tmp_path, "--run-id", "another-name")
    assert run_hash(RunFolder(Path(named["path"]))) == run_hash(one)


@pytest.mark.parametrize("span_ns", [6 * HOUR_NS, 7 * DAY_NS, 1000 * DAY_NS])
def test_the_size_of_the_chunks_makes_no_difference(
    spot: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch, span_ns: int
) -> None:
    monkeypatch.setattr("crupto_nautilus.desk.backtest.chunk_span_ns", lambda _: span_ns)
    assert first_difference(rows, played(spot, start=WINDOW[0], end=WINDOW[1])) == ""


def test_an_instrument_that_stands_still_changes_nothing_for_the_others(
    spot: Path, rows: Rows, tmp_path: Path, market_dir: Path
) -> None:
    """A coin stuck at one price never signals; its name comes before all others."""
    catalog = Catalog.create(tmp_path)
    for coin in COINS:
        frame = pd.read_parquet(market_dir / "spot_5m" / f"{coin}USDT.BINANCE.5m.parquet")
        frame = frame[frame["ts_utc"].between(ns("2023-01-25"), ns("2023-03-29"))]
        add_frame(catalog, Kind.OHLCV, f"{coin}USDT-PERP.BINANCE", 5, frame)
    still = frame.assign(open=10.0, high=10.0, low=10.0, close=10.0, volume=50_000.0)
    add_frame(catalog, Kind.OHLCV, "AAAUSDT-PERP.BINANCE", 5, still)
    beside = played(tmp_path, start=WINDOW[0], end=WINDOW[1])
    assert "AAAUSDT-PERP.BINANCE" in {word for _, row in beside["regimes"] for word in row.split("'")}
    others = {
        table: [row for row in found if table != "regimes" or "AAAUSDT" not in row[1]]
        for table, found in beside.items()
    }
    assert first_difference(rows, others) == ""


def test_coins_without_funding_change_nothing_for_those_that_have_it(real_runs: RealRuns) -> None:
    """ADA, TRX and XRP have no funding history, so funding_reversion never signals on them."""
    arguments = {"start": "2024-11-05", "end": "2024-12-06", "strategies": ("funding_reversion",)}
    have = tuple(f"{coin}USDT-PERP.BINANCE" for coin in ("BTC", "ETH", "SOL"))
    more = tuple(f"{coin}USDT-PERP.BINANCE" for coin in ("ADA", "TRX", "XRP"))
    catalog = real_runs.catalog("perps")
    alone = played(catalog, symbols=have, **arguments)
    beside = played(catalog, symbols=(*more, *have), **arguments)
    assert len(alone["trades"]) > 5
    for table in (
        "signals",
        "decisions",
        "entries",
        "orders",
        "fills",
        "trades",
        "funding",
        "equity",
        "states",
    ):
        assert alone[table] == beside[table], table


def test_the_order_of_symbols_and_of_imports_makes_no_difference(
    rows: Rows, tmp_path: Path, market_dir: Path
) -> None:
    catalog = Catalog.create(tmp_path)
    for coin in reversed(COINS):
        frame = pd.read_parquet(market_dir / "spot_5m" / f"{coin}USDT.BINANCE.5m.parquet")
        frame = frame[frame["ts_utc"].between(ns("2023-01-25"), ns("2023-03-29"))]
        for part in np.array_split(np.arange(len(frame)), 3):
            add_frame(catalog, Kind.OHLCV, f"{coin}USDT-PERP.BINANCE", 5, frame.iloc[part])
    symbols = tuple(f"{coin}USDT-PERP.BINANCE" for coin in ("SOL", "BTC"))
    assert first_difference(rows, played(tmp_path, start=WINDOW[0], end=WINDOW[1], symbols=symbols)) == ""


def test_a_start_in_the_middle_is_as_warm_as_the_whole_history(spot: Path, rows: Rows) -> None:
    """A later start signals from its first bar on what the earlier one does, and nothing is not warm."""
    later = "2023-03-16 13:35"  # inside open buckets of every higher timeframe
    moment = ns(later)
    assert moment is not None
    middle = played(spot, start=later, end=WINDOW[1])
    assert not [row for _, row in middle["decisions"] if "NOT_WARM" in row]
    assert not [row for _, row in rows["decisions"] if "NOT_WARM" in row]
    whole = [row for row in rows["signals"] if row[0] > moment]
    assert [ts for ts, _ in middle["signals"] if ts <= moment + DAY_NS]
    # The same bars make the same signals; only the far memory of Wilder's averages differs in late digits.
    assert [ts for ts, _ in middle["signals"]] == [ts for ts, _ in whole]
    assert [_trace(row) for _, row in middle["signals"]] == [_trace(row) for _, row in whole]


def _trace(row: str) -> str:
    return row.partition("trace_id='")[2].partition("'")[0]


def test_the_end_of_a_window_changes_nothing_before_it(spot: Path, rows: Rows) -> None:
    moment = ns("2023-03-20 10:35")
    assert moment is not None
    shorter = played(spot, start=WINDOW[0], end="2023-03-20 10:35")
    assert first_difference(until(rows, moment), until(shorter, moment)) == ""
