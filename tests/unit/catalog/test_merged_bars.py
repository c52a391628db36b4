"""Several sources of one instrument: the finest wins, coarser ones fill the rest, disagreement is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from catalog.errors import (
    BrokenData,
)
from catalog.schema import BAR_COLUMNS, TIME, Columns, Kind
from catalog.store import Catalog
from catalog.timeframes import BarArrays, resample
from catalog.writer import Added
from risk.vocabulary import HOUR_NS, MINUTE_NS
from tests.unit.catalog.rows import BTC, DAY0, KEY, bars, with_row


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(tmp_path / "catalog")


def add(catalog: Catalog, columns: Columns, minutes: int = 5, label: str = "real") -> Added:
    return catalog.add(Kind.OHLCV, BTC, minutes, columns, label=label, source="test.parquet")


def test_finest_source_wins_and_coarser_fills_the_rest(catalog: Catalog) -> None:
    fine = bars(24, 24)  # 02:00 .. 04:00 in 5m
    add(catalog, fine)
    hourly = resample(_as_arrays(bars(0, 96)), 5, 60)  # 00:00 .. 08:00
    add(catalog, _hours(hourly), minutes=60)

    merged = catalog.bars(BTC, 60)

    assert (merged.ts_event == hourly.ts_event).all()
    np.testing.assert_array_equal(merged.close, hourly.close)
    assert len(catalog.bars(BTC, 5)) == 24
    assert len(catalog.bars(BTC, 240)) == 2
    assert catalog.base_minutes(BTC) == 5
    assert catalog.base_minutes(BTC, DAY0 + 5 * HOUR_NS, None) == 60


def test_bucket_cut_off_by_the_end_of_a_source_gives_way_to_a_whole_coarser_bar(catalog: Catalog) -> None:
    """5m bars begin at 02:35: the hour to 03:00 comes from the hourly source, the next from the 5m bars."""
    add(catalog, with_row(bars(31, 29), 10, volume=77.0))
    hourly = resample(_as_arrays(with_row(bars(0, 96), 41, volume=77.0)), 5, 60)
    add(catalog, _hours(hourly), minutes=60)

    np.testing.assert_allclose(catalog.bars(BTC, 60).volume, hourly.volume)


def test_cut_off_bucket_without_a_coarser_source_is_a_partial_bar(catalog: Catalog) -> None:
    add(catalog, bars(31, 29))

    first = catalog.bars(BTC, 60).slice(None, DAY0 + 3 * HOUR_NS)

    assert len(first) == 1
    assert first.open[0] == bars(31, 1)["open"][0]


def test_sources_that_disagree_are_refused_until_one_is_preferred(catalog: Catalog) -> None:
    add(catalog, bars(0, 96))
    hourly = resample(_as_arrays(bars(0, 96)), 5, 60)
    add(catalog, with_row(_hours(hourly), 3, close=float(hourly.close[3]) * 1.002, high=200.0), minutes=60)

    assert len(catalog.bars(BTC, 60, None, DAY0 + 3 * HOUR_NS)) == 3
    with pytest.raises(BrokenData, match="source_disagreement") as refused:
        catalog.bars(BTC, 60)
    assert "2024-01-01T04:00:00Z" in refused.value.found
    catalog.record_repair("prefer_finest", KEY)

    assert catalog.bars(BTC, 60).close[3] == hourly.close[3]


def _as_arrays(columns: Columns) -> BarArrays:

    return BarArrays(columns[TIME] + 5 * MINUTE_NS, *(columns[name] for name in BAR_COLUMNS))


def _hours(built: BarArrays) -> Columns:
    names = BAR_COLUMNS
    return {TIME: built.ts_event - HOUR_NS} | {name: getattr(built, name) for name in names}
