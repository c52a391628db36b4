"""The frame of every command (`--json`, printing, exit codes) and groups that import their commands late."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import click

from crupto_nautilus.cli.output import Result, reserved_stdout, show

Body = Callable[..., Result]

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def command(name: str) -> Callable[[Body], click.Command]:
    """Make a command of a function that returns a `Result`; it gets `--json` beside its own options."""

    def decorate(body: Body) -> click.Command:
        @functools.wraps(body)
        def run(*, as_json: bool, **values: Any) -> int:
            with reserved_stdout(as_json):
                result = body(**values)
            show(result, as_json=as_json)
            return result.exit_code

        option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, nothing else.")
        return click.command(name, context_settings=CONTEXT_SETTINGS)(option(run))

    return decorate


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only when it is called.

    Parameters
    ----------
    table
        Name of the command -> (module, attribute, one line of help).
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None if there is none of that name."""
        if cmd_name not in self.table:
            return None
        module, attribute, _ = self.table[cmd_name]
        return cast(click.Command, getattr(importlib.import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in self.table.items()])
