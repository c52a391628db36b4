from __future__ import annotations

import pytest

from catalog.errors import UnknownInstrument
from catalog.symbols import as_perpetual, parse_instrument, spot_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("BTCUSDT-PERP.BINANCE", ("BTC", "USDT", "BINANCE", "perp")),
        ("BTC-USDT.BINGX", ("BTC", "USDT", "BINGX", "perp")),
        ("BTC-USDT.SAMPLE", ("BTC", "USDT", "SAMPLE", "perp")),
        ("BTCUSDT.BINANCE", ("BTC", "USDT", "BINANCE", "spot")),
        ("1000PEPEUSDT-PERP.BINANCE", ("1000PEPE", "USDT", "BINANCE", "perp")),
        ("BTCFDUSD.BINANCE", ("BTC", "FDUSD", "BINANCE", "spot")),
    ],
)
def test_names_are_split(text: str, parts: tuple[str, str, str, str]) -> None:
    name = parse_instrument(text)

    assert (name.base, name.quote, name.venue, name.kind) == parts
    assert name.id == text


@pytest.mark.parametrize(
    "text", ["", "BTC", "BTCUSDT", "btcusdt.binance", "A.B.C", "USDT.BINANCE", "BTC/USDT:USDT"]
)
def test_other_forms_are_refused_with_examples(text: str) -> None:
    with pytest.raises(UnknownInstrument, match=r"BTCUSDT-PERP\.BINANCE"):
        parse_instrument(text)


def test_spot_and_perpetual_of_each_other() -> None:
    assert as_perpetual("BTCUSDT.BINANCE") == "BTCUSDT-PERP.BINANCE"
    assert as_perpetual("BTC-USDT.BINGX") == "BTC-USDT.BINGX"
    assert spot_of("BTCUSDT-PERP.BINANCE") == "BTCUSDT.BINANCE"
    assert spot_of("BTC-USDT.BINGX") == "BTCUSDT.BINGX"
