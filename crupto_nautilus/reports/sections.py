"""The parts of report.html, one function a part; each returns HTML with every text escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from crupto_nautilus.reports.bars import Estimate, Part, estimates, shares, waterfall
from crupto_nautilus.reports.benchmark import Benchmark
from crupto_nautilus.reports.charts import Band, Line, Window, histogram, strip, strip_axis, time_chart
from crupto_nautilus.reports.figures import MIN_TRADES_TO_JUDGE, drawdown_pct
from crupto_nautilus.reports.ledger import rows_of
from crupto_nautilus.reports.metrics import floats, ints
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import VerifyReport
from crupto_nautilus.reports.words import (
    EXITS,
    LABELS,
    NOT_DEFINED,
    REFUSALS,
    REGIMES,
    coin,
    count,
    interval,
    money,
    number,
    percent,
    price,
    stamp,
)
from risk.vocabulary import side_name

Summary = Mapping[str, Any]
_SHOWN_VIOLATIONS = 20


def section(title: str, body: str, lead: str = "") -> str:
    """Return a titled card."""
    intro = f'<p class="lead">{lead}</p>' if lead else ""
    return f"<section><h2>{escape(title)}</h2>{intro}{body}</section>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], total: Sequence[str] | None = None) -> str:
    """Return a table of ready HTML cells; `name|unit` in a head puts the unit on a line of its own."""
    heads = "".join(
        f"<th>{escape(name)}" + (f"<small>{escape(unit)}</small>" if unit else "") + "</th>"
        for name, _, unit in (text.partition("|") for text in head)
    )
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    if total is not None:
        body += '<tr class="sum">' + "".join(_cell(cell) for cell in total) + "</tr>"
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(cell: str) -> str:
    return f'<td class="wide">{cell[1:]}</td>' if cell.startswith("\0") else f"<td>{cell}</td>"


def _wide(text: str) -> str:
    """Mark a cell that may wrap."""
    return "\0" + text


def toned(value: object, text: str) -> str:
    """Colour a gain or a loss."""
    if not isinstance(value, int | float) or value == 0:
        return text
    return f'<span class="{"good" if value > 0 else "bad"}-text">{text}</span>'


def _chip(text: str, tone: str) -> str:
    return f'<span class="chip {tone}">{escape(text)}</span>'


def header(folder: RunFolder, summary: Summary, report: VerifyReport) -> str:
    """Return what the run shows in one sentence, beside what its money would have done untraded."""
    facts, verdict = folder.facts, summary["verdict"]
    hold = summary["benchmark"]["buy_and_hold"]
    against = f" Buy-and-hold: <b>{percent(hold['pnl_pct'])}</b>." if hold else ""
    text = verdict["text"]
    result = (
        f"{number(summary['equity_start'])} became <b>{number(summary['equity_end'])} USDT</b> "
        f"({toned(summary['pnl_pct'], percent(summary['pnl_pct']))}) in {number(summary['days'], 0)} days, "
        f"with {count(summary['trades'])} closed trades.{against} Not trading: 0\u00a0%."
    )
    badges = [f'<li class="{"good" if label == "real" else "bad" if label == "synthetic" else "warn"}">'
              f"{escape(LABELS.get(label, label))}</li>" for label in summary["data_labels"]]  # fmt: skip
    passed = sum(check.ok for check in report.checks)
    badges.append(
        f'<li class="good">books verified: {passed} of {len(report.checks)} checks passed</li>'
        if report.ok
        else f'<li class="bad">verification FAILED: {len(report.checks) - passed} of {len(report.checks)} checks</li>'
    )
    badges.append("<li>costs on</li>" if facts.costs == "on" else '<li class="bad">costs OFF</li>')
    coverage = summary["funding_coverage_pct"]
    if coverage is not None:
        tone = "good" if coverage >= 99 else "warn"
        badges.append(f'<li class="{tone}">funding coverage {percent(coverage, 1, sign=False)}</li>')
    badges.append(f"<li>{escape(facts.mode)}, paper money</li>")
    window = f"{stamp(facts.start_ns, minutes=False)} to {stamp(facts.end_ns, minutes=False)} UTC"
    return (
        f"<header><h1>{escape(facts.run_id)} \u00b7 {escape(facts.mode)} \u00b7 {window}</h1>"
        f'<p class="verdict {verdict["tone"]}">{escape(text[:1].upper() + text[1:])}.</p>'
        f'<p class="result">{result}</p><ul class="badges">{"".join(badges)}</ul></header>'
    )


def tiles(summary: Summary) -> str:
    """Return the key figures."""
    costs = summary["fees_usd"] + summary["slippage_usd"]
    rows = [
        ("Result", toned(summary["pnl_usd"], money(summary["pnl_usd"]) + " USDT"), f"{percent(summary['pnl_pct'])} of equity"),
        ("Mean R", number(summary["mean_r"], 3, sign=True), f"95 %: {interval(summary['mean_r_low'], summary['mean_r_high'], 3)}"),
        ("Largest drawdown", percent(summary["max_drawdown_pct"]), f"longest {number(summary['longest_drawdown_days'], 1)} days"),
        ("Sharpe / Sortino", f"{number(summary['sharpe'])} / {number(summary['sortino'])}", "daily, \u00d7\u221a365"),
        ("Profit factor", number(summary["profit_factor"]), f"wins {percent(summary['win_rate_pct'], 0, sign=False)} of trades"),
        ("Average win / loss", f"{number(summary['avg_win_r'])} / {number(summary['avg_loss_r'])} R", f"{summary['longest_losing_streak']} losses in a row at most"),
        ("Fees + slippage", f"{number(costs)} USDT", f"{number(summary['turnover_usd'], 0)} USDT traded"),
        ("Funding", money(summary["funding_usd"]) + " USDT", "received +, paid \u2212"),
        ("Signals", count(summary["signals"]), f"{count(summary['approved'])} approved, {count(summary['refused'])} refused"),
        ("In the market", percent(summary["exposure_pct"], 1, sign=False), "of the time"),
    ]  # fmt: skip
    body = "".join(f"<div><dt>{a}</dt><dd>{b}<small>{c}</small></dd></div>" for a, b, c in rows)
    return f'<dl class="tiles">{body}</dl>'


def curves(folder: RunFolder, summary: Summary, hold: Benchmark | None) -> str:
    """Return equity beside buy-and-hold, with the desk's locks, and the drawdown below."""
    facts, frame = folder.facts, folder.table("equity")
    window = Window(facts.start_ns, facts.end_ns)
    ts = np.concatenate(([facts.start_ns], ints(frame, "ts_event")))
    values = np.concatenate(([facts.starting_equity], floats(frame, "equity")))
    lines = [Line("desk", ts, values, "desk")]
    if hold is not None:
        lines.insert(0, Line("buy-and-hold", hold.ts, hold.equity, "hold"))
    bands = _lock_bands(folder)
    equity = time_chart(
        lines, window, height=300, label="equity in USDT over time", digits=_digits(values), bands=bands,
        baseline=facts.starting_equity,
    )  # fmt: skip
    drawdown = time_chart(
        [Line("drawdown", ts, drawdown_pct(values), "bad")], window, height=120, digits=1, unit="\u00a0%",
        label="drawdown in percent over time", baseline=0.0, fill=True,
    )  # fmt: skip
    legend = (
        '<ul class="legend"><li><i class="desk"></i>desk equity, USDT</li>'
        + ('<li><i class="hold dash"></i>buy-and-hold, equal weights, 1x</li>' if hold is not None else "")
        + '<li><i class="start"></i>not trading</li>'
        + ('<li><i class="box locked"></i>daily lock</li>' if any(b.style == "locked" for b in bands) else "")
        + ('<li><i class="box halted"></i>halted</li>' if any(b.style == "halted" for b in bands) else "")
        + "</ul>"
    )
    return section(
        "Equity", legend + equity + "<h3>Drawdown from the last high</h3>" + drawdown + _hold_note(summary)
    )


def _digits(values: Any) -> int:
    spread = float(np.ptp(values))
    return 2 if spread < 10 else 1 if spread < 100 else 0


def _hold_note(summary: Summary) -> str:
    hold = summary["benchmark"]["buy_and_hold"]
    if hold is None:
        return '<p class="foot">No benchmark prices were recorded.</p>'
    funding = (
        f"funding {money(hold['funding_usd'])} USDT"
        if hold["funding_usd"] is not None
        else "funding not known"
    )
    missing = ", ".join(coin(name) for name in hold["without_funding"])
    lacking = f" (not known for {escape(missing)})" if missing and hold["funding_usd"] is not None else ""
    return (
        f'<p class="foot">Buy-and-hold: {len(hold["instruments"])} instruments, {percent(hold["pnl_pct"])}, '
        f"largest drawdown {percent(hold['max_drawdown_pct'])}, Sharpe {number(hold['sharpe'])}, "
        f"fees {number(hold['fees_usd'])} USDT, {funding}{lacking}; prices are sampled.</p>"
    )


def _lock_bands(folder: RunFolder) -> list[Band]:
    bands: list[Band] = []
    rows = rows_of(folder.table("states"))
    ends = [row.ts_event for row in rows[1:]] + [folder.facts.end_ns]
    for row, end in zip(rows, ends, strict=True):
        if row.mode != "ACTIVE":
            style = "halted" if row.mode == "HALTED" else "locked"
            bands.append(Band(row.ts_event, end, style, f"{row.reason or row.mode}: {row.detail}"))
    return bands


def strategies(summary: Summary) -> str:
    """Return the strategies, one a row, each with what may be said about it."""
    rows = [
        (
            escape(name),
            count(row["signals"]),
            count(row["approved"]),
            count(row["trades"]),
            percent(row["win_rate_pct"], 0, sign=False),
            number(row["profit_factor"]),
            number(row["mean_r"], 2, sign=True),
            interval(row["mean_r_low"], row["mean_r_high"]),
            toned(row["pnl_r"], number(row["pnl_r"], 1, sign=True)),
            toned(row["net_usd"], money(row["net_usd"])),
            percent(row["max_drawdown_pct"], 1),
            percent(row["exposure_pct"], 0, sign=False),
            _wide(_chip(row["verdict"]["text"], row["verdict"]["tone"]) if row["trades"] else NOT_DEFINED),
        )
        for name, row in summary["strategies"].items()
    ]
    head = (
        "Strategy", "Signals", "Approved", "Trades", "Wins", "Profit factor", "Mean|R", "95 % interval|of mean R",
        "Sum|R", "Net|USDT", "Max drawdown|of equity", "In market", "What may be said",
    )  # fmt: skip
    total = (
        "closed trades", count(summary["signals"]), count(summary["approved"]), count(summary["trades"]),
        percent(summary["win_rate_pct"], 0, sign=False), number(summary["profit_factor"]),
        number(summary["mean_r"], 2, sign=True), interval(summary["mean_r_low"], summary["mean_r_high"]),
        number(summary["pnl_r"], 1, sign=True), money(summary["closed"]["net_usd"]), "", "", "",
    )  # fmt: skip
    body = table(head, rows, total)
    points = [
        Estimate(name, row["mean_r"], row["mean_r_low"], row["mean_r_high"], f"{row['trades']} trades")
        for name, row in summary["strategies"].items()
    ]
    lead = (
        "R is a trade's net result divided by the money its plan risked, costs included. An interval that contains 0 "
        f"shows no edge; below {MIN_TRADES_TO_JUDGE} trades nothing is said."
    )
    return section("Strategies", body + "<h3>Mean R with its 95 % interval</h3>" + estimates(points), lead)


def costs(summary: Summary) -> str:
    """Return the way from gross to net, for the whole and for each strategy that traded."""
    whole = summary["closed"]
    blocks = [f"<div><h3>All strategies</h3>{waterfall(_steps(whole, summary['open_usd']))}</div>"]
    blocks += [
        f"<div><h3>{escape(name)}</h3>{waterfall(_steps(row, 0.0))}</div>"
        for name, row in summary["strategies"].items()
        if row["trades"]
    ]
    lead = (
        "Closed trades, USDT. Gross is what the prices gave; fees are the venue's, slippage is the price of the "
        "modelled market impact and latency, funding is what positions received (+) or paid (\u2212)."
    )
    return section("From gross to net", f'<div class="columns">{"".join(blocks)}</div>', lead)


def _steps(row: Mapping[str, float], open_usd: float) -> list[Part]:
    steps = [
        Part("gross", row["gross_usd"], total=True),
        Part("fees", -row["fees_usd"]),
        Part("slippage", -row["slippage_usd"]),
        Part("funding", row["funding_usd"]),
        Part("net", row["net_usd"], total=True),
    ]
    if abs(open_usd) > 0.005:
        steps += [
            Part("still open", open_usd),
            Part("change of equity", row["net_usd"] + open_usd, total=True),
        ]
    return steps


def distribution(folder: RunFolder, summary: Summary) -> str:
    """Return the distribution of R."""
    chart = histogram(
        floats(folder.table("trades"), "r"),
        low=summary["mean_r_low"],
        high=summary["mean_r_high"],
        mean=summary["mean_r"],
    )
    span = interval(summary["mean_r_low"], summary["mean_r_high"], 3)
    lead = (
        f"Closed trades by R. Solid line: the mean, {number(summary['mean_r'], 3, sign=True)} R; shaded: its 95 % "
        f"bootstrap interval {span}; dashed: 0. Best {number(summary['best_r'], 2, sign=True)}, worst "
        f"{number(summary['worst_r'], 2)} R."
    )
    return section("Distribution of results", chart, lead)


def instruments(summary: Summary) -> str:
    """Return the instruments, one a row."""
    rows = []
    for name, row in summary["instruments"].items():
        label = row["label"] or ""
        tone = "good" if label == "real" else "bad" if label == "synthetic" else "warn"
        rows.append(
            (
                escape(coin(name)),
                _chip(label, tone) if label else NOT_DEFINED,
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
        )
    head = (
        "Instrument", "Data", "Finest bars", "Bars", "Funding coverage|of settlements", "Signals", "Approved",
        "Trades", "Wins", "Mean|R", "Sum|R", "Net|USDT",
    )  # fmt: skip
    note = '<p class="foot">Funding that the data lacks is missing, not zero: such trades look cheaper or dearer than they were.</p>'
    return section("Instruments", table(head, rows) + note)


def exits(summary: Summary) -> str:
    """Return how trades ended, a strategy and an exit a row."""
    rows = [
        (
            escape(name),
            _wide(f"<code>{escape(kind)}</code><small>{escape(EXITS.get(kind, 'closed at market'))}</small>"),
            count(row["trades"]),
            percent(row["share_pct"], 0, sign=False),
            percent(row["win_rate_pct"], 0, sign=False),
            number(row["mean_r"], 2, sign=True),
            toned(row["pnl_r"], number(row["pnl_r"], 1, sign=True)),
            toned(row["net_usd"], money(row["net_usd"])),
        )
        for name, kinds in summary["exits"].items()
        for kind, row in kinds.items()
    ]
    head = ("Strategy", "Last exit", "Trades", "Share", "Wins", "Mean|R", "Sum|R", "Net|USDT")
    body = table(head, rows) if rows else '<p class="empty">no closed trades</p>'
    return section("How trades ended", body)


def refusals(summary: Summary) -> str:
    """Return why signals were not traded, in plain words."""
    ordered = sorted(summary["refused_by_reason"].items(), key=lambda item: (-item[1], item[0]))
    rows = [(name, n, REFUSALS.get(name, "")) for name, n in ordered]
    body = (
        f'<div class="columns">{shares(rows)}</div>' if rows else '<p class="empty">nothing was refused</p>'
    )
    lead = (
        f"{count(summary['refused'])} of {count(summary['signals'])} signals were not traded. The checks run in a fixed "
        "order and the first that says no is counted."
    )
    return section("Why signals were refused", body, lead)


def regimes(folder: RunFolder, summary: Summary) -> str:
    """Return the regime of each instrument over time, with the share of each."""
    facts, frame = folder.facts, folder.table("regimes")
    window = Window(facts.start_ns, facts.end_ns)
    rows = ""
    for instrument in facts.instruments:
        part = frame[frame["instrument"] == instrument.instrument]
        drawn = strip(
            part["ts_event"].tolist(), part["label"].tolist(), window, name=coin(instrument.instrument)
        )
        rows += f'<div class="strip-row"><span>{escape(coin(instrument.instrument))}</span>{drawn}</div>'
    legend = "".join(f'<li><i class="box regime-{label}"></i>{text}</li>' for label, text in REGIMES.items())
    head = ("Instrument", *(f"{text}|%" for text in REGIMES.values()))
    shares_of = [
        (
            escape(coin(name)),
            *(number(row.get(label), 0) if row.get(label) else NOT_DEFINED for label in REGIMES),
        )
        for name, row in summary["regimes"].items()
    ]
    body = f'<ul class="legend">{legend}</ul>{rows}{strip_axis(window)}{table(head, shares_of)}'
    return section(
        "Market regimes",
        body,
        "What the desk took the market for, per instrument; it decides which strategies may trade.",
    )


def months(summary: Summary) -> str:
    """Return the calendar months, one row a year."""
    by_year: dict[str, dict[int, float]] = {}
    for month, value in summary["monthly_pct"].items():
        year, _, number_of = month.partition("-")
        by_year.setdefault(year, {})[int(number_of)] = value
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    rows = []
    for year, values in by_year.items():
        cells = [
            toned(values[m], number(values[m], 1, sign=True)) if m in values else "" for m in range(1, 13)
        ]
        whole = 100.0 * (float(np.prod([1 + v / 100 for v in values.values()])) - 1.0)
        rows.append((year, *cells, toned(whole, number(whole, 1, sign=True))))
    if not rows:
        return ""
    lead = (
        f"Percent of equity; first and last may be partial. Best day {percent(summary['best_day_pct'])}, worst "
        f"{percent(summary['worst_day_pct'])}; volatility {percent(summary['volatility_pct'], 1, sign=False)} a year."
    )
    return section("Months", table(("Year", *names, "Year"), rows), lead)


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
        "Strategy",
        "Instrument",
        "Side",
        "Quantity",
        "Entry",
        "Last close",
        "Unrealised|USDT",
        "Since|UTC",
    )
    body = table(head, rows) if rows else '<p class="empty">flat: nothing is held</p>'
    return section("Open at the end", body)


def verification(report: VerifyReport) -> str:
    """Return the checker's answers."""
    rows = []
    for check in report.checks:
        mark = _chip("ok", "good") if check.ok else _chip(f"{len(check.violations):,} violations", "bad")
        rows.append((escape(check.name), mark, _wide(escape(check.detail))))
    details = ""
    for check in report.checks:
        for kind, lines in (("violations", check.violations), ("notes", check.notes)):
            if lines:
                items = "".join(f"<li>{escape(line)}</li>" for line in lines[:_SHOWN_VIOLATIONS])
                more = len(lines) - _SHOWN_VIOLATIONS
                rest = f"<li>and {more:,} more (crupto report --verify lists all)</li>" if more > 0 else ""
                state = " open" if kind == "violations" else ""
                details += f"<details{state}><summary>{escape(check.name)}: {len(lines):,} {kind}</summary><ul>{items}{rest}</ul></details>"
    lead = "Recomputed from signals, decisions, orders, fills, funding, stops and samples; the summary is not trusted."
    return section("Verification", table(("Check", "", "Looked at"), rows) + details, lead)


def run_facts(folder: RunFolder, summary: Summary) -> str:
    """Return what was run, on what, with what."""
    facts = folder.facts
    rows = [
        ("Command", f"<code>{escape(facts.command)}</code>"),
        ("Window", f"{stamp(facts.start_ns)} to {stamp(facts.end_ns)} UTC"),
        ("Ended", escape(facts.exit_reason)),
        ("Bars", f"{count(facts.bars_processed)} in {number(summary['wall_seconds'], 1)} s ({count(summary['bars_per_second'])} a second)"),
        ("Git revision", f"<code>{escape(facts.git_revision) or NOT_DEFINED}</code>"),
        ("Configuration", f"<code>{escape(facts.config_hash) or NOT_DEFINED}</code>"),
        ("Governance", f"<code>{escape(facts.governance_hash) or NOT_DEFINED}</code>"),
        ("Data fingerprint", f"<code>{escape(facts.data_fingerprint) or NOT_DEFINED}</code>"),
        ("Signals to equity", f"<code>{escape(summary['run_hash'])}</code>"),
        ("Versions", escape(", ".join(f"{k} {v}" for k, v in facts.versions.items()))),
        ("Virtual asset", escape(facts.virtual_asset) or "none"),
    ]  # fmt: skip
    body = '<dl class="facts">' + "".join(f"<dt>{a}</dt><dd>{b}</dd>" for a, b in rows) + "</dl>"
    limits = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in facts.limits.items())
    body += f'<details><summary>Limits in force (locked)</summary><dl class="facts">{limits}</dl></details>'
    changed = {k: v for k, v in facts.provenance.items() if v != "default"}
    source = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in changed.items())
    given = f'<dl class="facts">{source}</dl>' if changed else "<p>all defaults</p>"
    body += f"<details><summary>Settings that are not defaults</summary>{given}</details>"
    rules = [
        (escape(coin(i.instrument)), price(i.tick), price(i.step), price(i.min_quantity), number(i.min_notional_usd),
         number(1e4 * i.maker_fee, 1), number(1e4 * i.taker_fee, 1), _wide(escape(i.rules_source)))
        for i in facts.instruments
    ]  # fmt: skip
    head = ("Instrument", "Tick", "Step", "Minimum|coins", "Minimum|USDT", "Maker|bps", "Taker|bps", "Source")
    body += f"<details><summary>Venue rules used</summary>{table(head, rules)}</details>"
    if facts.config:
        text = escape(json.dumps(facts.config, indent=2, sort_keys=True))
        body += f"<details><summary>Configuration</summary><pre><code>{text}</code></pre></details>"
    return section("Run", body)


def known_limits(folder: RunFolder, summary: Summary) -> str:
    """Return what this run cannot show."""
    facts = folder.facts
    lines = list(facts.notes)
    labels = set(summary["data_labels"])
    if "synthetic" in labels:
        lines.append(
            "The market is synthetic: the run shows how the desk works and says nothing about profit."
        )
    if "spot-as-perp" in labels:
        lines.append(
            "Spot prices stand in for perpetuals: basis and funding of the real contract are not in them."
        )
    if facts.costs != "on":
        lines.append("Costs are off: no result of this run is comparable with a real one.")
    coverage = summary["funding_coverage_pct"]
    if coverage is None:
        lines.append(
            "No funding history was expected or known for these instruments: results leave funding out."
        )
    elif coverage < 100:
        lines.append(
            f"{percent(100 - coverage, 1, sign=False)} of the funding settlements are missing from the data."
        )
    if facts.mode == "backtest":
        lines.append(
            "Fills come from bars: the path inside a bar is assumed, and there is no queue in the order book."
        )
    lines += [
        "Slippage is a model (half spread, impact by volume, latency), not a measurement.",
        "The intervals take trades as independent; trades that overlap in time are not, so the truth is wider.",
        "Sharpe and Sortino are annualised from daily equity; over short windows they mean little.",
        "A past window promises nothing. This is no investment advice.",
    ]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return section("What this cannot show", f'<ul class="limits">{items}</ul>')
