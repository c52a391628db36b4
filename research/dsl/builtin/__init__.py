"""The four built-in strategies written as documents; they match entry by entry."""

from __future__ import annotations

from importlib.resources import files

from research.dsl.document import Document
from research.dsl.parse import parse_document

# Registered strategy -> the document that says the same.
BUILTIN = {
    "breakout_4h": "donchian_breakout_4h",
    "volatility_expansion_15m": "expansion_15m",
    "range_reversion_5m": "band_reversion_5m",
    "funding_reversion": "paid_side_1h",
}


def builtin_document(strategy: str) -> Document:
    """Return the document of a registered strategy; KeyError if it has none."""
    return parse_document(builtin_text(strategy))


def builtin_text(strategy: str) -> str:
    """Return the YAML of a registered strategy's document."""
    return files(__package__).joinpath(f"{BUILTIN[strategy]}.yaml").read_text(encoding="utf-8")
