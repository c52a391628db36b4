"""`crupto signals` and `crupto regimes` on a planted market, and their error cases."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from crupto_nautilus.cli.options import When, resolve_symbols
from crupto_nautilus.errors import UsageError
from tests.fakes.markets import START_NS, from_closes, write_catalog
from tests.unit.cli.conftest import Crupto

BTC = "BTCUSDT-PERP.BINANCE"
HOUR_NS = 3_600_000_000_000


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a catalog: 1,000 hours of a slow wave with a rise at the end."""
    folder = tmp_path_factory.mktemp("catalog")
    wave = 100.0 + np.cumsum(np.random.default_rng(5).normal(0.0, 0.3, 1000))
    closes = np.concatenate([wave, wave[-1] + np.arange(1.0, 60.0)])
    write_catalog(folder, {BTC: from_closes(closes.tolist(), wick=0.2)}, 60)
    return folder


def test_signals_have_the_fields_of_the_contract(crupto: Crupto, held: Path) -> None:
    data = crupto("signals", "breakout_4h", "--catalog", held, "--symbol", "BTC", "--json").data
    assert data["strategy"] == "breakout_4h"
    assert data["instrument"] == BTC
    signal = data["signals"][-1]
    assert set(signal) == {
        "ts_event",
        "side",
        "reference_price",
        "stop_distance",
        "confidence",
        "indicators",
    }
    assert signal["side"] == "long"
    assert signal["indicators"]["adx_14"] >= 20
    assert signal["ts_event"] % (4 * HOUR_NS) == 0


def test_a_later_start_shows_fewer_signals_but_no_other_ones(crupto: Crupto, held: Path) -> None:
    arguments = ("signals", "breakout_4h", "--catalog", held, "--symbol", BTC, "--json")
    everything = crupto(*arguments).data["signals"]
    later = crupto(*arguments, "--start", "2024-02-01").data["signals"]
    earlier = crupto(*arguments, "--end", "2024-02-01").data["signals"]
    assert later
    assert earlier
    assert earlier + later == everything


def test_signals_print_a_table(crupto: Crupto, held: Path) -> None:
    text = crupto("signals", "breakout_4h", "--catalog", held, "--symbol", "BTC").out
    assert "donchian_20_high" in text


def test_regimes_give_one_row_a_bar_and_raw_ones_flicker_more(crupto: Crupto, held: Path) -> None:
    arguments = ("regimes", "--catalog", held, "--symbol", "BTC", "--json")
    smooth = crupto(*arguments).data["regimes"]
    raw = crupto(*arguments, "--raw").data["regimes"]
    assert len(smooth) == len(raw) == 1059
    assert smooth[0]["label"] == "unknown"
    assert smooth[0]["code"] == 0
    assert smooth[-1]["label"] == "trend_up"
    assert set(smooth[-1]) == {"ts_event", "label", "code", "features"}

    def changes(rows: list[dict[str, object]]) -> int:
        return sum(a["label"] != b["label"] for a, b in pairwise(rows))

    assert changes(raw) > changes(smooth)


def test_regimes_print_a_table(crupto: Crupto, held: Path) -> None:
    text = crupto("regimes", "--catalog", held, "--symbol", "BTC", "--start", "2024-02-13").out
    assert "ema_200_slope" in text


@pytest.mark.parametrize("command", [("signals", "breakout_4h"), ("regimes",)])
def test_unknown_symbol_lists_what_the_catalog_has(
    crupto: Crupto, held: Path, command: tuple[str, ...]
) -> None:
    outcome = crupto(*command, "--catalog", held, "--symbol", "PEPE", "--json")
    assert outcome.code == 2
    assert BTC in outcome.data["expected"]
    assert "crupto catalog info" in outcome.data["remedy"]


@pytest.mark.parametrize("command", [("signals", "breakout_4h"), ("regimes",)])
def test_a_window_without_bars_is_bad_usage(crupto: Crupto, held: Path, command: tuple[str, ...]) -> None:
    for window in (("--start", "2030-01-01"), ("--end", "2020-01-01")):
        outcome = crupto(*command, "--catalog", held, "--symbol", "BTC", *window)
        assert outcome.code == 2
        assert "no bars in the window" in outcome.err


@pytest.mark.parametrize("command", [("signals", "breakout_4h"), ("regimes",)])
def test_an_end_before_the_start_is_bad_usage(crupto: Crupto, held: Path, command: tuple[str, ...]) -> None:
    window = ("--start", "2024-02-01", "--end", "2024-01-01")
    outcome = crupto(*command, "--catalog", held, "--symbol", "BTC", *window)
    assert outcome.code == 2
    assert "swap the two" in outcome.err


@pytest.mark.parametrize("text", ["2023-13-01", "yesterday", "2023", "20230101", "01.02.2023", "2023-02-30"])
def test_a_bad_date_shows_examples(crupto: Crupto, held: Path, text: str) -> None:
    outcome = crupto("regimes", "--catalog", held, "--symbol", "BTC", "--start", text)
    assert outcome.code == 2
    assert "2023-01-31T08:00:00Z" in outcome.err


def test_unknown_strategy_lists_the_strategies(crupto: Crupto, held: Path) -> None:
    outcome = crupto("signals", "breakout", "--catalog", held, "--symbol", "BTC")
    assert outcome.code == 2
    assert "breakout_4h, volatility_expansion_15m" in outcome.err


def test_bars_too_coarse_for_a_strategy_are_named(crupto: Crupto, held: Path) -> None:
    outcome = crupto("signals", "range_reversion_5m", "--catalog", held, "--symbol", "BTC")
    assert outcome.code == 2
    assert "5 minutes" in outcome.err


def test_the_catalog_may_come_from_the_environment(
    crupto: Crupto, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRUPTO_CATALOG", str(held))
    assert crupto("regimes", "--symbol", "BTC", "--json").code == 0


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2024-01-01", START_NS),
        ("2024-01-01T01:00", START_NS + HOUR_NS),
        ("2024-01-01T01:00:00Z", START_NS + HOUR_NS),
        ("2024-01-01T03:00:00+02:00", START_NS + HOUR_NS),
        ("2024-01-01 01:00", START_NS + HOUR_NS),
        ("2024-01-01T00:00:00.000250", START_NS + 250_000),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text: str, ns: int) -> None:
    assert When().convert(text, None, None) == ns


def test_a_coin_means_its_perpetual() -> None:
    held = ("BTCUSDT-PERP.BINANCE", "BTCUSDT.BINANCE", "ETHUSDT.BINANCE", "SOL-USDT.BINGX")
    assert resolve_symbols(["btc"], held) == ("BTCUSDT-PERP.BINANCE",)
    assert resolve_symbols(["BTCUSDT.BINANCE"], held) == ("BTCUSDT.BINANCE",)
    assert resolve_symbols(["ETH", "SOL-USDT", "SOLUSDT"], held) == ("ETHUSDT.BINANCE", "SOL-USDT.BINGX")


def test_a_coin_on_two_venues_is_ambiguous() -> None:
    with pytest.raises(UsageError, match="ambiguous") as error:
        resolve_symbols(["BTC"], ("BTCUSDT-PERP.BINANCE", "BTC-USDT.BINGX"))
    assert "BTC-USDT.BINGX" in error.value.expected


def test_why_tells_what_each_strategy_was_waiting_for(crupto: Crupto, held: Path, tmp_path: Path) -> None:
    from tests.fakes.runs import make_run

    make_run(
        tmp_path,
        "sample",
        strategies=("breakout_4h", "range_reversion_5m"),
        start_ns=START_NS,
        end_ns=START_NS + 90 * 24 * HOUR_NS,
    )
    arguments = (
        "why",
        "sample",
        "--runs",
        tmp_path,
        "--symbol",
        BTC,
        "--at",
        "2024-02-01",
        "--catalog",
        held,
    )
    waiting = crupto(*arguments, "--json").data["waiting"]
    assert [row["name"] for row in waiting["breakout_4h"]][-1] == "ADX(14)"
    assert not all(row["met"] for row in waiting["breakout_4h"])
    assert "5 minutes" in waiting["range_reversion_5m"][0]["name"], "the catalog is too coarse for it"
    assert "missing by" in crupto(*arguments).out
