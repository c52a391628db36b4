"""The committed table of instruments and how it meets the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crupto_nautilus.config import DeskConfig, instrument_rules, load_config, resolve_instrument
from crupto_nautilus.config.instrument_table import InstrumentTable
from crupto_nautilus.config.instruments import digits_of
from crupto_nautilus.config.validation import validate
from crupto_nautilus.errors import ConfigError

ROW = {"tick": 0.01, "step": 0.01, "min_quantity": 0.01, "source": "assumed"}


@pytest.fixture(scope="module")
def config() -> DeskConfig:
    return load_config(env={})


def table(**row: Any) -> InstrumentTable:
    tree = {"as_of": "2026-01-01", "instruments": {"BTC": ROW | row}}
    return validate(InstrumentTable, tree, "instruments.yaml")


def test_ten_coins_are_in_the_table_and_each_names_its_source(config: DeskConfig) -> None:
    rows = config.instruments.instruments
    assert {"BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "DOGE", "LINK", "LTC", "TRX"} <= set(rows)
    assert {rows["BTC"].source, rows["ETH"].source} == {"documented"}
    assert {row.source for row in rows.values()} == {"documented", "assumed"}


def test_bitcoin_row_is_the_documented_contract(config: DeskConfig) -> None:
    rules = instrument_rules("BTC-USDT.BINGX", 1, 4, config)
    assert (rules.tick, rules.step, rules.min_quantity, rules.min_notional_usd) == (0.1, 0.0001, 0.0001, 2.0)
    assert (rules.maker_fee, rules.taker_fee) == (0.0002, 0.0005)
    assert (rules.price_digits, rules.size_digits) == (1, 4)
    assert (rules.min_liquidity_usd, rules.max_spread_pct) == (2_000_000.0, 0.08)


def test_documented_row_equals_the_recorded_contract_sample(config: DeskConfig, shared_dir: Path) -> None:
    text = (shared_dir / "fixtures/bingx/ccxt_doc_samples/comment_blocks.txt").read_text(encoding="utf-8")
    sample = text[text.index('"quantityPrecision": "4"') :][:600]
    rules = instrument_rules("BTC-USDT.BINGX", None, None, config)
    for field in (
        f'"pricePrecision": "{rules.price_digits}"',
        f'"makerFeeRate": "{rules.maker_fee}"',
        f'"takerFeeRate": "{rules.taker_fee}"',
        f'"tradeMinQuantity": "{rules.min_quantity}"',
        f'"tradeMinUSDT": "{rules.min_notional_usd:g}"',
    ):
        assert field in sample


def test_finer_prices_in_the_data_widen_the_tick_and_the_provenance_says_so(config: DeskConfig) -> None:
    found = resolve_instrument("BTCUSDT.BINANCE", 2, 5, config)
    assert (found.rules.tick, found.rules.price_digits) == (0.01, 2)
    assert found.provenance["tick"] == "data: 2 decimals, finer than the table's 1"


def test_finer_volume_in_the_data_does_not_make_orders_divisible(config: DeskConfig) -> None:
    found = resolve_instrument("BTCUSDT.BINANCE", 2, 5, config)
    assert (found.rules.step, found.rules.min_quantity, found.rules.size_digits) == (0.0001, 0.0001, 5)
    assert found.provenance["step"].startswith("instruments.yaml: BTC (documented")


def test_coarser_data_leaves_the_table_as_it_is(config: DeskConfig) -> None:
    rules = instrument_rules("BTCUSDT-PERP.BINANCE", 0, 3, config)
    assert (rules.tick, rules.price_digits, rules.step, rules.size_digits) == (0.1, 1, 0.0001, 4)


def test_unknown_coin_gets_a_derived_row_that_says_so(config: DeskConfig) -> None:
    found = resolve_instrument("AVAXUSDT-PERP.BINANCE", 3, 1, config)
    assert (found.rules.tick, found.rules.step, found.rules.min_quantity) == (0.001, 0.1, 0.1)
    assert (found.rules.taker_fee, found.rules.min_notional_usd) == (0.0005, 2.0)
    assert all("AVAX is not in instruments.yaml" in found.provenance[k] for k in ("tick", "step", "costs"))


def test_unknown_coin_without_data_is_refused(config: DeskConfig) -> None:
    with pytest.raises(ValueError, match="AVAX-USDT"):
        resolve_instrument("AVAX-USDT.BINGX", None, None, config)


def test_row_of_an_instrument_id_wins_over_its_coin(tmp_path: Path) -> None:
    (tmp_path / "instruments.yaml").write_text(
        "as_of: 2026-01-01\n"
        "instruments:\n"
        "  BTC: {tick: 0.1, step: 0.001, min_quantity: 0.001, source: venue}\n"
        "  BTC-USDT.BINGX: {tick: 0.01, step: 0.1, min_quantity: 0.2, source: venue, taker_fee: 0.001}\n",
        encoding="utf-8",
    )
    config = load_config(tmp_path, env={})
    rules = instrument_rules("BTC-USDT.BINGX", None, None, config)
    assert (rules.tick, rules.step, rules.taker_fee) == (0.01, 0.1, 0.001)
    assert instrument_rules("BTCUSDT-PERP.BINANCE", None, None, config).step == 0.001


def test_spread_of_symbols_file_wins_over_the_table(tmp_path: Path) -> None:
    (tmp_path / "symbols.yaml").write_text("symbols: {BTC: {default_spread_bps: 7}}\n", encoding="utf-8")
    config = load_config(tmp_path, env={})
    assert instrument_rules("BTC-USDT.BINGX", None, None, config).default_spread_bps == 7
    assert instrument_rules("ETH-USDT.BINGX", None, None, config).default_spread_bps == 1.0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"tick": 0.02}, "power of ten"),
        ({"step": 0.05}, "power of ten"),
        ({"min_quantity": 0.015}, "multiple of step"),
        ({"tick": 0}, "tick"),
        ({"source": "guessed"}, "source"),
        ({"taker_fee": 0.5}, "taker_fee"),
        ({"maintenance_margin": 0}, "maintenance_margin"),
    ],
)
def test_row_that_cannot_be_is_refused(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        table(**row)


@pytest.mark.parametrize(("size", "digits"), [(0.0001, 4), (0.1, 1), (1.0, 0), (10.0, 0), (1e-8, 8)])
def test_digits_of_a_tick(size: float, digits: int) -> None:
    assert digits_of(size) == digits
