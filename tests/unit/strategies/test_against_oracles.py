"""All signals of each strategy, on whole histories, against the independent batch form of its rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catalog.timeframes import resample
from risk.vocabulary import Signal
from strategies.batch import raw_signals
from strategies.registry import get
from tests.fakes.histories import History, read_bars, read_funding_history
from tests.unit.strategies import oracles
from tests.unit.strategies.subjects import NAME, synthetic_history

STRATEGIES = ("breakout_4h", "volatility_expansion_15m", "range_reversion_5m", "funding_reversion")


def signals_of(name: str, history: History) -> list[Signal]:
    return raw_signals(get(name), NAME, history.bars, history.funding, history.references)


def assert_as_defined(name: str, history: History) -> pd.DataFrame:
    """Compare every signal's time, side and numbers; return what the oracle says."""
    wanted = getattr(oracles, name)(history)
    found = signals_of(name, history)
    assert [s.ts_event for s in found] == history.bars.ts_event[wanted.index].tolist()
    assert [s.side for s in found] == wanted["side"].tolist()
    assert [s.reference_price for s in found] == history.bars.close[wanted.index].tolist()
    np.testing.assert_allclose([s.confidence for s in found], wanted["confidence"], rtol=1e-9)
    np.testing.assert_allclose([s.exits.stop_distance for s in found], wanted["stop_distance"], rtol=1e-9)
    targets = [np.nan if s.exits.target_price is None else s.exits.target_price for s in found]
    np.testing.assert_allclose(targets, wanted["target_price"], rtol=1e-12)
    return wanted


@pytest.mark.parametrize("name", STRATEGIES)
def test_signals_on_synthetic_history(name: str) -> None:
    wanted = assert_as_defined(name, synthetic_history(name, 6000, seed=11))
    assert set(wanted["side"]) == {1, -1}


@pytest.mark.data
@pytest.mark.parametrize("coin", ["BTC", "DOGE", "TRX"])
def test_breakout_on_real_history(market_dir: Path, coin: str) -> None:
    hours = read_bars(market_dir / "perp_1h" / f"{coin}USDT-PERP.BINANCE.1h.parquet", 60)
    wanted = assert_as_defined("breakout_4h", History(resample(hours, 60, 240)))
    assert set(wanted["side"]) == {1, -1}
    assert set(wanted["confidence"]) == {0.6, 0.9}


@pytest.mark.data
def test_volatility_expansion_on_real_history(market_dir: Path) -> None:
    bars = read_bars(market_dir / "spot_15m" / "ETHUSDT.BINANCE.15m.parquet", 15)
    wanted = assert_as_defined("volatility_expansion_15m", History(bars.take(slice(0, 25_000))))
    assert set(wanted["side"]) == {1, -1}


@pytest.mark.data
@pytest.mark.parametrize("coin", ["BTC", "XRP"])
def test_range_reversion_on_real_history(market_dir: Path, coin: str) -> None:
    bars = read_bars(market_dir / "spot_5m" / f"{coin}USDT.BINANCE.5m.parquet", 5)
    wanted = assert_as_defined("range_reversion_5m", History(bars.take(slice(20_000, 60_000))))
    assert set(wanted["side"]) == {1, -1}


@pytest.mark.data
@pytest.mark.parametrize(("coin", "at_least"), [("BTC", 30), ("ETH", 30), ("SOL", 10)])
def test_funding_reversion_on_real_history_with_its_holes(market_dir: Path, coin: str, at_least: int) -> None:
    wanted = assert_as_defined("funding_reversion", read_funding_history(market_dir, coin))
    assert len(wanted) >= at_least
    assert set(wanted["side"]) == {-1}
