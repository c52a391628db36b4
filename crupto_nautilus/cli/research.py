"""`crupto research`: from market history to judged candidates, and from a survivor to the desk."""

from __future__ import annotations

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, LazyGroup

_HOME = "crupto_nautilus.cli"

COMMANDS = {
    "schema": (f"{_HOME}.research_documents", "schema", "Print the JSON Schema of a strategy document."),
    "check": (f"{_HOME}.research_documents", "check", "Say whether a document is valid, and what it is."),
    "propose": (f"{_HOME}.research_documents", "propose", "Let a generator write candidate documents."),
    "lookahead": (f"{_HOME}.research_lookahead", "lookahead", "Check a strategy for look-ahead."),
    "calibrate": (f"{_HOME}.research_calibrate", "calibrate", "Measure the gates on markets of known edge."),
}


@click.group("research", cls=LazyGroup, table=COMMANDS, context_settings=CONTEXT_SETTINGS)
def research() -> None:
    """Invent strategies, try to kill them, promote what survives."""
