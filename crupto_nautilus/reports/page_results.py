"""The results in report.html: verdict, key figures, curves, strategies, costs, distribution, months."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from crupto_nautilus.reports.bars import Estimate, Part, estimates, waterfall
from crupto_nautilus.reports.benchmark import Benchmark
from crupto_nautilus.reports.charts import Band, Line, Window, histogram, time_chart
from crupto_nautilus.reports.figures import MIN_TRADES_TO_JUDGE, drawdown_pct
from crupto_nautilus.reports.ledger import rows_of
from crupto_nautilus.reports.metrics import floats, ints
from crupto_nautilus.reports.page_parts import label_tone, section, table, toned
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import VerifyReport
from crupto_nautilus.reports.words import (
    LABELS,
    challenger_name,
    coin,
    count,
    interval,
    money,
    number,
    percent,
    stamp,
)

Summary = Mapping[str, Any]
_APART = 3.0


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
    window = f"{stamp(facts.start_ns, minutes=False)} to {stamp(facts.end_ns, minutes=False)} UTC"
    return (
        f"<header><h1>{escape(facts.run_id)} \u00b7 {escape(facts.mode)} \u00b7 {window}</h1>"
        f'<p class="verdict {verdict["tone"]}">{escape(text[:1].upper() + text[1:])}.</p>'
        f'<p class="result">{result}</p><ul class="badges">{_badges(folder, summary, report)}</ul></header>'
    )


def _badges(folder: RunFolder, summary: Summary, report: VerifyReport) -> str:
    badges = [(label_tone(label), LABELS.get(label, label)) for label in summary["data_labels"]]
    checks, passed = len(report.checks), sum(check.ok for check in report.checks)
    if report.ok:
        badges.append(("good", f"books verified: {passed} of {checks} checks passed"))
    else:
        badges.append(("bad", f"verification FAILED: {checks - passed} of {checks} checks"))
    badges.append(("", "costs on") if folder.facts.costs == "on" else ("bad", "costs OFF: not comparable"))
    coverage = summary["funding_coverage_pct"]
    if coverage is not None:
        known = f"funding coverage {percent(coverage, 1, sign=False)}" if coverage else "no funding data"
        badges.append(("good" if coverage >= 99 else "warn", known))
    taken = len(summary["liquidations"])
    if taken:
        badges.append(("bad", f"{taken} position{'s' if taken > 1 else ''} liquidated"))
    if folder.facts.virtual_asset:
        badges.append(("", f"virtual: {folder.facts.virtual_asset}, percentages of virtual equity"))
    badges.append(("", f"{folder.facts.mode}, paper money"))
    return "".join(f'<li class="{tone}">{escape(text)}</li>' for tone, text in badges)


def tiles(summary: Summary) -> str:
    """Return the key figures."""
    paid = summary["fees_usd"] + summary["slippage_usd"]
    span = interval(summary["mean_r_low"], summary["mean_r_high"], 2)
    wins = percent(summary["win_rate_pct"], 0, sign=False)
    answers = f"{count(summary['approved'])} approved, {count(summary['refused'])} refused"
    streak = f"{count(summary['longest_losing_streak'])} losses in a row at most"
    sharpes = f"{number(summary['sharpe'])} / {number(summary['sortino'])}"
    win_loss = f"{number(summary['avg_win_r'])} / {number(summary['avg_loss_r'])}"
    in_market = percent(summary["exposure_pct"], 0, sign=False)
    rows = (
        (
            "Result, USDT",
            toned(summary["pnl_usd"], money(summary["pnl_usd"])),
            f"{percent(summary['pnl_pct'])} of equity",
        ),
        ("Mean R of a trade", number(summary["mean_r"], 2, sign=True), f"95 % interval {span}"),
        (
            "Largest drawdown",
            percent(summary["max_drawdown_pct"]),
            f"longest {number(summary['longest_drawdown_days'], 0)} days",
        ),
        ("Sharpe / Sortino", sharpes, "of daily equity, a year of 365"),
        ("Profit factor", number(summary["profit_factor"]), f"{wins} of trades win"),
        ("Average win / loss, R", win_loss, streak),
        ("Fees and slippage, USDT", number(paid), f"on {number(summary['turnover_usd'], 0)} USDT traded"),
        ("Funding, USDT", money(summary["funding_usd"]), "received +, paid \u2212"),
        ("Signals", count(summary["signals"]), answers),
        ("Time in the market", in_market, f"{count(summary['trades'])} closed trades"),
    )
    body = "".join(f"<div><dt>{a}</dt><dd>{b}<small>{c}</small></dd></div>" for a, b, c in rows)
    return f'<dl class="tiles">{body}</dl>'


def curves(folder: RunFolder, summary: Summary, hold: Benchmark | None) -> str:
    """Return equity beside buy-and-hold, with the desk's locks, and the drawdown below."""
    facts, frame = folder.facts, folder.table("equity")
    window = Window(facts.start_ns, facts.end_ns)
    ts = np.concatenate(([facts.start_ns], ints(frame, "ts_event")))
    values = np.concatenate(([facts.capital], floats(frame, "equity") - facts.unused_equity))
    desk = Line(ts, values, "desk")
    beside = [] if hold is None else [Line(hold.ts, hold.equity, "hold")]
    # A benchmark that moved far more than the desk would flatten the curve of the desk: a chart of its own.
    apart = hold is not None and float(np.ptp(hold.equity)) > _APART * max(float(np.ptp(values)), 1e-9)
    bands = _lock_bands(folder)
    label, base = "equity in USDT over time", facts.capital
    shown = [desk] if apart else [*beside, desk]
    equity = time_chart(shown, window, height=300, label=label, bands=bands, baseline=base)
    if apart:
        equity += "<h3>Beside buy-and-hold</h3>" + time_chart(
            [*beside, desk], window, height=150, label=f"{label}, beside buy-and-hold", baseline=base
        )
    drawdown = time_chart(
        [Line(ts, drawdown_pct(values), "bad")],
        window,
        height=120,
        label="drawdown in percent over time",
        unit="\u00a0%",
        baseline=0.0,
        fill=True,
    )
    return section(
        "Equity",
        _legend(bands, with_hold=hold is not None)
        + equity
        + "<h3>Drawdown from the last high</h3>"
        + drawdown
        + _hold_note(summary),
    )


def _legend(bands: list[Band], *, with_hold: bool) -> str:
    shown = {band.style for band in bands}
    items = [
        ("desk", "desk equity, USDT"),
        *([("hold dash", "buy-and-hold, equal weights at 1x")] if with_hold else []),
        ("start", "not trading"),
        *([("box locked", "daily lock")] if "locked" in shown else []),
        *([("box halted", "halted")] if "halted" in shown else []),
    ]
    return '<ul class="legend">' + "".join(f'<li><i class="{a}"></i>{b}</li>' for a, b in items) + "</ul>"


def _hold_note(summary: Summary) -> str:
    hold = summary["benchmark"]["buy_and_hold"]
    if hold is None:
        return '<p class="foot">No benchmark prices were recorded.</p>'
    known = hold["funding_usd"] is not None
    funding = f"funding {money(hold['funding_usd'])} USDT" if known else "funding not known"
    missing = ", ".join(coin(name) for name in hold["without_funding"])
    lacking = f" (not known for {escape(missing)})" if missing and known else ""
    return (
        f'<p class="foot">Buy-and-hold of {len(hold["instruments"])} instruments: '
        f"{percent(hold['pnl_pct'])}, largest drawdown {percent(hold['max_drawdown_pct'])}, "
        f"Sharpe {number(hold['sharpe'])}, fees {number(hold['fees_usd'])} USDT, {funding}{lacking}. "
        "Its prices are sampled, at most daily.</p>"
    )


def _lock_bands(folder: RunFolder) -> list[Band]:
    bands: list[Band] = []
    rows = rows_of(folder.table("states"))
    ends = [*(row.ts_event for row in rows[1:]), folder.facts.end_ns]
    for row, end in zip(rows, ends, strict=False):  # without a state there is one end too many
        if row.mode != "ACTIVE":
            style = "halted" if row.mode == "HALTED" else "locked"
            bands.append(Band(row.ts_event, end, style, f"{row.reason or row.mode}: {row.detail}"))
    return bands


def challengers(summary: Summary) -> str:
    """Return what the challengers in shadow did, each with a book of its own; nothing if there were none."""
    found = summary.get("challengers") or {}
    if not found:
        return ""
    rows = [
        (escape(challenger_name(name, row)), escape(row["strategy"]), count(row["signals"]),
         count(row["approved"]), count(row["trades"]), percent(row["win_rate_pct"], 0, sign=False),
         number(row["mean_r"], 2, sign=True), interval(row["mean_r_low"], row["mean_r_high"]),
         toned(row["pnl_usd"], money(row["pnl_usd"])),
         percent(row["pnl_pct"]), percent(row["max_drawdown_pct"], 1), escape(row["verdict"]["text"]))
        for name, row in found.items()
    ]  # fmt: skip
    head = (
        "<Challenger", "<Strategy", "Signals", "Approved", "Trades", "Wins", "Mean|R",
        "95 % interval|of mean R", "Net|USDT", "Net|of equity", "Drawdown|of equity", "<Verdict",
    )  # fmt: skip
    lead = (
        "They passed the whole chain beside the desk, each with the desk's starting equity in a book of its "
        "own. No order was sent, no risk reserved, and no decision above depends on them."
    )
    return section("Challengers in shadow", table(head, rows), lead)


def strategies(summary: Summary) -> str:
    """Return the strategies, one a row, and what may be said about each."""
    rows = [
        (escape(name), *_figures(row), toned(row["net_usd"], money(row["net_usd"])),
         percent(row["max_drawdown_pct"], 1), percent(row["exposure_pct"], 0, sign=False))
        for name, row in summary["strategies"].items()
    ]  # fmt: skip
    head = (
        "<Strategy", "Signals", "Approved", "Trades", "Wins", "Profit|factor", "Mean|R",
        "95 % interval|of mean R", "Sum|R", "Net|USDT", "Drawdown|of equity", "In the|market",
    )  # fmt: skip
    net = summary["closed"]["net_usd"]
    total = ("closed trades", *_figures(summary), toned(net, money(net)), "", "")
    points = [
        Estimate(
            name,
            row["mean_r"],
            row["mean_r_low"],
            row["mean_r_high"],
            row["verdict"]["text"],
        )
        for name, row in summary["strategies"].items()
    ]
    lead = (
        "R is a trade's net result divided by the money its plan risked, costs included. An interval that "
        f"contains 0 shows no edge; below {MIN_TRADES_TO_JUDGE} trades nothing is said."
    )
    body = table(head, rows, total) + "<h3>Mean R with its 95 % interval</h3>" + estimates(points)
    return section("Strategies", body, lead)


def _figures(row: Summary) -> tuple[str, ...]:
    return (
        count(row["signals"]),
        count(row["approved"]),
        count(row["trades"]),
        percent(row["win_rate_pct"], 0, sign=False),
        number(row["profit_factor"]),
        number(row["mean_r"], 2, sign=True),
        interval(row["mean_r_low"], row["mean_r_high"]),
        toned(row["pnl_r"], number(row["pnl_r"], 1, sign=True)),
    )


def costs(summary: Summary) -> str:
    """Return the way from gross to net, for the whole and for each strategy that traded."""
    blocks = [("All strategies", _steps(summary["closed"], summary["open_usd"]))]
    blocks += [(name, _steps(row, 0.0)) for name, row in summary["strategies"].items() if row["trades"]]
    body = "".join(f"<div><h3>{escape(name)}</h3>{waterfall(steps)}</div>" for name, steps in blocks)
    lead = (
        "Closed trades, USDT. Gross is what the prices gave; fees are the venue's; slippage is the price put "
        "on spread, market impact and latency; funding is what positions received (+) or paid (\u2212); the "
        "venue bears what a liquidated position lost beyond its margin."
    )
    return section("From gross to net", f'<div class="columns">{body}</div>', lead)


def _steps(row: Mapping[str, float], open_usd: float) -> list[Part]:
    steps = [
        Part("gross", row["gross_usd"], total=True),
        Part("fees", -row["fees_usd"]),
        Part("slippage", -row["slippage_usd"]),
        Part("funding", row["funding_usd"]),
        *([Part("borne by venue", row["liquidation_usd"])] if row["liquidation_usd"] else []),
        Part("net", row["net_usd"], total=True),
    ]
    if abs(open_usd) > 0.005:
        steps += [Part("still open", open_usd), Part("equity", row["net_usd"] + open_usd, total=True)]
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
        f"Number of closed trades by R. Solid line: the mean, {number(summary['mean_r'], 3, sign=True)} R; "
        f"shaded: its 95 % bootstrap interval {span}. Best {number(summary['best_r'], 2, sign=True)} R, "
        f"worst {number(summary['worst_r'], 2)} R."
    )
    return section("Distribution of results", chart, lead)


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
        f"Percent; first and last may be partial. Best day {percent(summary['best_day_pct'])}, worst "
        f"{percent(summary['worst_day_pct'])}; volatility "
        f"{percent(summary['volatility_pct'], 1, sign=False)} a year."
    )
    return section("Months", table(("Year", *names, "Year"), rows), lead)
