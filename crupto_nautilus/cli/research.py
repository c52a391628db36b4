"""`crupto research`: from market history to judged candidates, and from a survivor to the desk."""

from __future__ import annotations

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, LazyGroup

_HOME = "crupto_nautilus.cli"

COMMANDS = {
    "calibrate": (f"{_HOME}.research_calibrate", "calibrate", "Measure the gates on markets of known edge."),
}


@click.group("research", cls=LazyGroup, table=COMMANDS, context_settings=CONTEXT_SETTINGS)
def research() -> None:
    """Invent strategies, try to kill them, promote what survives."""
