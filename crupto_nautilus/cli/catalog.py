"""`crupto catalog`: market data in, checked, described."""

from __future__ import annotations

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, LazyGroup

_HOME = "crupto_nautilus.cli"

COMMANDS = {
    "import": (
        f"{_HOME}.catalog_import",
        "import_",
        "Import files or folders of market data.",
    ),
    "download": (f"{_HOME}.catalog_download", "download", "Fetch history from any exchange that ccxt knows."),
    "info": (f"{_HOME}.catalog_info", "info", "What a catalog holds, and where it is from."),
    "check": (f"{_HOME}.catalog_check", "check", "Find what is wrong with the data; record repairs."),
    "rebuild": (f"{_HOME}.catalog_info", "rebuild", "Build the Nautilus catalog beside the raw files again."),
    "sample": (
        f"{_HOME}.catalog_info",
        "sample",
        "Write the embedded market: synthetic, labelled so.",
    ),
}


@click.group("catalog", cls=LazyGroup, table=COMMANDS, context_settings=CONTEXT_SETTINGS)
def catalog() -> None:
    """Import, download, check and describe market data."""
