"""The record in report.html: refusals, exits, regimes, instruments, open positions, checks, the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from crupto_nautilus.reports.bars import shares
from crupto_nautilus.reports.charts import Window, strip, strip_axis
from crupto_nautilus.reports.page_parts import (
    chip,
    details,
    empty,
    facts_list,
    label_tone,
    section,
    table,
    toned,
)
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import VerifyReport
from crupto_nautilus.reports.words import (
    EXITS,
    NOT_DEFINED,
    REFUSALS,
    REGIMES,
    coin,
    count,
    money,
    number,
    percent,
    price,
    stamp,
)
from risk.vocabulary import side_name

Summary = Mapping[str, Any]
_SHOWN_LINES = 20


def refusals(summary: Summary) -> str:
    """Return why signals were not traded, in plain words."""
    ordered = sorted(summary["refused_by_reason"].items(), key=lambda item: (-item[1], item[0]))
    rows = [(name, n, REFUSALS.get(name, "")) for name, n in ordered]
    body = f'<div class="columns">{shares(rows)}</div>' if rows else empty("nothing was refused")
    lead = (
        f"{count(summary['refused'])} of {count(summary['signals'])} signals were not traded. The checks "
        "run in a fixed order; the first that says no is counted."
    )
    return section("Why signals were refused", body, lead)


def exits(summary: Summary) -> str:
    """Return how trades ended, a strategy and an exit a row."""
    rows = []
    for name, kinds in summary["exits"].items():
        for index, (kind, row) in enumerate(kinds.items()):
            rows.append(
                (
                    escape(name) if index == 0 else "",
                    f"<code>{escape(kind)}</code> <small>{escape(EXITS.get(kind, ''))}</small>",
                    count(row["trades"]),
                    percent(row["share_pct"], 0, sign=False),
                    percent(row["win_rate_pct"], 0, sign=False),
                    number(row["mean_r"], 2, sign=True),
                    toned(row["pnl_r"], number(row["pnl_r"], 1, sign=True)),
                    toned(row["net_usd"], money(row["net_usd"])),
                )
            )
    head = ("<Strategy", "<Last exit", "Trades", "Share", "Wins", "Mean|R", "Sum|R", "Net|USDT")
    body = table(head, rows) if rows else empty("no closed trades")
    return section("How trades ended", body + _liquidations(summary))


def _liquidations(summary: Summary) -> str:
    rows = [
        (
            escape(row["strategy"]),
            escape(coin(row["instrument"])),
            side_name(row["side"]),
            stamp(row["ts_event"]),
            price(row["entry_price"]),
            price(row["exit_price"]),
            money(row["liquidation_usd"]),
            toned(row["net_usd"], money(row["net_usd"])),
        )
        for row in summary["liquidations"]
    ]
    if not rows:
        return ""
    head = (
        "<Strategy", "<Instrument", "<Side", "Time|UTC", "Entry|USDT", "Market|USDT", "Borne by|venue, USDT",
        "Net|USDT",
    )  # fmt: skip
    lead = (
        "The market opened beyond the stop and the liquidation price: the venue took the position over. It "
        "cost its isolated margin and the taker fee; the venue bore the rest of the loss, or kept (\u2212) "
        "the rest of the margin."
    )
    return f"<h3>Liquidations</h3><p>{lead}</p>{table(head, rows)}"


def regimes(folder: RunFolder, summary: Summary) -> str:
    """Return the regime of each instrument over time, with the share of each."""
    facts, frame = folder.facts, folder.table("regimes")
    window = Window(facts.start_ns, facts.end_ns)
    rows = ""
    for instrument in facts.instruments:
        name = coin(instrument.instrument)
        part = frame[frame["instrument"] == instrument.instrument]
        drawn = strip(part["ts_event"].tolist(), part["label"].tolist(), window, name=name)
        rows += f'<div class="strip-row"><span>{escape(name)}</span>{drawn}</div>'
    legend = "".join(f'<li><i class="box regime-{key}"></i>{text}</li>' for key, text in REGIMES.items())
    shares_of = [
        (escape(coin(name)), *(number(row[key], 0) if row.get(key) else NOT_DEFINED for key in REGIMES))
        for name, row in summary["regimes"].items()
    ]
    head = ("<Instrument", *(f"{text}|% of time" for text in REGIMES.values()))
    body = f'<ul class="legend">{legend}</ul>{rows}{strip_axis(window)}{table(head, shares_of)}'
    lead = (
        "What the desk took each market for, from 1h bars; it decides which strategies may trade. In a long "
        "window a column shows what held longest in it."
    )
    return section("Market regimes", body, lead)


def instruments(summary: Summary) -> str:
    """Return the instruments, one a row."""
    rows = [
        (
            escape(coin(name)),
            chip(row["label"], label_tone(row["label"])) if row["label"] else NOT_DEFINED,
            f"{row['base_minutes']}m" if row["base_minutes"] else NOT_DEFINED,
            count(row["bars_processed"]),
            percent(row["funding_coverage_pct"], 1, sign=False),
            count(row["signals"]),
            count(row["approved"]),
            count(row["trades"]),
            percent(row["win_rate_pct"], 0, sign=False),
            number(row["mean_r"], 2, sign=True),
            toned(row["pnl_r"], number(row["pnl_r"], 1, sign=True)),
            toned(row["net_usd"], money(row["net_usd"])),
        )
        for name, row in summary["instruments"].items()
    ]
    head = (
        "<Instrument", "<Data", "Finest|bars", "Bars", "Funding|coverage", "Signals", "Approved", "Trades",
        "Wins", "Mean|R", "Sum|R", "Net|USDT",
    )  # fmt: skip
    note = (
        '<p class="foot">Funding coverage: settlements in the data, of those that the venue made. What is '
        "missing is not zero: such trades look cheaper or dearer than they were.</p>"
    )
    return section("Instruments", table(head, rows) + note)


def open_positions(summary: Summary) -> str:
    """Return what is still held at the end."""
    rows = [
        (
            escape(row["strategy"]),
            escape(coin(row["instrument"])),
            side_name(row["side"]),
            price(row["quantity"]),
            price(row["average_price"]),
            price(row["last_price"]),
            toned(row["unrealised_usd"], money(row["unrealised_usd"])),
            stamp(row["ts_open"]),
        )
        for row in summary["open_positions"]
    ]
    head = (
        "<Strategy", "<Instrument", "<Side", "Quantity|coins", "Entry|USDT", "Last close|USDT",
        "Unrealised|USDT", "Since|UTC",
    )  # fmt: skip
    return section("Open at the end", table(head, rows) if rows else empty("flat: nothing is held"))


def verification(report: VerifyReport) -> str:
    """Return the checker's answers."""
    rows = [
        (
            escape(check.name),
            chip("ok", "good") if check.ok else chip(f"{len(check.violations):,} violations", "bad"),
            escape(check.detail),
        )
        for check in report.checks
    ]
    lists = ""
    for check in report.checks:
        if check.violations:
            title = f"{check.name}: {len(check.violations):,} violations"
            lists += details(title, _lines(check.violations), is_open=True)
        if check.notes:
            lists += details(f"{check.name}: {len(check.notes):,} notes", _lines(check.notes))
    lead = (
        "Recomputed from signals, decisions, orders, fills, funding, stops and samples; the summary is not "
        "trusted."
    )
    return section("Verification", table(("<Check", "<Answer", "<Looked at"), rows) + lists, lead)


def _lines(lines: tuple[str, ...]) -> str:
    more = len(lines) - _SHOWN_LINES
    shown = [*lines[:_SHOWN_LINES], *([f"and {more:,} more, all in verify.json"] if more > 0 else [])]
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in shown) + "</ul>"


def known_limits(folder: RunFolder, summary: Summary) -> str:
    """Return what this run cannot show."""
    facts = folder.facts
    lines = [note[:1].upper() + note[1:] for note in facts.notes]
    labels = set(summary["data_labels"])
    if "synthetic" in labels:
        lines.append(
            "The market is synthetic: the run shows how the desk works and says nothing about profit."
        )
    if "spot-as-perp" in labels:
        lines.append(
            "Spot prices stand in for perpetuals: basis and funding of the contract are not in them."
        )
    if facts.costs != "on":
        lines.append("Costs are off: no result of this run is comparable with a real one.")
    coverage = summary["funding_coverage_pct"]
    if coverage is None:
        lines.append("No funding history is known for these instruments: results leave funding out.")
    elif coverage < 100:
        lines.append(f"{percent(100 - coverage, 1, sign=False)} of the funding settlements are missing.")
    if facts.mode == "backtest":
        lines.append("Fills come from bars: the path inside a bar is assumed, and there is no order queue.")
    lines += [
        "Liquidations go by the price of the fill, not by a mark price; funding leaves the margin as it is.",
        "Slippage is a model (half spread, impact by volume, latency), not a measurement.",
        "The intervals take trades as independent; trades that overlap in time are not: the truth is wider.",
        "Sharpe and Sortino are annualised from daily equity; over short windows they mean little.",
        "A past window promises nothing. This is no investment advice.",
    ]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return section("What this cannot show", f'<ul class="limits">{items}</ul>')


def run_facts(folder: RunFolder, summary: Summary) -> str:
    """Return what was run, on what, with what."""
    facts = folder.facts
    speed = f"{number(summary['wall_seconds'], 1)} s, {count(summary['bars_per_second'])} bars a second"
    body = facts_list(
        (
            ("Command", _code(facts.command)),
            ("Window", f"{stamp(facts.start_ns)} to {stamp(facts.end_ns)} UTC"),
            ("Ended", escape(facts.exit_reason)),
            ("Bars", f"{count(facts.bars_processed)} in {speed}"),
            ("Git revision", _code(facts.git_revision)),
            ("Configuration", _code(facts.config_hash)),
            ("Governance", _code(facts.governance_hash)),
            ("Data", _code(facts.data_fingerprint)),
            ("Run hash", f"{_code(summary['run_hash'])} signals, decisions, fills and equity"),
            ("Versions", escape(", ".join(f"{k} {v}" for k, v in facts.versions.items()))),
            ("Virtual asset", escape(facts.virtual_asset) or "none"),
        )
    )
    limits = facts_list((k, escape(str(v))) for k, v in facts.limits.items())
    changed = [(k, escape(v)) for k, v in facts.provenance.items() if v != "default"]
    body += details("Limits in force (locked)", limits)
    body += details(
        "Settings that are not defaults", facts_list(changed) if changed else empty("all defaults")
    )
    body += details("Venue rules used", _rules(folder))
    if facts.config:
        text = escape(json.dumps(facts.config, indent=2, sort_keys=True))
        body += details("Configuration", f"<pre><code>{text}</code></pre>")
    return section("Run", body)


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>" if text else NOT_DEFINED


def _rules(folder: RunFolder) -> str:
    rows = [
        (
            escape(coin(i.instrument)),
            price(i.tick),
            price(i.step),
            price(i.min_quantity),
            number(i.min_notional_usd),
            number(1e4 * i.maker_fee, 1),
            number(1e4 * i.taker_fee, 1),
            escape(i.rules_source),
        )
        for i in folder.facts.instruments
    ]
    head = (
        "<Instrument", "Tick|USDT", "Step|coins", "Minimum|coins", "Minimum|USDT", "Maker fee|bps",
        "Taker fee|bps", "<Source",
    )  # fmt: skip
    return table(head, rows)
