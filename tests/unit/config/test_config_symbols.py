"""Feed settings by instrument id, by base coin and by default."""

from __future__ import annotations

from typing import Any

import pytest

from crupto_nautilus.config import SymbolsConfig, load_config
from crupto_nautilus.config.validation import validate
from crupto_nautilus.errors import ConfigError


def symbols(tree: dict[str, Any]) -> SymbolsConfig:
    return validate(SymbolsConfig, tree, "symbols.yaml")


def test_defaults_hold_all_five_timeframes_and_the_documented_limits() -> None:
    defaults = load_config(env={}).symbols.defaults
    assert defaults.minutes == (1, 5, 15, 60, 240)
    assert defaults.backfill_bars == 150
    assert 0 < defaults.poll_interval_seconds <= 60


def test_id_wins_over_coin_and_coin_over_default_field_by_field() -> None:
    config = symbols(
        {
            "defaults": {"backfill_bars": 100, "max_spread_pct": 0.2, "min_liquidity_usd": 5},
            "symbols": {
                "BTC": {"max_spread_pct": 0.1, "min_liquidity_usd": 6},
                "BTC-USDT.BINGX": {"max_spread_pct": 0.05},
            },
        }
    )
    bingx = config.settings("BTC-USDT.BINGX")
    assert (bingx.backfill_bars, bingx.min_liquidity_usd, bingx.max_spread_pct) == (100, 6, 0.05)
    assert config.settings("BTCUSDT-PERP.BINANCE").max_spread_pct == 0.1
    assert config.settings("ETHUSDT-PERP.BINANCE").max_spread_pct == 0.2
    assert config.source("BTC-USDT.BINGX", "max_spread_pct") == "symbols.BTC-USDT.BINGX.max_spread_pct"
    assert config.source("BTC-USDT.BINGX", "min_liquidity_usd") == "symbols.BTC.min_liquidity_usd"
    assert config.source("BTC-USDT.BINGX", "backfill_bars") == "defaults.backfill_bars"


def test_names_are_the_keys_in_order() -> None:
    assert symbols({"symbols": {"ETH": {}, "BTC": {}}}).names == ("ETH", "BTC")


def test_timeframes_are_sorted() -> None:
    assert symbols({"defaults": {"timeframes": ["4h", "5m"]}}).defaults.timeframes == ("5m", "4h")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("poll_interval_seconds", 0, "> 0 and <= 60"),
        ("poll_interval_seconds", 60.5, "> 0 and <= 60"),
        ("backfill_bars", -1, ">= 0 and <= 5000"),
        ("backfill_bars", 5001, ">= 0 and <= 5000"),
        ("backfill_bars", 10.5, "a whole number"),
        ("max_spread_pct", 0, "> 0 and <= 5"),
        ("timeframes", [], "a list"),
        ("timeframes", "5m", "a list"),
    ],
)
@pytest.mark.parametrize("group", ["defaults", "BTC"])
def test_value_out_of_range_is_refused(group: str, field: str, value: object, words: str) -> None:
    tree = {"defaults": {field: value}} if group == "defaults" else {"symbols": {"BTC": {field: value}}}
    with pytest.raises(ConfigError) as caught:
        symbols(tree)
    assert words in caught.value.expected


@pytest.mark.parametrize("value", [0, 5000])
def test_backfill_takes_both_ends_of_its_range(value: int) -> None:
    assert symbols({"defaults": {"backfill_bars": value}}).defaults.backfill_bars == value


@pytest.mark.parametrize(
    ("timeframes", "words"),
    [(["5m", "5m"], "each length once"), (["5x"], "unknown timeframe"), (["7m"], "unknown timeframe")],
)
def test_timeframes_must_parse_and_be_unique(timeframes: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        symbols({"defaults": {"timeframes": timeframes}})


@pytest.mark.parametrize("name", ["btc", "BTC/USDT:USDT", "BTC USDT", ""])
def test_symbol_names_are_coins_or_instrument_ids(name: str) -> None:
    with pytest.raises(ConfigError, match="instrument name"):
        symbols({"symbols": {name: {}}})
