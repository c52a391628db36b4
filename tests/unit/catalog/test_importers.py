from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import CatalogError, ConflictingRows, MissingFile, UnreadableFile
from catalog.importers import import_paths
from catalog.names import Subject, subject_of
from catalog.schema import BAR_COLUMNS, TIME, Kind
from catalog.store import Catalog
from catalog.tables import read_table
from risk.vocabulary import HOUR_NS, MINUTE_NS
from tests.unit.catalog.rows import BTC, DAY0, bars, picked, with_row, write_csv, write_parquet

FILE = f"{BTC}.5m.parquet"
PERP = "BTCUSDT-PERP.BINANCE"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(tmp_path / "catalog")


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("BTCUSDT-PERP.BINANCE.1h.parquet", Subject(Kind.OHLCV, PERP, 60)),
        ("BTC-USDT.BINGX.5m.csv", Subject(Kind.OHLCV, "BTC-USDT.BINGX", 5)),
        ("BTCUSDT.BINANCE.15m.csv.gz", Subject(Kind.OHLCV, "BTCUSDT.BINANCE", 15)),
        ("BTCUSDT-PERP.BINANCE.funding_8h.parquet", Subject(Kind.FUNDING, PERP, 480)),
        ("BTCUSDT-PERP.MARK.BINANCE.1h.parquet", Subject(Kind.MARK, PERP, 60)),
        ("BTCUSDT.INDEX.BINANCE.1h.parquet", Subject(Kind.REFERENCE, PERP, 60)),
        ("BTCUSDT.BINANCE.perp_minus_spot.1h.parquet", Subject(Kind.BASIS, PERP, 60)),
    ],
)
def test_file_names_tell_what_is_inside(name: str, subject: Subject) -> None:
    assert subject_of(Path(name)) == subject


def test_spot_as_perpetual_is_labelled_and_leaves_perpetuals_alone() -> None:
    spot = subject_of(Path("BTCUSDT.BINANCE.5m.parquet"), as_perp=True)
    perpetual = subject_of(Path("BTCUSDT-PERP.BINANCE.5m.parquet"), as_perp=True)

    assert spot == Subject(Kind.OHLCV, PERP, 5, "spot-as-perp")
    assert perpetual.label == "real"


@pytest.mark.parametrize(
    "name",
    ["prices.parquet", "BTC.parquet", "BTCUSDT.BINANCE.7m.csv", "X.BBO.20240808.parquet", "a.b.1h.csv"],
)
def test_other_file_names_are_refused_with_the_form(name: str) -> None:
    with pytest.raises(UnreadableFile, match=r"SYMBOL\.VENUE\.TIMEFRAME"):
        subject_of(Path(name))


def test_folder_is_imported_and_strangers_are_reported(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    write_parquet(folder / FILE, bars(0, 50))
    write_parquet(folder / "trades.parquet", bars(0, 5))
    (folder / "README.md").write_text("notes")
    steps: list[tuple[str, int, int]] = []

    report = import_paths(catalog, [tmp_path / "in"], progress=lambda *step: steps.append(step))

    imported, stranger = report.files
    assert (imported.written, imported.known, report.written) == (50, 0, 50)
    assert "does not say" in stranger.skipped
    assert steps[0] == (FILE, 0, 2)
    assert catalog.manifest.parts[0].source == FILE
    assert import_paths(catalog, [tmp_path / "in"]).written == 0


def test_conflicting_file_is_refused_and_the_ones_before_it_stay(catalog: Catalog, tmp_path: Path) -> None:
    first = write_parquet(tmp_path / FILE, bars(0, 50))
    (tmp_path / "b").mkdir()
    second = write_parquet(tmp_path / "b" / FILE, with_row(bars(40, 20), 2, volume=5.0))

    with pytest.raises(ConflictingRows, match="2024-01-01T03:30:00Z"):
        import_paths(catalog, [first, second])

    assert len(Catalog(catalog.path).bars(BTC, 5)) == 50


def test_spot_as_perpetual_lands_under_the_perpetual(catalog: Catalog, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "BTCUSDT.BINANCE.5m.parquet", bars(0, 50))

    import_paths(catalog, [path], as_perp=True)

    assert catalog.instruments() == (PERP,)
    assert catalog.sources(PERP)[0].label == "spot-as-perp"


SECONDS = [(DAY0 + k * 5 * MINUTE_NS) // 10**9 for k in range(20)]


@pytest.mark.parametrize(
    "stamps",
    [
        pytest.param(SECONDS, id="s"),
        pytest.param([s * 1_000 for s in SECONDS], id="ms"),
        pytest.param([s * 10**6 for s in SECONDS], id="us"),
        pytest.param([s * 10**9 for s in SECONDS], id="ns"),
        pytest.param([f"{s}.0" for s in SECONDS], id="float seconds"),
        pytest.param([datetime.fromtimestamp(s, UTC).isoformat() for s in SECONDS], id="iso with zone"),
        pytest.param(
            [f"{datetime.fromtimestamp(s, UTC):%Y-%m-%d %H:%M:%S}" for s in SECONDS], id="iso plain"
        ),
        pytest.param([f"{datetime.fromtimestamp(s, UTC):%Y-%m-%dT%H:%M:%S}Z" for s in SECONDS], id="iso Z"),
    ],
)
def test_csv_stamps_in_any_unit(catalog: Catalog, tmp_path: Path, stamps: list[object]) -> None:
    path = write_csv(tmp_path / f"{BTC}.5m.csv", bars(0, 20), stamps)

    import_paths(catalog, [path])

    read = catalog.bars(BTC, 5)
    assert (read.ts_event == bars(0, 20)[TIME] + 5 * MINUTE_NS).all()
    assert (read.close == bars(0, 20)["close"]).all()


@pytest.mark.parametrize(
    "stamps",
    [
        pytest.param([*SECONDS[:19], SECONDS[19] * 1_000], id="mixed units"),
        pytest.param([*SECONDS[:19], "soon"], id="text among numbers"),
        pytest.param([*SECONDS[:19], ""], id="missing"),
        pytest.param(["x"] * 20, id="no times at all"),
        pytest.param([0] * 20, id="1970"),
    ],
)
def test_csv_stamps_that_cannot_be_read_are_refused(tmp_path: Path, stamps: list[object]) -> None:
    path = write_csv(tmp_path / "x.csv", bars(0, 20), stamps)

    with pytest.raises(UnreadableFile, match="time stamp"):
        read_table(path, Kind.OHLCV)


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ("Date,Open,High,Low,Close,Volume", ","),
        ("open_time;O;H;L;C;V", ";"),
        ("TS\tOPEN\tHIGH\tLOW\tCLOSE\tVOL", "\t"),
    ],
)
def test_csv_headers_of_other_tools(tmp_path: Path, header: str, separator: str) -> None:
    path = write_csv(tmp_path / "x.csv", bars(0, 20), SECONDS)
    lines = path.read_text().splitlines()[1:]
    path.write_text("\n".join([header, *(line.replace(",", separator) for line in lines)]))

    table = read_table(path, Kind.OHLCV)

    for name in BAR_COLUMNS:
        np.testing.assert_array_equal(table.columns[name], bars(0, 20)[name])


def test_gzipped_csv_and_comment_lines(catalog: Catalog, tmp_path: Path) -> None:
    plain = write_csv(tmp_path / "x.csv", bars(0, 20), SECONDS)
    path = tmp_path / f"{BTC}.5m.csv.gz"
    path.write_bytes(gzip.compress(b"# from a friend\n" + plain.read_bytes()))

    import_paths(catalog, [path])

    assert len(catalog.bars(BTC, 5)) == 20


def test_unsorted_csv_is_reported_and_usable_after_the_named_repair(catalog: Catalog, tmp_path: Path) -> None:
    path = write_csv(tmp_path / f"{BTC}.5m.csv", picked(bars(0, 20), list(range(19, -1, -1))))

    report = import_paths(catalog, [path])
    assert {finding.code for finding in report.findings} == {"unsorted"}
    repaired = import_paths(catalog, [path], repairs=["sort"])

    assert repaired.written == 0
    assert [finding.severity for finding in repaired.findings] == ["info"]
    assert (catalog.bars(BTC, 5).close == bars(0, 20)["close"]).all()


def test_extra_columns_are_named_and_left_out(catalog: Catalog, tmp_path: Path) -> None:
    columns = bars(0, 20) | {"trades": np.arange(20), "note": np.zeros(20)}
    path = write_parquet(tmp_path / FILE, columns)

    (report,) = import_paths(catalog, [path]).files

    assert report.ignored_columns == ("trades", "note")


@pytest.mark.parametrize("missing", [TIME, "high", "volume"])
def test_missing_columns_are_named(tmp_path: Path, missing: str) -> None:
    columns = bars(0, 20)
    columns["other"] = columns.pop(missing)
    path = write_parquet(tmp_path / FILE, columns)

    with pytest.raises(UnreadableFile, match=missing) as refused:
        read_table(path, Kind.OHLCV)

    assert "other" in refused.value.found


def test_csv_without_a_header_says_that_one_is_needed(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", bars(0, 20))
    path.write_text("\n".join(path.read_text().splitlines()[1:]))

    with pytest.raises(UnreadableFile, match="header"):
        read_table(path, Kind.OHLCV)


def test_text_in_a_price_column_is_named_with_its_row(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", bars(0, 20))
    lines = path.read_text().splitlines()
    lines[4] = lines[4].rsplit(",", 1)[0] + ",many"
    path.write_text("\n".join(lines))

    with pytest.raises(UnreadableFile, match=r"'many' in row 4"):
        read_table(path, Kind.OHLCV)


def test_missing_price_is_kept_for_the_quality_check(catalog: Catalog, tmp_path: Path) -> None:
    path = write_csv(tmp_path / f"{BTC}.5m.csv", bars(0, 20))
    path.write_text(path.read_text().replace(repr(float(bars(0, 20)["close"][5])), "nan", 1))

    report = import_paths(catalog, [path])

    assert [finding.code for finding in report.findings] == ["nan"]


@pytest.mark.parametrize("content", [b"", b"PAR1 not really PAR1"])
def test_corrupt_parquet_is_refused_and_nothing_is_imported(
    catalog: Catalog, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / FILE
    path.write_bytes(content)

    with pytest.raises(UnreadableFile, match="not a readable Parquet"):
        import_paths(catalog, [tmp_path / FILE])

    assert catalog.instruments() == ()


def test_truncated_parquet_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / FILE, bars(0, 2_000))
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(UnreadableFile):
        read_table(path, Kind.OHLCV)


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" * 500)[:-12])

    with pytest.raises(UnreadableFile, match="CSV"):
        read_table(path, Kind.OHLCV)


def test_empty_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(UnreadableFile, match="empty"):
        read_table(tmp_path / "x.csv", Kind.OHLCV)
    (tmp_path / "y.csv").write_text("timestamp,open,high,low,close,volume\n")
    with pytest.raises(UnreadableFile, match="no rows"):
        read_table(tmp_path / "y.csv", Kind.OHLCV)


def test_missing_paths_and_other_files_are_refused(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()

    for path, text in (
        (tmp_path / "no", "no such file"),
        (tmp_path / "notes.txt", ".txt"),
        (tmp_path / "empty", ""),
    ):
        with pytest.raises(MissingFile) as refused:
            import_paths(catalog, [path])
        assert text in refused.value.found
    with pytest.raises(MissingFile, match="there is no file"):
        import_paths(catalog, [tmp_path / FILE])


def test_instrument_and_timeframe_can_be_given_for_one_file(catalog: Catalog, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "export.csv", bars(0, 20))

    import_paths(catalog, [path], instrument="BTC-USDT.BINGX", minutes=5)

    assert len(catalog.bars("BTC-USDT.BINGX", 5)) == 20
    with pytest.raises(CatalogError, match="together"):
        import_paths(catalog, [path], instrument="BTC-USDT.BINGX")
    with pytest.raises(CatalogError, match="one file"):
        import_paths(catalog, [path, path], instrument="BTC-USDT.BINGX", minutes=5)


def test_funding_mark_and_basis_files(catalog: Catalog, tmp_path: Path) -> None:
    hours = bars(0, 48, minutes=60)
    funding = {TIME: DAY0 + np.arange(1, 7) * 8 * HOUR_NS, "funding_rate": np.full(6, 1e-4)}
    basis = {
        TIME: hours[TIME],
        "perp_close": hours["close"],
        "spot_close": hours["open"],
        "basis_bps": np.ones(48),
    }
    paths = [
        write_parquet(tmp_path / f"{PERP}.funding_8h.parquet", funding),
        write_parquet(tmp_path / "BTCUSDT-PERP.MARK.BINANCE.1h.parquet", hours),
        write_parquet(tmp_path / "BTCUSDT.BINANCE.perp_minus_spot.1h.parquet", basis),
    ]

    import_paths(catalog, paths)

    assert len(catalog.funding(PERP)) == 6
    assert (catalog.marks(PERP).price == hours["close"]).all()
    assert (catalog.references(PERP).price == hours["open"]).all()
    assert catalog.instruments() == ()


def test_what_a_parquet_file_says_of_itself_is_kept(catalog: Catalog, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(column) for name, column in bars(0, 20).items()})
    pq.write_table(table.replace_schema_metadata({"origin": "an exchange"}), tmp_path / FILE)

    import_paths(catalog, [tmp_path / FILE])

    assert catalog.manifest.parts[0].origin == {"origin": "an exchange"}
