"""The Nautilus catalog is a cache of the raw files: what it holds is what they hold."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from nautilus_trader.model import CryptoPerpetual, CurrencyPair
from nautilus_trader.persistence import ParquetDataCatalog

from catalog import nautilus_cache
from catalog.errors import BrokenData, CatalogError, CatalogIOError
from catalog.feed import bar_type
from catalog.nautilus_cache import is_current, rebuild
from catalog.schema import Kind
from catalog.store import Catalog
from risk.vocabulary import HOUR_NS
from tests.fakes.markets import START_NS, from_closes, write_catalog
from tests.unit.catalog.rows import bars, with_row

BTC = "BTCUSDT-PERP.BINANCE"
SPOT = "ETHUSDT.BINANCE"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    rng = np.random.default_rng(3)
    closes = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.002, 600))), 2).tolist()
    hours = [(START_NS + k * HOUR_NS, closes[k]) for k in range(1, 40)]
    return write_catalog(
        tmp_path / "catalog",
        {BTC: from_closes(closes, wick=0.25, volume=12.345), SPOT: from_closes(closes[:100])},
        5,
        marks={BTC: hours},
        references={BTC: hours[:20]},
    )


@pytest.mark.parametrize("minutes", [5, 15, 60, 240])
def test_round_trip_gives_the_same_bars(catalog: Catalog, minutes: int) -> None:
    rebuilt = rebuild(catalog)

    read = ParquetDataCatalog(str(rebuilt.path)).query_bars([str(bar_type(BTC, minutes))])

    held = catalog.bars(BTC, minutes)
    assert [bar.ts_event for bar in read] == held.ts_event.tolist()
    for name in ("open", "high", "low", "close"):
        assert [getattr(bar, name).as_double() for bar in read] == getattr(held, name).tolist()
    np.testing.assert_allclose([bar.volume.as_double() for bar in read], held.volume, atol=5e-4)


def test_instruments_and_prices_are_in_the_cache(catalog: Catalog) -> None:
    rebuilt = rebuild(catalog)

    read = ParquetDataCatalog(str(rebuilt.path))

    kinds = {str(i.id): type(i) for i in read.instruments()}
    assert kinds == {BTC: CryptoPerpetual, SPOT: CurrencyPair}
    marks, index = read.query_mark_price_updates(), read.query_index_price_updates()
    assert [update.value.as_double() for update in marks] == catalog.marks(BTC).price.tolist()
    assert [update.ts_event for update in index] == catalog.references(BTC).ts_event.tolist()
    assert rebuilt.prices == 59


def test_cache_can_be_deleted_and_rebuilt_and_knows_whether_it_is_current(catalog: Catalog) -> None:
    assert not is_current(catalog)
    first = rebuild(catalog)
    assert is_current(catalog)
    shutil.rmtree(first.path)
    assert not is_current(catalog)

    again = rebuild(catalog)

    assert (again.bars, again.fingerprint) == (first.bars, first.fingerprint)
    catalog.add(Kind.OHLCV, "SOLUSDT-PERP.BINANCE", 5, bars(0, 20))
    assert not is_current(catalog)
    rebuild(catalog)
    assert is_current(catalog)
    assert sorted(p.name for p in catalog.path.iterdir() if p.is_dir()) == ["nautilus", "raw"]


def test_broken_data_is_not_built_from_and_the_old_cache_stays(catalog: Catalog) -> None:
    rebuild(catalog)
    before = sorted(catalog.path.joinpath("nautilus").rglob("*.parquet"))
    catalog.add(Kind.OHLCV, "SOLUSDT-PERP.BINANCE", 5, with_row(bars(0, 20), 3, close=np.nan))

    with pytest.raises(BrokenData):
        rebuild(catalog)

    assert sorted(catalog.path.joinpath("nautilus").rglob("*.parquet")) == before
    assert not catalog.path.joinpath("nautilus.new").exists()


def test_full_disk_leaves_the_old_cache(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    rebuild(catalog)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(nautilus_cache, "_write_bars", full)
        with pytest.raises(CatalogIOError, match="cannot write"):
            rebuild(catalog)

    assert is_current(catalog)
    assert not catalog.path.joinpath("nautilus.new").exists()


def test_progress_and_empty_catalog(catalog: Catalog, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []

    rebuild(catalog, progress=lambda *step: steps.append(step))

    assert steps == [(BTC, 0, 2), (SPOT, 1, 2), ("done", 2, 2)]
    with pytest.raises(CatalogError, match="no bars"):
        rebuild(Catalog.create(tmp_path / "empty"))
