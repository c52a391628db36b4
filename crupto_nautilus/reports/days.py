"""A page a day for long runs: `days/YYYY-MM-DD.html` with the day's money, trades, decisions and events.

Guarantees: written for paper runs of more than two days of desk time; pages link to each other and to the
report; days on which nothing happened have a page, too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pandas as pd

from crupto_nautilus.reports.charts import Line, Window, time_chart
from crupto_nautilus.reports.page_parts import chip, empty, section, table, toned
from crupto_nautilus.reports.run_folder import RunFolder, write_text
from crupto_nautilus.reports.words import REFUSALS, coin, count, money, number, percent, price, stamp
from risk.vocabulary import DAY_NS, side_name

FOLDER = "days"
MIN_DAYS = 2.0
MAX_DAYS = 400
_SHOWN = 60
_EVENTS = (("states", "mode", "reason", "detail"), ("alarms", "kind", "subject", "detail"))


def wants_days(folder: RunFolder) -> bool:
    """Tell whether a run is one for which pages a day are written."""
    facts = folder.facts
    days = (facts.end_ns - facts.start_ns) / DAY_NS
    return facts.mode != "backtest" and MIN_DAYS < days <= MAX_DAYS


def write_days(folder: RunFolder) -> list[Path]:
    """Write a page for each day of the run and return their paths."""
    facts = folder.facts
    days = list(range(facts.start_ns // DAY_NS, (facts.end_ns - 1) // DAY_NS + 1))
    (folder.path / FOLDER).mkdir(exist_ok=True)
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    return [
        write_text(folder.path / FOLDER / f"{_name(day)}.html", _page(folder, day, days, style))
        for day in days
    ]


def links(folder: RunFolder) -> str:
    """Return the section of report.html that leads to the days."""
    if not wants_days(folder):
        return ""
    facts = folder.facts
    days = range(facts.start_ns // DAY_NS, (facts.end_ns - 1) // DAY_NS + 1)
    equity = folder.table("equity")
    rows = []
    for day in days:
        part = _of(equity, day)
        trades = _of(folder.table("trades"), day)
        change = float(part["equity"].iloc[-1] - part["equity"].iloc[0]) if len(part) else 0.0
        decided = _of(folder.table("decisions"), day)
        rows.append(
            (
                f'<a href="{FOLDER}/{_name(day)}.html">{_name(day)}</a>',
                toned(change, money(change)),
                percent(float(part["drawdown_72h_pct"].min()) if len(part) else None),
                count(len(decided)),
                count(int(decided["approved"].sum())),
                count(len(trades)),
                toned(float(trades["net_usd"].sum()), money(float(trades["net_usd"].sum()))),
            )
        )
    head = ("<Day", "Equity|USDT", "Deepest|drawdown", "Signals", "Approved", "Trades", "Net of trades|USDT")
    return section("Day by day", table(head, rows))


def _page(folder: RunFolder, day: int, days: list[int], style: str) -> str:
    name = _name(day)
    around = [
        f'<a href="{_name(other)}.html">{arrow} {_name(other)}</a>'
        for other, arrow in ((day - 1, "←"), (day + 1, "→"))
        if other in (days[0], days[-1]) or days[0] < other < days[-1]
    ]
    body = "".join((_money(folder, day), _trades(folder, day), _decisions(folder, day), _events(folder, day)))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(folder.run_id)}: {name}</title><style>{style}</style></head><body><main>"
        f'<h1><a href="../report.html">{escape(folder.run_id)}</a> {" ".join(around)}</h1>'
        f'<p class="verdict">{name}</p>{body}'
        "<footer>Times are UTC, money is USDT.</footer></main></body></html>\n"
    )


def _money(folder: RunFolder, day: int) -> str:
    part = _of(folder.table("equity"), day)
    if len(part) < 2:
        return section("Money", empty("no samples of the books on this day"))
    window = Window(max(day * DAY_NS, folder.facts.start_ns), min((day + 1) * DAY_NS, folder.facts.end_ns))
    ts, equity = part["ts_event"].to_numpy(), part["equity"].to_numpy()
    drawn = time_chart([Line(ts, equity, "desk")], window, height=180, label="equity of the day, USDT")
    first, last = float(equity[0]), float(equity[-1])
    lead = (
        f"Equity {number(first)} to {number(last)} USDT, {percent(100 * (last / first - 1))}; deepest 72 h "
        f"drawdown {percent(float(part['drawdown_72h_pct'].min()))}; largest open risk "
        f"{percent(float(part['open_risk_pct'].max()), sign=False)}."
    )
    return section("Money", drawn, lead)


def _trades(folder: RunFolder, day: int) -> str:
    rows = [
        (
            stamp(int(row["ts_event"])),
            escape(str(row["strategy"])),
            f"{escape(coin(str(row['instrument'])))} {side_name(int(row['side']))}",
            price(row["entry_price"]),
            price(row["exit_price"]),
            escape(str(row["exit_reason"])),
            toned(row["r"], number(row["r"], 2, sign=True)),
            toned(row["net_usd"], money(row["net_usd"])),
        )
        for row in _of(folder.table("trades"), day).to_dict("records")
    ]
    head = ("<Closed", "<Strategy", "<Position", "Entry", "Exit", "<Exit by", "R", "Net|USDT")
    return section("Trades", table(head, rows) if rows else empty("no trade was closed"))


def _decisions(folder: RunFolder, day: int) -> str:
    part = _of(folder.table("decisions"), day)
    refused = part[~part["approved"]]["reason"].value_counts()
    counted = ", ".join(f"{reason} {n}" for reason, n in refused.items()) or "none"
    rows = [
        (
            stamp(int(row["ts_event"])),
            escape(str(row["strategy"])),
            f"{escape(coin(str(row['instrument'])))} {side_name(int(row['side']))}",
            chip("approved", "good") if row["approved"] else chip(str(row["reason"]), "warn"),
            escape(str(row["detail"]) or REFUSALS.get(str(row["reason"]), "")),
        )
        for row in part.head(_SHOWN).to_dict("records")
    ]
    more = f'<p class="foot">and {len(part) - _SHOWN} more: crupto why RUN</p>' if len(part) > _SHOWN else ""
    head = ("<Time", "<Strategy", "<Wish", "<Answer", "<Detail")
    approved = count(int(part["approved"].sum()))
    lead = f"{count(len(part))} signals, {approved} approved. Refused: {escape(counted)}."
    return section("Decisions", (table(head, rows) if rows else empty("no signal")) + more, lead)


def _events(folder: RunFolder, day: int) -> str:
    rows: list[tuple[int, str, str, str]] = []
    for name, first, second, third in _EVENTS:
        for row in _of(folder.table(name), day).to_dict("records"):
            rows.append((int(row["ts_event"]), str(row[first]), str(row[second]), str(row[third])))
    for row in _of(folder.table("regimes"), day).to_dict("records"):
        rows.append((int(row["ts_event"]), "regime", coin(str(row["instrument"])), str(row["label"])))
    shown = [(stamp(ts), escape(a), escape(b), escape(c)) for ts, a, b, c in sorted(rows)]
    return section("Events", table(("<Time", "<What", "<Of", "<Detail"), shown) if shown else empty("none"))


def _of(frame: pd.DataFrame, day: int) -> pd.DataFrame:
    return frame[(frame["ts_event"] >= day * DAY_NS) & (frame["ts_event"] < (day + 1) * DAY_NS)]


def _name(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_NS // 10**9, UTC).strftime("%Y-%m-%d")
