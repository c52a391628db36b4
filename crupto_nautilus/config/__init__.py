"""Typed settings of the desk: files, environment, provenance, the table of instruments."""

from crupto_nautilus.config.instruments import ResolvedRules, instrument_rules, resolve_instrument
from crupto_nautilus.config.load import ConfigRow, DeskConfig, load_config, sha256_of
from crupto_nautilus.config.runtime import RuntimeSettings, VirtualTrading
from crupto_nautilus.config.schemas import json_schemas
from crupto_nautilus.config.symbols import SymbolsConfig, SymbolSettings

__all__ = [
    "ConfigRow",
    "DeskConfig",
    "ResolvedRules",
    "RuntimeSettings",
    "SymbolSettings",
    "SymbolsConfig",
    "VirtualTrading",
    "instrument_rules",
    "json_schemas",
    "load_config",
    "resolve_instrument",
    "sha256_of",
]
