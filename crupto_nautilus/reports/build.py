"""Build the reports of a run from its tables: summary.json, verify.json, summary.md, report.html, and
virtual_summary.md; for long paper runs a page a day.

Guarantees: the tables and `run.json` are only read; each file appears whole; building twice gives the same
bytes.
"""

from __future__ import annotations

from pathlib import Path

from crupto_nautilus.reports.benchmark import buy_and_hold
from crupto_nautilus.reports.days import wants_days, write_days
from crupto_nautilus.reports.html import render_html
from crupto_nautilus.reports.machine import agent_latency, slippage_check
from crupto_nautilus.reports.metrics import summarise
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.summary_md import render_markdown
from crupto_nautilus.reports.verify import run_hash, verify_run
from crupto_nautilus.reports.virtual_summary import VIRTUAL_SUMMARY, render_virtual_summary


def build_report(run: Path | str, runs: Path = Path("runs")) -> Path:
    """Rebuild the reports of a finished run and return the path of report.html.

    Parameters
    ----------
    run
        The run's folder, or its id below `runs`.

    Raises
    ------
    RunFolderError
        The run cannot be read.
    RunWriteError
        The disk refuses.
    """
    folder = RunFolder.open(run, runs)
    summary = summarise(folder) | {
        "run_hash": run_hash(folder),
        "agents": agent_latency(folder),
        "slippage": slippage_check(folder),
    }
    folder.write_json("summary.json", summary)
    report = verify_run(folder)
    folder.write_json("verify.json", report.to_json())
    folder.write_text("summary.md", render_markdown(folder.facts, summary, report))
    if folder.facts.virtual_asset:
        folder.write_text(VIRTUAL_SUMMARY, render_virtual_summary(folder, summary))
    if wants_days(folder):
        write_days(folder)
    return folder.write_text("report.html", render_html(folder, summary, report, buy_and_hold(folder)))
