from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from catalog import writer
from catalog.errors import (
    BrokenData,
    CatalogError,
    CatalogIOError,
    ConflictingRows,
    UnknownInstrument,
    UnreadableFile,
)
from catalog.manifest import Manifest
from catalog.schema import TIME, Columns, Kind
from catalog.store import Catalog
from catalog.writer import Added
from risk.vocabulary import HOUR_NS, MINUTE_NS
from tests.unit.catalog.rows import BTC, DAY0, KEY, bars, picked, with_row


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(tmp_path / "catalog")


def add(catalog: Catalog, columns: Columns, minutes: int = 5, label: str = "real") -> Added:
    return catalog.add(Kind.OHLCV, BTC, minutes, columns, label=label, source="test.parquet")


def raw_files(catalog: Catalog) -> list[Path]:
    return sorted(path for path in (catalog.path / "raw").rglob("*") if path.is_file())


def test_bars_are_read_back_stamped_at_their_close(catalog: Catalog) -> None:
    rows = bars(0, 100)
    add(catalog, rows)

    read = Catalog(catalog.path).bars(BTC, 5)

    assert (read.ts_event == rows[TIME] + 5 * MINUTE_NS).all()
    assert (read.close == rows["close"]).all()
    assert (read.volume == rows["volume"]).all()


def test_repeated_import_writes_nothing(catalog: Catalog) -> None:
    add(catalog, bars(0, 100))
    before = raw_files(catalog)

    again = add(catalog, bars(0, 100))

    assert (again.written, again.known) == (0, 100)
    assert raw_files(catalog) == before


def test_overlapping_import_adds_only_what_is_new(catalog: Catalog) -> None:
    add(catalog, bars(0, 100))
    added = add(catalog, bars(50, 100))
    add(catalog, bars(0, 150))

    assert (added.written, added.known) == (50, 50)
    assert (catalog.bars(BTC, 5).ts_event == bars(0, 150)[TIME] + 5 * MINUTE_NS).all()
    assert sum(part.rows for part in catalog.manifest.parts) == 150


def test_overlap_with_other_values_is_refused_with_file_and_time(catalog: Catalog) -> None:
    add(catalog, bars(0, 100))
    before = (catalog.path / "manifest.json").read_bytes()

    with pytest.raises(ConflictingRows) as refused:
        add(catalog, with_row(bars(90, 20), 3, close=99.5, low=50.0))

    assert "2024-01-01T07:45:00Z" in refused.value.message
    assert "test.parquet" in refused.value.message
    assert "20240101T000000" in refused.value.expected
    assert (catalog.path / "manifest.json").read_bytes() == before


def test_rows_that_fill_a_hole_are_merged(catalog: Catalog) -> None:
    add(catalog, picked(bars(0, 100), [*range(40), *range(60, 100)]))
    add(catalog, bars(0, 100))

    assert len(catalog.bars(BTC, 5)) == 100


def test_labels_are_not_mixed_in_one_source(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))

    with pytest.raises(ConflictingRows, match="spot-as-perp data would be mixed"):
        add(catalog, bars(10, 10), label="spot-as-perp")


def test_two_writers_at_once_lose_nothing(catalog: Catalog) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda k: add(Catalog(catalog.path), bars(k * 20, 40)), range(8)))

    read = Catalog(catalog.path).bars(BTC, 5)
    assert (read.close == bars(0, 180)["close"]).all()


@pytest.mark.parametrize("step", ["part", "manifest"])
def test_import_killed_between_steps_leaves_the_old_state_and_can_be_repeated(
    catalog: Catalog, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(catalog, bars(0, 50))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "part":
            patch.setattr(writer, "write_atomically", killed)
        else:
            patch.setattr(Manifest, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            add(catalog, bars(0, 100))

    reopened = Catalog(catalog.path)
    assert len(reopened.bars(BTC, 5)) == 50
    add(reopened, bars(0, 100))
    assert len(reopened.bars(BTC, 5)) == 100
    assert len(raw_files(reopened)) == len(reopened.manifest.parts) == 2


@pytest.mark.parametrize("full_at", range(4))
def test_full_disk_is_a_clear_error_and_nothing_is_half_written(
    catalog: Catalog, full_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Syncs: raw file, its folder, manifest, its folder."""
    add(catalog, bars(0, 50))
    sync, calls = os.fsync, iter(range(100))

    def full(descriptor: int) -> None:
        if next(calls) == full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CatalogIOError) as refused:
            add(catalog, bars(0, 100))

    assert "No space left" in refused.value.found
    assert "free space" in refused.value.remedy
    assert not list(catalog.path.rglob("*.tmp"))
    reopened = Catalog(catalog.path)
    assert len(reopened.bars(BTC, 5)) in (50, 100)
    add(reopened, bars(0, 100))
    assert len(reopened.bars(BTC, 5)) == 100


def test_read_only_folder_is_refused_with_folder_and_remedy(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", read_only)
        with pytest.raises(CatalogIOError) as refused:
            add(catalog, bars(0, 10))

    assert str(catalog.path) in refused.value.message
    assert "can be written" in refused.value.remedy


def test_catalog_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CatalogIOError, match="cannot write"):
        Catalog.create(tmp_path / "file")


def test_missing_catalog_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="there is no catalog") as refused:
        Catalog(tmp_path)

    assert "crupto catalog import" in refused.value.remedy


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": 9}', '{"format": 1, "parts": [{"kind": "x"}], "repairs": []}']
)
def test_damaged_manifest_is_refused(catalog: Catalog, content: str) -> None:
    (catalog.path / "manifest.json").write_text(content)

    with pytest.raises(CatalogError, match="damaged"):
        Catalog(catalog.path)


def test_changed_raw_file_is_not_read(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))
    (file,) = raw_files(catalog)
    file.write_bytes(file.read_bytes() + b"x")

    with pytest.raises(UnreadableFile, match="was changed"):
        Catalog(catalog.path).bars(BTC, 5)


def test_missing_raw_file_is_named(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))
    (file,) = raw_files(catalog)
    file.unlink()

    with pytest.raises(UnreadableFile, match="cannot be read"):
        Catalog(catalog.path).bars(BTC, 5)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"close": np.nan}, "nan"),
        ({"low": -1.0}, "not_positive"),
        ({"volume": -1.0}, "not_positive"),
        ({"high": 1.0}, "high_below_low"),
    ],
)
def test_broken_row_is_refused_only_where_it_lies(
    catalog: Catalog, change: dict[str, float], code: str
) -> None:
    add(catalog, with_row(bars(0, 100), 40, **change))
    broken_close = DAY0 + 41 * 5 * MINUTE_NS

    with pytest.raises(BrokenData, match=code) as refused:
        catalog.bars(BTC, 5)

    assert "2024-01-01T03:25:00Z" in refused.value.found
    assert "drop_broken" in refused.value.remedy
    assert len(catalog.bars(BTC, 5, broken_close + 5 * MINUTE_NS)) == 58
    assert len(catalog.bars(BTC, 5, None, broken_close - 1)) == 40


def test_recorded_repair_makes_the_range_usable_and_leaves_the_raw_file(catalog: Catalog) -> None:
    add(catalog, with_row(bars(0, 100), 40, close=np.nan))
    raw = raw_files(catalog)[0].read_bytes()
    before = catalog.fingerprint([BTC])

    catalog.record_repair("drop_broken", KEY)

    assert len(Catalog(catalog.path).bars(BTC, 5)) == 99
    assert raw_files(catalog)[0].read_bytes() == raw
    assert json.loads((catalog.path / "manifest.json").read_text())["repairs"][0]["name"] == "drop_broken"
    assert catalog.fingerprint([BTC]) != before


def test_unknown_repair_and_unknown_source_are_refused(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))

    with pytest.raises(CatalogError, match="unknown repair"):
        catalog.record_repair("wish", KEY)
    with pytest.raises(CatalogError, match="holds no"):
        catalog.record_repair("sort", (Kind.MARK, BTC, 60))


def test_unsorted_and_duplicate_rows_need_a_named_repair(catalog: Catalog) -> None:
    rows = picked(bars(0, 50), [0, 1, 2, 4, 3, *range(5, 50), 49])
    add(catalog, rows)

    with pytest.raises(BrokenData, match="unsorted"):
        catalog.bars(BTC, 5)
    catalog.record_repair("sort", KEY)
    with pytest.raises(BrokenData, match="duplicate"):
        catalog.bars(BTC, 5)
    catalog.record_repair("drop_duplicates", KEY)

    assert (catalog.bars(BTC, 5).close == bars(0, 50)["close"]).all()


@pytest.mark.parametrize(("repair", "close"), [("keep_first", 99.0), ("keep_last", 98.0)])
def test_conflicting_duplicates_are_answered_by_first_or_last(
    catalog: Catalog, repair: str, close: float
) -> None:
    rows = picked(bars(0, 10), [0, 1, 2, 2, 3])
    add(catalog, with_row(with_row(rows, 2, close=99.0, low=97.0), 3, close=98.0, low=97.0))

    with pytest.raises(BrokenData, match="conflicting_duplicate"):
        catalog.bars(BTC, 5)
    catalog.record_repair(repair, KEY)

    assert catalog.bars(BTC, 5).close[2] == close


def test_repeated_import_of_broken_rows_writes_nothing(catalog: Catalog) -> None:
    rows = with_row(picked(bars(0, 50), [0, 1, 2, 4, 3, *range(5, 50), 49]), 7, close=np.nan)
    add(catalog, rows)

    assert add(catalog, rows).written == 0


def test_window_is_half_open_and_an_empty_one_gives_nothing(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))
    close = DAY0 + 5 * MINUTE_NS

    assert catalog.bars(BTC, 5, close, close + 5 * MINUTE_NS).ts_event.tolist() == [close + 5 * MINUTE_NS]
    assert len(catalog.bars(BTC, 5, DAY0 + 10 * HOUR_NS, None)) == 0
    with pytest.raises(CatalogError, match="no bars in the window"):
        catalog.base_minutes(BTC, DAY0 + 10 * HOUR_NS, None)


def test_unknown_instrument_lists_what_is_held(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))

    for ask in (lambda: catalog.bars("ETHUSDT-PERP.BINANCE", 5), lambda: catalog.sources("XRP-USDT.BINGX")):
        with pytest.raises(UnknownInstrument) as refused:
            ask()
        assert BTC in refused.value.expected


def test_timeframe_finer_than_every_source_is_refused(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))

    with pytest.raises(CatalogError, match="1 minutes"):
        catalog.bars(BTC, 1)


def test_funding_is_snapped_to_its_boundary_and_missing_stays_missing(catalog: Catalog) -> None:
    stamps = DAY0 + np.array([8, 16, 40]) * HOUR_NS + np.array([3_000_000, -2_000_000, 59 * 10**9])
    catalog.add(Kind.FUNDING, BTC, 480, {TIME: stamps, "funding_rate": np.array([1e-4, -2e-4, 3e-4])})

    read = catalog.funding(BTC, DAY0 + 8 * HOUR_NS, None)

    assert ((read.ts_event - DAY0) // HOUR_NS).tolist() == [16, 40]
    assert (read.ts_event % HOUR_NS == 0).all()
    assert len(catalog.funding("ETHUSDT-PERP.BINANCE")) == 0


def test_reference_is_the_index_then_the_basis_then_the_spot_market(catalog: Catalog) -> None:
    hours = bars(0, 24, minutes=60)
    catalog.add(Kind.OHLCV, "BTCUSDT.BINANCE", 60, hours)
    assert (catalog.references(BTC).price == hours["close"]).all()

    basis = {TIME: hours[TIME], "perp_close": hours["close"], "spot_close": hours["open"]}
    catalog.add(Kind.BASIS, BTC, 60, basis | {"basis_bps": np.zeros(24)})
    assert (catalog.references(BTC).price == hours["open"]).all()

    catalog.add(Kind.REFERENCE, BTC, 60, hours | {"close": hours["high"]})
    references = catalog.references(BTC, None, DAY0 + 2 * HOUR_NS)
    assert references.ts_event.tolist() == [DAY0 + HOUR_NS, DAY0 + 2 * HOUR_NS]
    assert references.price.tolist() == hours["high"][:2].tolist()


def test_sources_tell_range_decimals_and_label(catalog: Catalog) -> None:
    add(catalog, bars(0, 10))
    add(catalog, bars(20, 10))

    (source,) = catalog.sources(BTC)

    assert (source.rows, source.files, source.label) == (20, 2, "real")
    assert (source.first_ns, source.last_ns) == (DAY0 + 5 * MINUTE_NS, DAY0 + 150 * MINUTE_NS)
    assert (source.price_digits, source.size_digits) == (2, 3)
    assert catalog.instruments() == (BTC,)


def test_fingerprint_follows_the_data_and_nothing_else(tmp_path: Path) -> None:
    prints = []
    for name in "ab":
        catalog = Catalog.create(tmp_path / name)
        catalog.add(Kind.OHLCV, BTC, 5, bars(0, 20), source=name)
        prints.append(catalog.fingerprint([BTC]))
    catalog.add(Kind.OHLCV, "ETHUSDT-PERP.BINANCE", 5, bars(0, 20))

    assert prints[0] == prints[1] == catalog.fingerprint([BTC])
    catalog.add(Kind.OHLCV, BTC, 5, bars(20, 1))
    assert catalog.fingerprint([BTC]) != prints[0]
