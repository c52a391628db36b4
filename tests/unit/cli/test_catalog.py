"""`crupto catalog`: what it imports, what it refuses, and that nothing is half-written."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from tests.fakes.markets import START_NS, from_closes, write_catalog
from tests.unit.cli.conftest import Crupto

HOUR_NS = 3_600_000_000_000
BTC = "BTCUSDT-PERP.BINANCE"


def write_bars(folder: Path, name: str, count: int = 100, **change: dict[int, float]) -> Path:
    """Write hourly bars under a file name; `change` replaces single values of a column."""
    folder.mkdir(parents=True, exist_ok=True)
    close = 100.0 + np.sin(np.arange(count) / 5)
    frame = pd.DataFrame(
        {
            "ts_utc": START_NS + np.arange(count, dtype=np.int64) * HOUR_NS,
            "open": close,
            "high": close + 0.5,
            "low": close - 0.5,
            "close": close,
            "volume": 10.0,
        }
    )
    for column, values in change.items():
        for row, value in values.items():
            frame.loc[row, column] = value
    path = folder / name
    if name.endswith(".csv"):
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """Return a catalog with one sound perpetual."""
    write_catalog(tmp_path / "catalog", {BTC: from_closes([100.0 + i % 7 for i in range(200)])}, 60)
    return tmp_path / "catalog"


def test_import_names_files_rows_and_ranges(crupto: Crupto, tmp_path: Path) -> None:
    write_bars(tmp_path / "in", f"{BTC}.1h.parquet")
    write_bars(tmp_path / "in", "ETHUSDT-PERP.BINANCE.1h.csv")
    outcome = crupto("catalog", "import", tmp_path / "in", "--catalog", tmp_path / "c", "--json")
    assert outcome.code == 0
    assert outcome.data["written"] == 200
    again = crupto("catalog", "import", tmp_path / "in", "--catalog", tmp_path / "c")
    assert again.code == 0
    assert "0 new rows" in again.out


def test_import_as_perp_labels_the_rows(crupto: Crupto, tmp_path: Path) -> None:
    path = write_bars(tmp_path, "BTCUSDT.BINANCE.1h.parquet")
    crupto("catalog", "import", path, "--catalog", tmp_path / "c", "--as-perp")
    info = crupto("catalog", "info", "--catalog", tmp_path / "c", "--json").data
    assert info["instruments"] == [BTC]
    assert info["sources"][0]["label"] == "spot-as-perp"
    assert "spot-as-perp" in crupto("catalog", "info", "--catalog", tmp_path / "c").out


def test_import_of_a_missing_file_is_named(crupto: Crupto, tmp_path: Path) -> None:
    outcome = crupto("catalog", "import", tmp_path / "no.parquet", "--catalog", tmp_path / "c", "--json")
    assert outcome.code == 2
    assert "no.parquet" in outcome.data["message"]
    assert not (tmp_path / "c").exists()


def test_import_of_a_corrupt_file_fails_and_leaves_the_catalog_as_it_was(
    crupto: Crupto, held: Path, tmp_path: Path
) -> None:
    before = crupto("catalog", "info", "--catalog", held, "--json").out
    path = tmp_path / "ETHUSDT-PERP.BINANCE.1h.parquet"
    path.write_bytes(b"PAR1" + b"\0" * 100 + b"PAR1")
    outcome = crupto("catalog", "import", path, "--catalog", held)
    assert outcome.code == 1
    assert path.name in outcome.err
    assert crupto("catalog", "info", "--catalog", held, "--json").out == before


def test_import_of_broken_rows_is_a_failed_check_with_its_repair(crupto: Crupto, tmp_path: Path) -> None:
    path = write_bars(tmp_path, f"{BTC}.1h.parquet", low={5: 200.0})
    outcome = crupto("catalog", "import", path, "--catalog", tmp_path / "c")
    assert outcome.code == 1
    assert "high_below_low" in outcome.out
    assert "--repair NAME" in outcome.out
    assert crupto("catalog", "check", "--catalog", tmp_path / "c").code == 1
    signals = ("signals", "breakout_4h", "--symbol", "BTC", "--catalog", tmp_path / "c")
    assert crupto(*signals).code == 1
    mended = crupto("catalog", "check", "--catalog", tmp_path / "c", "--repair", "drop_broken", "--json")
    assert mended.code == 0
    assert mended.data["repaired"]
    assert crupto(*signals).code == 0


def test_an_unknown_repair_lists_the_known_ones(crupto: Crupto, held: Path) -> None:
    outcome = crupto("catalog", "check", "--catalog", held, "--repair", "mend")
    assert outcome.code == 2
    assert "drop_broken" in outcome.err


def test_an_unknown_timeframe_lists_the_known_ones(crupto: Crupto, tmp_path: Path) -> None:
    path = write_bars(tmp_path, "bars.parquet")
    outcome = crupto(
        "catalog", "import", path, "--catalog", tmp_path / "c", "--instrument", BTC, "--timeframe", "7m"
    )
    assert outcome.code == 2
    assert "1m 5m 15m 1h 4h" in outcome.err
    assert not (tmp_path / "c").exists()


def test_conflicting_rows_are_refused_with_file_and_time(crupto: Crupto, tmp_path: Path) -> None:
    crupto("catalog", "import", write_bars(tmp_path / "a", f"{BTC}.1h.parquet"), "--catalog", tmp_path / "c")
    other = write_bars(tmp_path / "b", f"{BTC}.1h.parquet", close={7: 100.2})
    outcome = crupto("catalog", "import", other, "--catalog", tmp_path / "c")
    assert outcome.code == 1
    assert "2024-01-01T07:00" in outcome.err


@pytest.mark.parametrize("name", ["info", "check"])
def test_a_missing_catalog_names_the_command_that_makes_one(
    crupto: Crupto, tmp_path: Path, name: str
) -> None:
    outcome = crupto("catalog", name, "--catalog", tmp_path / "nothing")
    assert outcome.code == 2
    assert "crupto catalog sample --catalog" in outcome.err


def test_check_of_an_unknown_symbol_lists_what_is_held(crupto: Crupto, held: Path) -> None:
    outcome = crupto("catalog", "check", "--catalog", held, "--symbols", "PEPE")
    assert outcome.code == 2
    assert BTC in outcome.err


def test_check_of_a_lost_file_fails_and_names_it(crupto: Crupto, held: Path) -> None:
    part = next((held / "raw").rglob("*.parquet"))
    part.unlink()
    outcome = crupto("catalog", "check", "--catalog", held)
    assert outcome.code == 1
    assert part.name in outcome.out


def test_check_of_a_torn_file_fails_and_names_it(crupto: Crupto, held: Path) -> None:
    part = next((held / "raw").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    outcome = crupto("catalog", "check", "--catalog", held)
    assert outcome.code == 1
    assert part.name in outcome.out
    assert crupto("regimes", "--symbol", "BTC", "--catalog", held).code == 1


def test_a_damaged_manifest_says_so(crupto: Crupto, held: Path) -> None:
    (held / "manifest.json").write_text("{")
    outcome = crupto("catalog", "info", "--catalog", held)
    assert outcome.code == 2
    assert "manifest.json" in outcome.err


def test_the_sample_does_not_go_beside_other_data(crupto: Crupto, held: Path) -> None:
    before = crupto("catalog", "info", "--catalog", held, "--json").data
    outcome = crupto("catalog", "sample", "--catalog", held)
    assert outcome.code == 2
    assert before["instruments"][0] in outcome.err
    assert crupto("catalog", "info", "--catalog", held, "--json").data == before


def test_sample_is_synthetic_and_sound(crupto: Crupto, tmp_path: Path) -> None:
    made = crupto("catalog", "sample", "--catalog", tmp_path / "s", "--json")
    assert made.code == 0
    assert {source["label"] for source in made.data["sources"]} == {"synthetic"}
    assert "synthetic" in crupto("catalog", "info", "--catalog", tmp_path / "s").out


class FakeVenue:
    """An exchange with one perpetual and 50 hours of history."""

    id = "binanceusdm"
    timeframes: ClassVar = {"1h": "1h"}
    precisionMode = 4

    def __init__(self) -> None:
        self.markets = {
            "BTC/USDT:USDT": {
                "id": "BTCUSDT",
                "symbol": "BTC/USDT:USDT",
                "base": "BTC",
                "quote": "USDT",
                "swap": True,
                "inverse": False,
                "precision": {"price": 0.1, "amount": 0.001},
            }
        }

    def load_markets(self) -> object:
        return self.markets

    def fetch_time(self) -> int:
        return (START_NS + 50 * HOUR_NS) // 1_000_000 + 60_000

    def fetch_ohlcv(
        self, symbol: str, timeframe: str, since: int, limit: int, params: object
    ) -> list[list[float]]:
        stamps = [(START_NS + hour * HOUR_NS) // 1_000_000 for hour in range(50)]
        return [[ts, 100.0, 101.0, 99.0, 100.5, 3.0] for ts in stamps if ts >= since][:limit]


def test_download_fetches_once_and_resumes(
    crupto: Crupto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.venues.open_exchange", lambda _: FakeVenue())
    arguments = ("catalog", "download", "--venue", "binanceusdm", "--symbols", "btc", "--start", "2024-01-01")
    first = crupto(*arguments, "--end", "2024-01-03", "--catalog", tmp_path / "c", "--json")
    assert first.code == 0, first.out
    (report,) = first.data["reports"]
    assert (report["request"]["instrument"], report["written"]) == (BTC, 48)
    again = crupto(*arguments, "--end", "2024-01-03", "--catalog", tmp_path / "c", "--json")
    assert again.data["reports"][0]["written"] == 0
    assert crupto("catalog", "check", "--catalog", tmp_path / "c").code == 0


def test_download_of_an_unknown_kind_or_venue_says_which_there_are(crupto: Crupto, tmp_path: Path) -> None:
    arguments = (
        "catalog",
        "download",
        "--symbols",
        "BTC",
        "--start",
        "2024-01-01",
        "--catalog",
        tmp_path / "c",
    )
    kind = crupto(*arguments, "--venue", "bingx", "--kinds", "trades")
    assert kind.code == 2
    assert "ohlcv, funding, mark, reference" in kind.err
    venue = crupto(*arguments, "--venue", "bingxx")
    assert venue.code == 2
    assert "bingx" in venue.err
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("venue", "asked", "meant"),
    [
        ("bingx", "BTC", "BTC-USDT.BINGX"),
        ("binanceusdm", "eth", "ETHUSDT-PERP.BINANCE"),
        ("bybit", "SOLUSDT-PERP.BYBIT", "SOLUSDT-PERP.BYBIT"),
    ],
)
def test_a_coin_means_the_usdt_perpetual_of_the_venue(venue: str, asked: str, meant: str) -> None:
    from catalog.venues import instrument_at

    assert instrument_at(venue, asked) == meant


def test_rebuild_makes_the_cache_of_the_engine(crupto: Crupto, held: Path) -> None:
    outcome = crupto("catalog", "rebuild", "--catalog", held, "--json")
    assert outcome.code == 0
    assert outcome.data["bars"] > 200
    assert (held / "nautilus").is_dir()
