"""The whole shared history through import, check and the merged view."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from catalog.importers import ImportReport, import_paths
from catalog.quality import check
from catalog.store import Catalog
from catalog.timeframes import resample
from risk.vocabulary import HOUR_NS, MINUTE_NS

pytestmark = pytest.mark.data

ETH = "ETHUSDT-PERP.BINANCE"


@pytest.fixture(scope="module")
def imported(market_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, ImportReport]:
    catalog = Catalog.create(tmp_path_factory.mktemp("real"))
    return catalog, import_paths(catalog, [market_dir])


def test_everything_but_order_book_files_is_imported_and_a_repeat_adds_nothing(
    imported: tuple[Catalog, ImportReport], market_dir: Path
) -> None:
    catalog, report = imported

    assert {file.path.parent.name for file in report.files if file.skipped} == {"l2"}
    assert all(file.known == 0 for file in report.files)
    assert len(catalog.instruments()) == 15
    assert import_paths(catalog, [market_dir / "perp_1h", market_dir / "funding"]).written == 0


def test_check_finds_the_known_holes_and_no_error(imported: tuple[Catalog, ImportReport]) -> None:
    report = check(imported[0])

    assert report.sound
    gaps = {(f.instrument, f.minutes): f.count for f in report.findings if f.code == "gap"}
    assert gaps["BTCUSDT.BINANCE", 5] == 16
    assert gaps["BTCUSDT-PERP.BINANCE", 60] == 1
    holes = [f.count for f in report.findings if f.code == "funding_hole" and f.instrument == ETH]
    assert holes == [16, 277]  # 5.7 and 93 days


def test_timeframes_of_one_coin_agree_where_they_overlap(imported: tuple[Catalog, ImportReport]) -> None:
    codes = {finding.code for finding in check(imported[0]).findings}

    assert "source_disagreement" not in codes


def test_minutes_win_in_the_middle_and_hours_fill_the_rest(
    imported: tuple[Catalog, ImportReport], market_dir: Path
) -> None:
    catalog, _ = imported
    hours = pq.read_table(market_dir / "perp_1h" / f"{ETH}.1h.parquet")
    fine = catalog.own_bars(ETH, 1)

    merged = catalog.bars(ETH, 60)

    assert (merged.ts_event == hours["ts_utc"].to_numpy() + HOUR_NS).all()
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(merged, name), hours[name].to_numpy())
    inside = resample(fine, 1, 60).slice(int(fine.ts_event[0]) + HOUR_NS, int(fine.ts_event[-1]))
    kept = merged.slice(int(inside.ts_event[0]) - 1, int(inside.ts_event[-1]))
    np.testing.assert_array_equal(kept.volume, inside.volume)
    assert len(catalog.bars(ETH, 1)) == 73_140
    assert (
        catalog.base_minutes(ETH, int(fine.ts_event[0]) - 400 * HOUR_NS, int(fine.ts_event[0]) - MINUTE_NS)
        == 60
    )


def test_funding_and_references_lie_on_their_boundaries(imported: tuple[Catalog, ImportReport]) -> None:
    catalog, _ = imported
    funding, references = catalog.funding(ETH), catalog.references(ETH)

    assert (funding.ts_event % (8 * HOUR_NS) == 0).all()
    assert len(funding) == 5_711
    assert (references.ts_event % HOUR_NS == 0).all()
    assert len(references) == 24_095
    assert len(catalog.marks(ETH)) == 810


def test_spot_as_perpetual_beside_the_real_perpetual_is_reported(market_dir: Path, tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "catalog")
    import_paths(catalog, [market_dir / "spot_5m" / "BTCUSDT.BINANCE.5m.parquet"], as_perp=True)
    import_paths(catalog, [market_dir / "perp_1h" / "BTCUSDT-PERP.BINANCE.1h.parquet"])

    report = check(catalog)

    (difference,) = [f for f in report.findings if f.code == "source_difference"]
    assert "spot-as-perp against real" in difference.detail
    assert report.sound
    assert len(catalog.bars("BTCUSDT-PERP.BINANCE", 60)) == 24_840
