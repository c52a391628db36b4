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
    from sqlalchemy.engine import make_url

    from crupto_nautilus.journal import maintenance
    from crupto_nautilus.journal.database import default_url, journal_url
    from crupto_nautilus.journal.journal import Journal
    from crupto_nautilus.journal.migrate import shipped

    address = url or default_url(runs_dir)
    parsed = journal_url(address) if url else make_url(address)
    file = Path(str(parsed.database)) if parsed.drivername.startswith("sqlite") else None
    if file is not None and not file.is_file():
        raise UsageError(
            f"there is no journal at {file}",
            found="no such file",
            expected="a journal made by a run",
            remedy="run with CRUPTO_DB_URL set, or name the database with --url",
        )
    newest = max(step.version for step in shipped())
    with Journal(address) as journal:
        held = maintenance.info(journal)
    data = {
        "url": held.url,
        "schema_version": held.version,
        "newest_version": newest,
        "bytes": held.size_bytes,
        "rows": held.rows,
    }
    rows = tuple((name, str(count)) for name, count in held.rows.items())
    head = (
        f"{held.url}\nschema version {held.version} (this program: {newest}), {held.size_bytes / 1e6:.1f} MB"
    )
    return Result(data, (head, Table("", ("table", "rows"), rows, frozenset({"rows"}))))


db.add_command(info)
