"""`crupto version`: what runs here, exactly."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.output import Result

PACKAGES = (
    "crupto-nautilus",
    "nautilus_trader",
    "ccxt",
    "pandas",
    "pyarrow",
    "numpy",
    "pydantic",
    "sqlalchemy",
)


@command("version")
def version() -> Result:
    """Versions of the program and of what it stands on."""
    found = {name: installed(name) for name in PACKAGES}
    found["python"] = platform.python_version()
    return Result(found, ("\n".join(f"{name} {number}" for name, number in found.items()),))
