"""`crupto db`: the journal's database."""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, command
from crupto_nautilus.cli.options import runs_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.errors import UsageError


@click.group("db", context_settings=CONTEXT_SETTINGS)
def db() -> None:
    """The journal's database."""


@command("info")
@runs_option
@click.option(
    "--url",
    envvar="CRUPTO_DB_URL",
    show_envvar=True,
    help="Database of the journal; without it the file journal.db in the folder of the runs.",
)
def info(*, runs_dir: Path, url: str | None) -> Result:
    """Tell where the journal is, its schema version and what it holds."""
    from sqlalchemy import func, select
    from sqlalchemy.engine import make_url

    from crupto_nautilus.journal.database import default_url, journal_url
    from crupto_nautilus.journal.journal import Journal
    from crupto_nautilus.journal.migrate import shipped
    from crupto_nautilus.journal.schema import METADATA

    address = url or default_url(runs_dir)
    parsed = journal_url(address) if url else make_url(address)
    file = Path(str(parsed.database)) if parsed.drivername.startswith("sqlite") else None
    if file is not None and not file.is_file():
        raise UsageError(
            f"there is no journal at {file}",
            found="no such file",
            expected="a journal made by a run",
            remedy="`crupto backtest` makes one beside its runs; CRUPTO_DB_URL names another database",
        )
    newest = max(step.version for step in shipped())
    with Journal(address) as journal:
        version = journal.version()
        with journal.reading() as connection:
            counts = (
                {
                    name: int(connection.execute(select(func.count()).select_from(table)).scalar() or 0)
                    for name, table in METADATA.tables.items()
                }
                if version
                else {}
            )
        shown = journal.url
    size = file.stat().st_size if file is not None else None
    data = {"url": shown, "schema_version": version, "newest_version": newest, "bytes": size, "rows": counts}
    table = Table("", ("table", "rows"), tuple((k, str(n)) for k, n in counts.items()), frozenset({"rows"}))
    head = f"{shown}\nschema version {version} (this program: {newest})"
    return Result(data, (head if size is None else f"{head}, {size / 1e6:.1f} MB", table))


db.add_command(info)
