"""The desk never looks ahead: what it did up to a moment stays the same whatever comes after that moment.

Real history is cut in the middle of open buckets and open positions, and the future is taken away or replaced
by another one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catalog.schema import Kind
from catalog.store import Catalog
from tests.acceptance.desk_runs import add_frame, first_difference, ns, played, until

pytestmark = pytest.mark.data

PRICES = ("open", "high", "low", "close")

# name -> files as (kind, minutes, folder, suffix, coins), first moment, cut, last moment, start of the run
SETS = {
    "fine": (
        ((Kind.OHLCV, 5, "spot_5m", "USDT.BINANCE.5m", ("BTC", "SOL")),),
        "2022-12-01", "2023-01-20 10:35", "2023-01-24", "2023-01-05",
    ),
    "funding": (
        (
            (Kind.OHLCV, 60, "perp_1h", "USDT-PERP.BINANCE.1h", ("BTC", "ETH", "SOL")),
            (Kind.FUNDING, 480, "funding", "USDT-PERP.BINANCE.funding_8h", ("BTC", "ETH", "SOL")),
            (Kind.BASIS, 60, "basis_1h", "USDT.BINANCE.perp_minus_spot.1h", ("BTC", "ETH", "SOL")),
        ),
        "2024-07-01", "2024-11-19 21:00", "2024-12-03", "2024-11-01",
    ),
}  # fmt: skip


def write(folder: Path, market: Path, name: str, future: str) -> Path:
    """Write a catalog of a set whose bars after the cut are the real ones, none, or invented ones."""
    files, first, cut, last, _ = SETS[name]
    catalog = Catalog.create(folder)
    for kind, minutes, place, suffix, coins in files:
        for number, coin in enumerate(coins):
            frame = pd.read_parquet(market / place / f"{coin}{suffix}.parquet")
            # A bar is known at its close, a settlement at once.
            known = frame["ts_utc"] + (0 if kind is Kind.FUNDING else minutes * 60_000_000_000)
            frame = frame[(frame["ts_utc"] >= ns(first)) & (known <= ns(last))].reset_index(drop=True)
            after = (known.loc[lambda x: x <= ns(last)].tail(len(frame)) > ns(cut)).to_numpy()
            if future == "none":
                frame = frame[~after]
            elif future == "invented":
                frame = invent(frame, after, number)
            add_frame(catalog, kind, f"{coin}USDT-PERP.BINANCE", minutes, frame)
    return folder


def invent(frame: pd.DataFrame, after: np.ndarray, seed: int) -> pd.DataFrame:
    """Return the rows with all after the cut replaced: a wild walk from there, funding upside down."""
    draw = np.random.default_rng(seed)
    frame = frame.copy()
    count = int(after.sum())
    for column in frame.columns.drop("ts_utc"):
        values = frame[column].to_numpy(copy=True)
        if column in PRICES or column.endswith("close"):
            continue
        if column == "volume":
            values[after] = np.round(values[after] * draw.uniform(0.1, 10.0, count), 2)
        else:
            values[after] *= -3.0
        frame[column] = values
    walk = np.exp(np.cumsum(draw.normal(0.0, 0.01, count)))
    prices = [c for c in frame.columns if c in PRICES or c.endswith("close")]
    for column in prices:
        values = frame[column].to_numpy(copy=True)
        digits = 1 if np.allclose(values, np.round(values, 1)) else 2  # other digits would be another tick
        values[after] = np.round(values[after] * walk, digits)
        frame[column] = values
    return frame


@pytest.mark.parametrize("name", SETS)
def test_nothing_before_a_cut_depends_on_what_comes_after_it(
    tmp_path: Path, market_dir: Path, name: str
) -> None:
    *_, cut, _, start = SETS[name]
    moment = ns(cut)
    assert moment is not None
    runs = {
        future: until(played(write(tmp_path / future, market_dir, name, future), start=start), moment)
        for future in ("real", "none", "invented")
    }
    assert len(runs["real"]["signals"]) > 20
    assert len(runs["real"]["trades"]) > 5
    assert len(runs["real"]["equity"]) > 100
    assert first_difference(runs["real"], runs["none"]) == ""
    assert first_difference(runs["real"], runs["invented"]) == ""


def test_the_invented_future_is_one_that_changes_decisions(tmp_path: Path, market_dir: Path) -> None:
    """Without this the comparison above would prove nothing."""
    *_, cut, _, start = SETS["fine"]
    real, invented = (
        played(write(tmp_path / future, market_dir, "fine", future), start=start)
        for future in ("real", "invented")
    )
    assert first_difference(real, invented) != ""
    moment = ns(cut)
    assert moment is not None
    assert [row for row in invented["signals"] if row[0] > moment]
