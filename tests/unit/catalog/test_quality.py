from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from catalog.errors import BrokenData, CatalogError
from catalog.quality import Finding, QualityReport, check, repair
from catalog.schema import BAR_COLUMNS, TIME, Columns, Kind
from catalog.store import Catalog
from catalog.timeframes import BarArrays, resample
from risk.vocabulary import HOUR_NS, MINUTE_NS
from tests.unit.catalog.rows import BTC, DAY0, bars, picked, with_row


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(tmp_path / "catalog")


def add(catalog: Catalog, columns: Columns, minutes: int = 5, label: str = "real") -> None:
    catalog.add(Kind.OHLCV, BTC, minutes, columns, label=label, source="test.parquet")


def codes(report: QualityReport) -> list[str]:
    return [finding.code for finding in report.findings]


def stamp(row: int) -> int:
    return DAY0 + row * 5 * MINUTE_NS


def test_sound_data_gives_no_finding(catalog: Catalog) -> None:
    add(catalog, bars(0, 500))
    steps: list[tuple[str, int, int]] = []

    report = check(catalog, progress=lambda *step: steps.append(step))

    assert report.sound
    assert report.findings == ()
    assert (report.sources, report.files, report.rows) == (1, 1, 500)
    assert [step[1:] for step in steps] == [(0, 1), (1, 1)]


def test_zero_volume_and_zero_range_are_valid(catalog: Catalog) -> None:
    price = float(bars(0, 20)["open"][5])
    flat = dict.fromkeys(BAR_COLUMNS[:4], price) | {"volume": 0.0}
    add(catalog, with_row(bars(0, 20), 5, **flat))

    assert check(catalog).findings == ()


@pytest.mark.parametrize(
    ("rows", "code", "row", "repairs"),
    [
        (with_row(bars(0, 50), 7, close=np.nan), "nan", 7, ("drop_broken",)),
        (with_row(bars(0, 50), 7, volume=np.inf), "nan", 7, ("drop_broken",)),
        (with_row(bars(0, 50), 7, open=0.0, low=0.0), "not_positive", 7, ("drop_broken",)),
        (with_row(bars(0, 50), 7, low=-5.0), "not_positive", 7, ("drop_broken",)),
        (with_row(bars(0, 50), 7, high=1.0), "high_below_low", 7, ("drop_broken",)),
        (
            picked(bars(0, 50), [*range(8), 7, *range(8, 50)]),
            "duplicate",
            7,
            ("drop_duplicates", "keep_first", "keep_last"),
        ),
        (with_row(bars(0, 50), 7, ts_utc=stamp(7) + MINUTE_NS), "misaligned", 7.2, ("drop_misaligned",)),
        (picked(bars(0, 50), [*range(7), 8, 7, *range(9, 50)]), "unsorted", 7, ("sort",)),
        (
            with_row(bars(0, 50), 7, close=900.0, high=900.0),
            "bad_tick",
            7,
            ("drop_outliers", "accept_outliers"),
        ),
    ],
)
def test_error_is_found_with_file_and_time_and_answered_by_its_repair(
    catalog: Catalog, rows: Columns, code: str, row: float, repairs: tuple[str, ...]
) -> None:
    add(catalog, rows)

    report = check(catalog)

    finding = next(f for f in report.findings if f.severity == "error")
    assert not report.sound
    assert (finding.code, finding.count, finding.repairs) == (code, 1, repairs)
    assert finding.first_ns == DAY0 + int(row * 5) * MINUTE_NS
    assert finding.file == catalog.manifest.parts[0].file
    assert code in finding.text()
    assert "2024-01-01T00:3" in finding.text()
    with pytest.raises(BrokenData, match=code):
        catalog.bars(BTC, 5)

    done = repair(catalog, [repairs[0]])

    assert done == [f"{repairs[0]}: ohlcv {BTC} 5m"]
    repaired = check(catalog)
    assert repaired.sound
    assert any(f.severity == "info" and f"repaired by {repairs[0]}" in f.detail for f in repaired.findings)
    assert len(catalog.bars(BTC, 5)) in (49, 50)
    assert repair(catalog, [repairs[0]]) == []


def test_conflicting_duplicate_shows_the_values(catalog: Catalog) -> None:
    rows = picked(bars(0, 50), [*range(8), 7, *range(8, 50)])
    add(catalog, with_row(rows, 8, volume=123.0))

    (finding,) = check(catalog).findings

    assert finding.code == "conflicting_duplicate"
    assert "volume 123.0" in finding.detail


def test_each_gap_is_named_with_its_bounds_and_leaves_data_usable(catalog: Catalog) -> None:
    add(catalog, picked(bars(0, 100), [*range(10), *range(12, 50), *range(60, 100)]))

    first, second = check(catalog).findings

    assert (first.code, first.severity, first.count) == ("gap", "warning", 2)
    assert (first.first_ns, first.last_ns) == (stamp(10), stamp(11))
    assert (second.first_ns, second.last_ns, second.count) == (stamp(50), stamp(59), 10)
    assert len(catalog.bars(BTC, 5)) == 88


def test_gap_between_two_files_is_found_and_none_where_they_touch(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))
    add(catalog, bars(10, 10))
    add(catalog, bars(30, 10))

    (finding,) = check(catalog).findings

    assert (finding.code, finding.count) == ("gap", 10)


def test_outlier_that_comes_back_is_a_warning_and_a_move_that_stays_is_none(catalog: Catalog) -> None:
    rows = bars(0, 300)
    moved = {name: column.copy() for name, column in rows.items()}
    for name in BAR_COLUMNS[:4]:
        moved[name][150:] *= 1.3
    moved["high"][150] = max(moved["high"][150], moved["open"][150])
    close = float(moved["close"][40]) * 1.12
    add(catalog, with_row(moved, 40, close=close, high=close))

    (finding,) = check(catalog).findings

    assert (finding.code, finding.severity, finding.first_ns) == ("outlier", "warning", stamp(40))
    assert len(catalog.bars(BTC, 5)) == 300


def test_funding_holes_and_extreme_rates(catalog: Catalog) -> None:
    hours = np.array([8, 16, 24, 48, 56])
    stamps = DAY0 + hours * HOUR_NS + 2_000_000
    rates = np.array([1e-4, 1e-4, 0.05, 1e-4, 1e-4])
    catalog.add(Kind.FUNDING, BTC, 480, {TIME: stamps, "funding_rate": rates})

    outlier, hole = sorted(check(catalog).findings, key=lambda f: f.code, reverse=True)

    assert (outlier.code, outlier.count) == ("outlier", 1)
    assert (hole.code, hole.count) == ("funding_hole", 2)
    assert (hole.first_ns, hole.last_ns) == (DAY0 + 32 * HOUR_NS, DAY0 + 40 * HOUR_NS)
    assert "2 settlements missing" in hole.detail


def hourly(columns: Columns) -> Columns:
    fine = BarArrays(columns[TIME] + 5 * MINUTE_NS, *(columns[name] for name in BAR_COLUMNS))
    built = resample(fine, 5, 60)
    return {TIME: built.ts_event - HOUR_NS} | {name: getattr(built, name) for name in BAR_COLUMNS}


def test_overlapping_timeframes_that_agree_give_no_finding(catalog: Catalog) -> None:
    add(catalog, bars(0, 96))
    add(catalog, hourly(bars(0, 192)), minutes=60)

    assert check(catalog).findings == ()


def test_timeframes_that_disagree_are_an_error_with_the_time(catalog: Catalog) -> None:
    add(catalog, bars(0, 96))
    add(catalog, with_row(hourly(bars(0, 192)), 3, low=90.0), minutes=60)

    (finding,) = check(catalog).findings

    assert (finding.code, finding.severity) == ("source_disagreement", "error")
    assert finding.first_ns == DAY0 + 3 * HOUR_NS
    assert "5m against 1h" in finding.file
    repair(catalog, ["prefer_finest"])
    assert check(catalog).sound


def test_volumes_that_disagree_are_a_warning(catalog: Catalog) -> None:
    add(catalog, bars(0, 96))
    add(catalog, with_row(hourly(bars(0, 192)), 3, volume=9e9), minutes=60)

    (finding,) = check(catalog).findings

    assert (finding.code, finding.severity) == ("source_difference", "warning")


def test_hole_in_the_finer_source_is_a_gap_and_no_disagreement(catalog: Catalog) -> None:
    add(catalog, picked(bars(0, 96), [*range(30), *range(33, 96)]))
    add(catalog, hourly(bars(0, 96)), minutes=60)

    assert codes(check(catalog)) == ["gap"]


def test_spot_standing_in_for_the_perpetual_is_a_warning_with_the_distance(catalog: Catalog) -> None:
    add(catalog, bars(0, 96), label="spot-as-perp")
    dearer = hourly(bars(0, 96))
    for name in BAR_COLUMNS[:4]:
        dearer[name] = dearer[name] * 1.0005
    add(catalog, dearer, minutes=60)

    (finding,) = check(catalog).findings

    assert (finding.code, finding.severity) == ("source_difference", "warning")
    assert "spot-as-perp against real" in finding.detail
    assert "5.00 bps" in finding.detail
    assert len(catalog.bars(BTC, 60)) == 8


def test_lost_and_changed_files_are_found_and_can_be_forgotten(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))
    add(catalog, bars(10, 10))
    lost, changed = (catalog.path / part.file for part in catalog.manifest.parts)
    lost.unlink()
    changed.write_bytes(b"x")

    assert sorted(codes(check(catalog))) == ["changed_file", "lost_file"]
    done = repair(catalog, ["forget_lost_files", "remove_leftovers"])

    assert len(done) == 4
    assert check(catalog).findings == ()
    add(catalog, bars(0, 20))
    assert len(catalog.bars(BTC, 5)) == 20


def test_leftovers_of_a_killed_import_are_reported_ignored_and_removable(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))
    stray = (catalog.path / catalog.manifest.parts[0].file).with_name("stray.parquet.tmp")
    stray.write_bytes(b"half")

    (finding,) = check(catalog).findings
    assert (finding.code, finding.severity) == ("leftover", "info")
    assert finding.file.endswith("stray.parquet.tmp")
    assert repair(catalog, ["remove_leftovers"]) == ["remove_leftovers: stray.parquet.tmp"]
    assert not stray.exists()


def test_check_of_some_instruments_leaves_the_others_out(catalog: Catalog) -> None:
    add(catalog, with_row(bars(0, 10), 3, close=np.nan))
    catalog.add(Kind.OHLCV, "ETHUSDT-PERP.BINANCE", 5, bars(0, 10))

    assert check(catalog, ["ETHUSDT-PERP.BINANCE"]).sound
    assert repair(catalog, ["drop_broken"], ["ETHUSDT-PERP.BINANCE"]) == []


def test_unknown_repair_is_refused_with_the_known_ones(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="drop_broken"):
        repair(catalog, ["mend"])


def test_findings_come_worst_first(catalog: Catalog) -> None:
    add(catalog, with_row(picked(bars(0, 60), [*range(10), *range(12, 60)]), 30, close=np.nan))

    report = check(catalog)

    assert [finding.severity for finding in report.findings] == ["error", "warning"]
    assert report.counts() == {"error": 1, "warning": 1, "info": 0}
    assert all(isinstance(finding, Finding) for finding in report.findings)
