"""`crupto report`: rebuild a run's report, check its books, export its track record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import runs_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.summary import blocks, remarks
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from crupto_nautilus.reports.run_folder import RunFolder

_SHOWN = 20  # violations and notes a person is shown for each check; --json has all


@command("report")
@click.argument("run")
@runs_option
@click.option(
    "--verify", is_flag=True, help="Check the run from its files alone; exit 1 if a rule is broken."
)
@click.option("--export", is_flag=True, help="Write the closed trades as a hash-chained track record.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="With --export: write CSV and JSON into this folder; default: the run folder.",
)
@click.option("--head", help="With --verify of a track record: the head hash that was published.")
def report(
    *, run: str, runs_dir: Path, verify: bool, export: bool, out: Path | None, head: str | None
) -> Result:
    """Rebuild, verify or export the report of a run.

    RUN is a run folder or its id; with --verify also a track_record.json.  Without --verify and --export,
    summary and report are built again from the tables of the run.
    """
    from crupto_nautilus.reports.run_folder import RunFolder

    if verify and export:
        raise UsageError(
            "--verify and --export are two things",
            found="both",
            expected="one of them",
            remedy=f"crupto report {run} --verify, then crupto report {run} --export",
        )
    if verify and Path(run).is_file():
        return _verify_record(Path(run), head)
    folder = RunFolder.open(run, runs_dir)
    if verify:
        return _verify(folder)
    if export:
        return _export(folder, out)
    return _rebuild(folder)


def _rebuild(folder: RunFolder) -> Result:
    from crupto_nautilus.reports.build import build_report

    build_report(folder.path)
    summary = folder.read_json("summary.json")
    page = folder.path / "report.html"
    data = {"run": folder.run_id, "path": folder.path, "report": page, "summary": summary}
    return Result(data, (*blocks(summary), *remarks(folder.facts), f"report  {page}"))


def _verify(folder: RunFolder) -> Result:
    from crupto_nautilus.reports.verify import run_hash, verify_run

    found = verify_run(folder)
    rows = tuple(("ok" if check.ok else "BROKEN", check.name, check.detail) for check in found.checks)
    lines: list[str] = []
    for check in found.checks:
        for kind, texts in (("violation", check.violations), ("note", check.notes)):
            lines += [f"{kind}: {check.name}: {text}" for text in texts[:_SHOWN]]
            if len(texts) > _SHOWN:
                lines.append(f"{kind}: {check.name}: {len(texts) - _SHOWN} more; --json lists all")
    broken = sum(not check.ok for check in found.checks)
    verdict = f"{broken} of {len(found.checks)} checks are broken" if broken else "every check holds"
    data = found.to_json() | {"hash": run_hash(folder) if found.ok else None}
    table = Table(f"run {folder.run_id}", ("", "check", "what was looked at"), rows)
    return Result(data, (table, *lines, verdict), exit_code=1 if broken else 0)


def _verify_record(path: Path, head: str | None) -> Result:
    from crupto_nautilus.reports.export import verify_track_record

    found = verify_track_record(path, head)
    data = {
        "ok": found.ok,
        "rows": found.rows,
        "head": found.head,
        "broken_at": found.broken_at,
        "problem": found.problem,
    }
    text = f"{found.rows} rows, head {found.head}\n" + (
        "the chain holds" if found.ok else f"BROKEN: {found.problem}"
    )
    return Result(data, (text,), exit_code=0 if found.ok else 1)


def _export(folder: RunFolder, out: Path | None) -> Result:
    from crupto_nautilus.reports.export import export_track_record

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    done = export_track_record(folder, out)
    data = {
        "run": folder.run_id,
        "csv": done.csv_path,
        "json": done.json_path,
        "rows": done.rows,
        "head": done.head,
    }
    text = f"{done.rows} closed trades\n{done.csv_path}\n{done.json_path}\nhead {done.head}"
    return Result(data, (text,))
