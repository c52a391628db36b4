"""report.html: one self-contained page (inline style and SVG, no script, no network), light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from crupto_nautilus.reports import days, page_machine, page_record, page_results
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
            page_results.header(folder, summary, report),
            page_results.tiles(summary),
            page_results.curves(folder, summary, hold),
            page_results.strategies(summary),
            page_results.challengers(summary),
            page_results.costs(summary),
            page_results.distribution(folder, summary),
            page_record.refusals(summary),
            page_machine.refusals_over_time_section(folder),
            page_record.exits(summary),
            page_record.regimes(folder, summary),
            page_record.instruments(summary),
            page_results.months(summary),
            page_record.open_positions(summary),
            days.links(folder),
            page_machine.slippage(folder),
            page_machine.latency(folder, summary),
            page_record.verification(report),
            page_record.known_limits(folder, summary),
            page_record.run_facts(folder, summary),
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(folder.run_id)}: {escape(summary['verdict']['text'])}</title>"
        f"<style>{style}</style></head><body><main>{body}"
        "<footer>crupto_nautilus trades on paper only. Times are UTC, money is USDT, percentages are of "
        "equity.</footer></main></body></html>\n"
    )
