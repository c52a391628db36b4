"""The page of a campaign: one self-contained HTML file in the look of the desk's reports.

Shows the funnel by gate, every trial's Sharpe ratio against the bar that luck sets as trials add up, equity
of the finalists in research and holdout, and why each finalist died.  The holdout is drawn only for finalists
for which the ledger opened it.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from crupto_nautilus.laboratory.scatter import Mark, scatter
from crupto_nautilus.reports import charts
from crupto_nautilus.reports.charts import Band, Line, Window, time_chart
from crupto_nautilus.reports.page_parts import chip, empty, facts_list, section, table
from research.campaign.run import Campaign, CampaignResult, Verdict
from research.ledger import Kind
from research.standards.outcome import GateResult, Status
from research.statistics.selection import expected_best_sharpe, null_variance
from research.trials.trial import CRASHED
from research.trials.windows import DAY_NS

_TONES = {
    Status.PASSED: "good",
    Status.FAILED: "bad",
    Status.NOT_APPLICABLE: "",
    Status.NOT_RUN: "",
}
_TITLES = {
    "G0": "static: size, novelty",
    "G1": "look-ahead",
    "G2": "floors of the screen",
    "G3": "engine agrees",
    "G4": "walk-forward",
    "G5": "statistics of the search",
    "G6": "robustness",
    "G7": "beside the champions",
    "G8": "holdout",
}


def write_page(campaign: Campaign, result: CampaignResult) -> Path:
    """Write `campaign.html` into the campaign's folder and return its path."""
    style = (Path(charts.__file__).with_name("report.css")).read_text(encoding="utf-8")
    body = "".join(
        (
            _header(campaign, result),
            section("Funnel", _funnel(result), "How many candidates each gate left."),
            section(
                "Sharpe ratios against the size of the search",
                _search(campaign, result),
                "Each mark is one candidate over the research window, costs included. The dashed line is the "
                "Sharpe ratio that the best of so many candidates without an edge is expected to show.",
            ),
            *(_finalist(campaign, verdict) for verdict in result.verdicts),
            section("Registration", _facts(campaign)),
        )
    )
    page = campaign.folder.path / "campaign.html"
    page.write_text(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(result.plan.id)}: {escape(_verdict(result))}</title>"
        f"<style>{style}</style></head><body><main>{body}"
        "<footer>crupto_nautilus trades on paper only. Times are UTC; Sharpe ratios are annual, of daily "
        "returns.</footer></main></body></html>\n",
        encoding="utf-8",
    )
    return page


def _verdict(result: CampaignResult) -> str:
    tried, alive = len(result.trials), len(result.survivors)
    if not alive:
        return f"Nothing survived: {tried} candidates tried"
    return f"{alive} of {tried} candidates survived every gate"


def _header(campaign: Campaign, result: CampaignResult) -> str:
    plan = result.plan
    opened = next(campaign.ledger.of(plan.id, Kind.HOLDOUT_OPENED), None) is not None
    label = {"real": "good", "synthetic": "bad"}.get(plan.data_label, "warn")
    badges = (
        (f"{plan.data_label} data", label),
        (f"{len(plan.instruments)} instruments", ""),
        (f"generator {plan.generator}", ""),
        ("holdout opened, once" if opened else "holdout still closed", "warn" if opened else "good"),
    )
    listed = "".join(f'<li class="{tone}">{escape(text)}</li>' for text, tone in badges)
    tone = "good" if result.survivors else ""
    return (
        f'<h1>campaign {escape(plan.id)}</h1><p class="verdict {tone}">{escape(_verdict(result))}</p>'
        f'<ul class="badges">{listed}</ul>'
    )


def _funnel(result: CampaignResult) -> str:
    """Return a bar for each stage; finalists meet the later gates one by one, in the order they must pass."""
    total = len(result.trials)
    crashed = sum(trial.status == CRASHED for trial in result.trials)
    static = sum(entry[0].passed for entry in result.entries)
    floors = sum(all(gate.passed for gate in entry) for entry in result.entries)
    rows = [("tried", total, f"{crashed} crashed" if crashed else "")]
    rows += [("G0", static, _TITLES["G0"]), ("G2", floors, _TITLES["G2"])]
    rows.append(("finalists", len(result.verdicts), "best Sharpe ratios, one a family"))
    left = list(result.verdicts)
    for gate in ("G1", "G4", "G5", "G6", "G7", "G3", "G8"):
        left = [v for v in left if any(g.gate == gate and g.passed for g in v.gates)]
        rows.append((gate, len(left), _TITLES[gate]))
    bars = "".join(
        f'<div class="bar-row"><span>{escape(name)} <small>{escape(note)}</small></span>'
        f'<div class="track"><b class="plain" style="left:0;width:{_percent(count, total):.2f}%"></b></div>'
        f'<span class="num">{count}</span></div>'
        for name, count, note in rows
    )
    return f'<div class="named">{bars}</div>'


def _percent(count: int, total: int) -> float:
    return 100.0 * count / total if total else 0.0


def _search(campaign: Campaign, result: CampaignResult) -> str:
    finalists = {verdict.document.document_hash for verdict in result.verdicts}
    alive = {verdict.document.document_hash for verdict in result.survivors}
    marks = [
        Mark(
            number,
            trial.sharpe,
            "win"
            if trial.document_hash in alive
            else "loss"
            if trial.document_hash in finalists
            else "plain",
            f"{document.name}: {trial.sharpe:.2f}",
        )
        for number, (document, trial) in enumerate(zip(result.documents, result.trials, strict=True), 1)
        if np.isfinite(trial.sharpe)
    ]
    if not marks:
        return empty("no candidate traded")
    spec = campaign.laboratory.spec
    days, year = campaign.laboratory.windows.research.days, spec.windows.observations_per_year
    counted = campaign.trial_count()
    before = max(0, counted - len(result.trials))
    numbers = np.unique(np.linspace(1, len(result.trials), 60).astype(int))
    bar = [(int(n), expected_best_sharpe(null_variance(days), before + int(n)) * year**0.5) for n in numbers]
    legend = (
        '<ul class="legend"><li><i class="box" style="background:var(--plain)"></i>candidate</li>'
        '<li><i class="box" style="background:var(--loss)"></i>finalist that died</li>'
        '<li><i class="box" style="background:var(--win)"></i>survivor</li>'
        f'<li><i class="dash hold"></i>luck of the search: {bar[-1][1]:.2f} after {counted} trials</li></ul>'
    )
    return legend + scatter(marks, bar, height=300, label="Sharpe ratio of each candidate", x_name="trial")


def _finalist(campaign: Campaign, verdict: Verdict) -> str:
    document = verdict.document
    state = chip("survived", "good") if verdict.survived else chip("died", "bad")
    rows = [
        (
            gate.gate,
            escape(_TITLES[gate.gate]),
            chip(gate.status.value.replace("_", " "), _TONES[gate.status]),
            escape(gate.why() if not gate.passed else _measured(gate)),
        )
        for gate in verdict.gates
    ]
    return section(
        f"{document.name}",
        f"<p>{state} <code>{document.document_hash[:16]}</code></p>{_equity(campaign, verdict)}"
        + table(("gate", "<what", "<verdict", "<why"), rows)
        + f'<details><summary>the document</summary><p><code style="overflow-wrap:anywhere">'
        f"{escape(document.canonical_json())}</code></p></details>",
    )


def _measured(gate: GateResult) -> str:
    return "; ".join(f"{check.name} {check.value:.4g}" for check in gate.checks[:6]) or gate.note


def _equity(campaign: Campaign, verdict: Verdict) -> str:
    """Return the sum of net returns, in percent of a constant stake; the holdout where it was opened."""
    windows = campaign.laboratory.windows
    research = windows.research
    stamps = (research.first + 1 + np.arange(research.days)) * DAY_NS
    curve = np.cumsum(verdict.trial.net) * 100.0
    lines, end = [Line(stamps, curve, "desk")], research.end_ns
    bands: list[Band] = []
    opened = {
        name
        for record in campaign.ledger.of(campaign.plan.id, Kind.HOLDOUT_OPENED)
        for name in record.body["finalists"]
    }
    if verdict.document.document_hash in opened:
        span = windows.holdout
        result = campaign.laboratory.screen([verdict.document], span)[0]
        returns = campaign.laboratory.daily(result, span)
        later = (span.first + 1 + np.arange(span.days)) * DAY_NS
        lines.append(Line(later, curve[-1] + np.cumsum(returns) * 100.0, "desk"))
        bands.append(Band(span.start_ns, span.end_ns, "locked", "holdout"))
        end = span.end_ns
    return time_chart(
        lines,
        Window(research.start_ns, end),
        height=220,
        label="sum of net returns of a constant stake; the shaded part is the holdout",
        unit=" %",
        bands=bands,
        baseline=0.0,
    )


def _facts(campaign: Campaign) -> str:
    plan = campaign.plan
    rows = [
        ("instruments", escape(", ".join(plan.instruments))),
        ("seed, budget", f"{plan.seed}, {plan.budget}"),
        ("champions of G7", escape(", ".join(plan.champions) or "none")),
        ("gate file", f"<code>{plan.gate_spec_sha256}</code>"),
        ("data", f"<code>{plan.data_sha256}</code>"),
        ("code", f"<code>{plan.code_sha256}</code>"),
        ("ledger head", f"<code>{campaign.ledger.head}</code>"),
        ("check it", f"<code>crupto research verify {escape(plan.id)}</code>"),
    ]
    return facts_list(rows)
