"""report.html: one self-contained page (inline style and SVG, no script, no network), light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from crupto_nautilus.reports import sections
from crupto_nautilus.reports.benchmark import Benchmark
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import VerifyReport


def render_html(
    folder: RunFolder, summary: Mapping[str, Any], report: VerifyReport, hold: Benchmark | None
) -> str:
    """Return the whole page."""
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    body = "".join(
        (
            sections.header(folder, summary, report),
            sections.tiles(summary),
            sections.curves(folder, summary, hold),
            sections.strategies(summary),
            sections.costs(summary),
            sections.distribution(folder, summary),
            sections.refusals(summary),
            sections.exits(summary),
            sections.regimes(folder, summary),
            sections.instruments(summary),
            sections.months(summary),
            sections.open_positions(summary),
            sections.verification(report),
            sections.known_limits(folder, summary),
            sections.run_facts(folder, summary),
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(folder.run_id)}: {escape(summary['verdict']['text'])}</title>"
        f"<style>{style}</style></head><body><main>{body}"
        "<footer>crupto_nautilus: paper trading only. Times are UTC, money is USDT, percentages are of equity.</footer>"
        "</main></body></html>\n"
    )
