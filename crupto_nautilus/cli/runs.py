"""`crupto runs`: what was run, how it ended, what came of it."""

from __future__ import annotations

from pathlib import Path

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import iso, runs_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.errors import UsageError


@command("runs")
@runs_option
def runs(runs_dir: Path) -> Result:
    """List the runs of a folder.

    Oldest first; unfinished and damaged ones say so.
    """
    from crupto_nautilus.reports.run_folder import list_runs

    if not runs_dir.is_dir():
        raise UsageError(
            f"there is no folder {runs_dir}",
            found="no such folder",
            expected="a folder with runs",
            remedy="`crupto backtest` or `crupto demo` makes a run; --runs DIR names another folder",
        )
    rows = list_runs(runs_dir)
    lines = tuple(
        (
            row.run_id,
            row.mode,
            f"{iso(row.start_ns)[:10]} .. {iso(row.end_ns)[:10]}" if row.end_ns else "",
            "" if row.trades is None else str(row.trades),
            "" if row.pnl_usd is None else f"{row.pnl_usd:+.2f}",
            "" if row.pnl_pct is None else f"{row.pnl_pct:+.2f}",
            row.problem or row.exit_reason,
        )
        for row in rows
    )
    columns = ("run", "mode", "window", "trades", "pnl usd", "pnl %", "ended")
    table = Table("", columns, lines, right=frozenset({"trades", "pnl usd", "pnl %"}))
    return Result({"runs": rows}, (table if rows else f"{runs_dir} holds no runs",))
