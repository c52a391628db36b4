"""`crupto research`: from market history to judged candidates, and from a survivor to the desk."""

from __future__ import annotations

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, LazyGroup

_HOME = "crupto_nautilus.cli"

_PROMOTE = f"{_HOME}.research_promote"
_CAMPAIGN = f"{_HOME}.research_campaign"

COMMANDS = {
    "new": (_CAMPAIGN, "new", "Register a campaign: nothing is computed before its plan stands."),
    "run": (_CAMPAIGN, "run", "Run a campaign to its decisions, or go on with it."),
    "status": (_CAMPAIGN, "status", "Where campaigns and challengers stand."),
    "verify": (_CAMPAIGN, "verify", "Check the ledger; compute a campaign's decisions again."),
    "paper": (_PROMOTE, "paper", "Run a survivor alone in the paper node on replay (G8b)."),
    "promote": (_PROMOTE, "promote", "Write a survivor into the enable map: shadow, canary."),
    "observe": (_PROMOTE, "observe", "Read a run as evidence of its challengers (G9, G10); demote."),
    "demote": (_PROMOTE, "demote", "Take a challenger out of the enable map."),
    "schema": (f"{_HOME}.research_documents", "schema", "Print the JSON Schema of a strategy document."),
    "check": (f"{_HOME}.research_documents", "check", "Say whether a document is valid, and what it is."),
    "propose": (f"{_HOME}.research_documents", "propose", "Let a generator write candidate documents."),
    "lookahead": (f"{_HOME}.research_lookahead", "lookahead", "Check a strategy for look-ahead."),
    "calibrate": (f"{_HOME}.research_calibrate", "calibrate", "Measure the gates on markets of known edge."),
}


@click.group("research", cls=LazyGroup, table=COMMANDS, context_settings=CONTEXT_SETTINGS)
def research() -> None:
    """Invent strategies, try to kill them, promote survivors."""
