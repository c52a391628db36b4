"""Run the desk for a command and say what came of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crupto_nautilus.cli.output import Result
from crupto_nautilus.cli.progress import progress
from crupto_nautilus.cli.summary import blocks, remarks

if TYPE_CHECKING:
    from crupto_nautilus.desk.options import BacktestOptions, PaperOptions
    from crupto_nautilus.desk.services import RunService


def new_run_id(kind: str, out: Path) -> str:
    """Return a free name from the kind of run and the time of day, UTC."""
    stem = f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    taken = {path.name for path in out.iterdir()} if out.is_dir() else set()
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]
    return next(name for name in names if name not in taken)


def command_line() -> str:
    """Return the command as it was typed."""
    return shlex.join(["crupto", *sys.argv[1:]])


def run_desk[O: BacktestOptions](options: O, run: Callable[[O], Path]) -> Result:
    """Run the desk (`run_backtest`), with a progress bar on a terminal; return the summary."""
    with progress() as report:
        path = run(replace(options, progress=report, command=command_line()))
    return result_of(path)


def run_paper_desk(options: PaperOptions, services: Sequence[RunService], *, status_every_s: float) -> Result:
    """Run the paper desk with its live status; return the summary."""
    from crupto_nautilus.desk.early_end import ends_at_once

    with ends_at_once():
        from crupto_nautilus.cli.status import LiveStatus
        from crupto_nautilus.desk.paper import run_paper
        from crupto_nautilus.desk.shadow_service import Shadows

        shadows = Shadows()
        status = LiveStatus(every_s=status_every_s, shadows=shadows.standings)
        path = run_paper(replace(options, command=command_line()), [*services, shadows, status])
    return result_of(path)


def result_of(path: Path) -> Result:
    """Return the summary of a finished run for the command that made it."""
    from crupto_nautilus.reports.run_folder import RunFolder

    folder = RunFolder(path)
    summary = folder.read_json("summary.json")
    report_path = path / "report.html"
    data = {"run": folder.run_id, "path": path, "report": report_path, "summary": summary}
    data["exit_reason"] = folder.facts.exit_reason
    lines = [f"run     {path}", f"ended   {folder.facts.exit_reason}", f"report  {report_path}"]
    if folder.facts.virtual_asset:
        lines.append(f"virtual {path / 'virtual_summary.md'}")
    last = "\n".join([*lines, f"why     crupto why {path}", f"page    crupto dashboards serve {path}"])
    return Result(data, (*blocks(summary), *remarks(folder.facts), last))
