"""`crupto db`: the journal's database."""

from __future__ import annotations

import time
from pathlib import Path

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, command
from crupto_nautilus.cli.options import runs_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.errors import UsageError


@click.group("db", context_settings=CONTEXT_SETTINGS)
def db() -> None:
    """The journal's database."""


_url_option = click.option(
    "--url",
    envvar="CRUPTO_DB_URL",
    show_envvar=True,
    help="Database of the journal; without it the file journal.db in the folder of the runs.",
)


def _address(url: str | None, runs_dir: Path) -> str:
    """Return the address of a journal that exists."""
    from sqlalchemy.engine import make_url

    from crupto_nautilus.journal.database import default_url, journal_url

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
    return address


@command("info")
@runs_option
@_url_option
def info(*, runs_dir: Path, url: str | None) -> Result:
    """Tell where the journal is, its schema version and what it holds."""
    from crupto_nautilus.journal import maintenance
    from crupto_nautilus.journal.journal import Journal
    from crupto_nautilus.journal.migrate import shipped

    address = _address(url, runs_dir)
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


@command("archive")
@runs_option
@_url_option
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to; default: archive in the runs' folder."
)
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Rows of runs that ended within these days stay.",
)
@click.option(
    "--compress-days",
    type=click.FloatRange(min=0),
    default=90.0,
    show_default=True,
    help="Folders of runs that ended longer ago are compressed.",
)
@click.option(
    "--include-open", is_flag=True, help="Take old rows of runs that did not end, too; see the help."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
def archive(
    *,
    runs_dir: Path,
    url: str | None,
    folder: Path | None,
    keep_days: float,
    compress_days: float,
    include_open: bool,
    dry_run: bool,
) -> Result:
    """Move old raw rows to Parquet by day, checked and counted, and compress old run folders.

    Works beside a run that goes on.  With --include-open a run that did not end gives its old rows, too: it
    can then no longer be resumed with its whole record.  The database's file keeps its size (the space is
    used again); `crupto db prune` gives it back.
    """
    from crupto_nautilus.journal.journal import Journal
    from crupto_nautilus.journal.retention import archive_rows
    from crupto_nautilus.journal.run_archive import FOLDER, compress_runs

    now = time.time_ns()
    with Journal(_address(url, runs_dir)) as journal:
        moved = archive_rows(
            journal, folder or runs_dir / FOLDER, now, keep_days, include_open=include_open, dry_run=dry_run
        )
    packed = compress_runs(runs_dir, now, compress_days, dry_run=dry_run)
    data = {
        "dry_run": dry_run,
        "rows": moved.rows,
        "files": moved.files,
        "runs": moved.runs,
        "kept_open": moved.kept_open,
        "by_table": moved.by_table,
        "compressed": packed.run_ids,
        "bytes_before": packed.bytes_before,
        "bytes_after": packed.bytes_after,
    }
    verb = "would move" if dry_run else "moved"
    lines = [
        f"{verb} {moved.rows} rows of {len(moved.runs)} runs into {moved.files} files, counted and checked",
        f"{len(packed.run_ids)} run folders {'to compress' if dry_run else 'compressed'}: "
        f"{packed.bytes_before / 1e6:.1f} MB to {packed.bytes_after / 1e6:.1f} MB",
    ]
    if moved.kept_open:
        lines.append(f"not ended, left alone: {', '.join(moved.kept_open)}")
    return Result(data, tuple(lines))


@command("prune")
@runs_option
@_url_option
@click.option(
    "--keep-runs", type=click.IntRange(min=0), default=5, show_default=True, help="Newest runs that stay."
)
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    default=7.0,
    show_default=True,
    help="Runs that ended within these days stay.",
)
@click.option("--without-archive", is_flag=True, help="Remove for good, without a copy in Parquet.")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
def prune(
    *,
    runs_dir: Path,
    url: str | None,
    keep_runs: int,
    keep_days: float,
    without_archive: bool,
    dry_run: bool,
) -> Result:
    """Remove ended runs from the journal, after a copy to Parquet, and give the space back.

    While a run goes on the space is not given back: that would lock the database.
    """
    from crupto_nautilus.journal import maintenance
    from crupto_nautilus.journal.journal import PRUNED, Journal
    from crupto_nautilus.journal.run_archive import FOLDER

    now = time.time_ns()
    with Journal(_address(url, runs_dir)) as journal:
        plan = maintenance.prune(journal, now, keep_runs, keep_days, dry_run=True)
        copies = []
        if not dry_run and not without_archive:
            target = runs_dir / FOLDER / "pruned"
            # a run whose removal was cut off has its copy already
            whole = {run.run_id for run in journal.runs() if run.exit_reason != PRUNED}
            copies = [maintenance.archive(journal, run, target) for run in plan.run_ids if run in whole]
        runs_open = any(run.end_ns is None for run in journal.runs())
        pruned = plan
        if not dry_run:
            pruned = maintenance.prune(journal, now, keep_runs, keep_days, compact=not runs_open)
    data = {
        "dry_run": dry_run,
        "runs": pruned.run_ids,
        "rows": pruned.rows,
        "kept_open": pruned.kept_open,
        "copies": [str(path) for path in copies],
        "space_given_back": not dry_run and not runs_open,
    }
    lines = [f"{'would remove' if dry_run else 'removed'} {len(pruned.run_ids)} runs, {pruned.rows} rows"]
    if copies:
        lines.append(f"copies in {copies[0].parent}")
    if runs_open and not dry_run:
        lines.append("a run has not ended: the space is not given back to the disk now")
    return Result(data, tuple(lines))


for _part in (info, archive, prune):
    db.add_command(_part)
