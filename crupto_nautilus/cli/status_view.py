"""The live status of a paper run as text: a screen for a terminal, a line for a log.

Guarantees: a screen fits the terminal it is drawn for (80 x 24 and up), the most important lines first; the
colours are the terminal's own sixteen, so light and dark backgrounds both work, and nothing is said by colour
alone.
"""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crupto_nautilus.desk.status import DecisionStatus, DeskStatus, Limit, PositionStatus, ShadowStatus

_MODE_STYLE = {"ACTIVE": "bold green", "REDUCE_ONLY": "bold yellow", "HALTED": "bold red"}
_REGIME_STYLE = {"trend_up": "green", "trend_down": "red", "panic": "bold red", "unknown": "dim"}
_WARN, _FULL = 0.7, 1.0  # parts of a limit from which its bar changes colour
_STALE_S = 120.0
_FIXED_LINES = 14  # all but the rows of positions, challengers and decisions
_NARROW = 100


def screen(status: DeskStatus, width: int, height: int) -> RenderableType:
    """Return the screen for a terminal of `width` columns and `height` lines."""
    room = max(2, height - _FIXED_LINES - len(status.shadows[:3]) - bool(status.page))
    held = len(status.positions) + len(status.pending)
    positions = min(max(1, held), max(1, room // 2))
    decisions = max(1, room - positions)
    parts: list[RenderableType] = [
        _header(status, width),
        *([Text.assemble((" page ", "dim"), status.page)] if status.page else []),
        _figures(status, width),
        _state(status, width),
        _regimes(status, width),
        _positions(status, positions, width),
        *(_shadow(one) for one in status.shadows[:3]),
        _decisions(status.decisions[-decisions:], width),
        _footer(status, width),
    ]
    return Group(*parts)


def line(status: DeskStatus) -> str:
    """Return the status as one line for a log."""
    risk = next(limit for limit in status.limits if limit.name == "risk")
    words = [
        f"{moment(status.ts_event)}Z" if status.ts_event else "warming up",
        status.mode + (f" ({status.reason})" if status.reason else ""),
        f"equity {status.equity:,.2f} ({status.pnl_pct:+.2f} %)",
        *(f"{limit.name} {-limit.value:+.2f} %" for limit in status.limits if limit.name in ("day", "72 h")),
        f"risk {risk.value:.2f}/{risk.limit:.2f} %",
        f"open {len(status.positions)}",
        f"trades {status.trades} ({status.cum_r:+.2f} R)",
        f"signals {status.signals}, approved {status.approved}",
        f"feed {_age(status)}",
    ]
    if status.alarms:
        words.append(f"alarms {status.alarms}")
    words += [f"{s.name} {s.pnl_usd:+.2f} ({s.trades})" for s in status.shadows]
    return "  ".join(words)


def moment(ts_ns: int) -> str:
    """Return desk time, to the minute."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def _header(status: DeskStatus, width: int) -> RenderableType:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(" crupto paper ", style="reverse bold")
    text.append(f" {status.run_id}  ", style="bold")
    text.append(f"{status.feed}  ", style="dim")
    text.append(f"{moment(status.ts_event)} UTC" if status.ts_event else "warming up", style="bold cyan")
    if status.progress is not None and status.ts_event:
        done = min(1.0, max(0.0, status.progress))
        cells = 10 if width < _NARROW else 24
        text.append(f"  {_bar(done, cells)} {100 * done:.0f} %")
    text.append(f"  {_duration(status.wall_seconds)}", style="dim")
    return text


def _figures(status: DeskStatus, width: int) -> RenderableType:
    grid = Table.grid(padding=(0, 2), expand=False)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    unit = status.virtual_asset or "USDT"
    rate = f"{100 * status.wins / status.trades:.0f} % won" if status.trades else "none closed"
    left = [
        Text.assemble(("equity  ", "dim"), (f"{status.equity:,.2f} {unit}", "bold")),
        Text.assemble(("PnL     ", "dim"), _signed(status.pnl_usd, f"{status.pnl_usd:+,.2f}"), "  ",
                      _signed(status.pnl_pct, f"{status.pnl_pct:+.2f} %")),
        Text.assemble(("trades  ", "dim"), f"{status.trades}, {rate}, ",
                      _signed(status.cum_r, f"{status.cum_r:+.2f} R")),
        Text.assemble(("costs   ", "dim"), f"fees {status.fees_usd:,.4g}, slip {status.slippage_usd:,.4g}, "
                      f"funding {status.funding_usd:+,.4g}"),
        Text.assemble(("signals ", "dim"), f"{status.signals:,}, approved {status.approved:,}"),
    ]  # fmt: skip
    cells = 10 if width < _NARROW else 28
    for text, limit in zip(left, status.limits, strict=True):
        grid.add_row(text, _limit(limit, cells))
    return grid


def _limit(limit: Limit, cells: int) -> Text:
    style = "green" if limit.used < _WARN else "yellow" if limit.used < _FULL else "bold red"
    shown = -limit.value if limit.name in ("day", "72 h") else limit.value
    bound = -limit.limit if limit.name in ("day", "72 h") else limit.limit
    sign = "+" if limit.name in ("day", "72 h") else ""
    digits = 0 if abs(limit.limit) >= 100 else 2
    figure = f"{shown:{sign}.{digits}f}".rjust(6)
    return Text.assemble(
        (f"{limit.name:<6}", "dim"), (f"{figure} ", "bold"), (_bar(limit.used, cells), style),
        (f" of {bound:.{digits}f} %", "dim"),
    )  # fmt: skip


def _state(status: DeskStatus, width: int) -> RenderableType:
    style = _MODE_STYLE.get(status.mode, "bold")
    head = Text(no_wrap=True, overflow="ellipsis")
    head.append(f" {status.mode} ", style=f"reverse {style}")
    if status.reason:
        head.append(f" {status.reason}", style=style)
    if status.since_ns:
        head.append(f" since {moment(status.since_ns)[5:]}", style="dim")
    if status.safe_mode:
        head.append("  safe mode: correlation lowers the cap", style="yellow")
    happens = Text(f"  {status.happens}", no_wrap=True, overflow="ellipsis")
    why = Text(f"  {status.detail}", no_wrap=True, overflow="ellipsis", style="dim")
    return Group(Text(), head, happens, why)


def _regimes(status: DeskStatus, width: int) -> RenderableType:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("regimes ", style="dim")
    for name, label in status.regimes:
        text.append(f"{_coin(name)} ", style="bold")
        text.append(f"{label}  ", style=_REGIME_STYLE.get(label, ""))
    return text


def _positions(status: DeskStatus, rows: int, width: int) -> RenderableType:
    table = _table()
    wide = width >= _NARROW
    for name, justify in (
        ("open position", "left"), ("side", "left"), ("quantity", "right"), ("entry", "right"),
        ("mark", "right"), ("stop", "right"), ("PnL", "right"), ("R", "right"),
    ):  # fmt: skip
        if name != "quantity" or wide:
            table.add_column(name, justify="left" if justify == "left" else "right", no_wrap=True)
    for position in status.positions[:rows]:
        table.add_row(*_position(position, wide))
    for strategy, instrument, side in status.pending[: max(0, rows - len(status.positions))]:
        cells = ["", *(["-"] * (6 if wide else 5))]
        table.add_row(f"{_coin(instrument)} {strategy}", f"{_side(side).plain} pending", *cells[1:])
    more = len(status.positions) + len(status.pending) - rows
    if not status.positions and not status.pending:
        table.add_row(Text("none", style="dim"))
    if more <= 0:
        return table
    return Group(table, Text(f"  and {more} more", style="dim"))


def _position(position: PositionStatus, wide: bool) -> list[RenderableType]:
    r = "-" if position.r is None else f"{position.r:+.2f}"
    stop = Text(f"{position.stop:g}" if position.stop else "-")
    if not position.stop_works:
        stop = Text(f"{stop.plain} !", style="bold red")
    cells: list[RenderableType] = [
        Text(f"{_coin(position.instrument)} {position.strategy}"),
        _side(position.side),
        Text(f"{position.entry_price:.6g}"),
        Text(f"{position.mark:.6g}"),
        stop,
        _signed(position.unrealised_usd, f"{position.unrealised_usd:+.2f}"),
        _signed(position.r or 0.0, r),
    ]
    if wide:
        cells.insert(2, Text(f"{position.quantity:g}"))
    return cells


def _decisions(decisions: tuple[DecisionStatus, ...], width: int) -> RenderableType:
    table = _table()
    table.add_column("last decisions", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("answer", no_wrap=True)
    table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in reversed(decisions):
        answer = Text("approved", style="green") if row.approved else Text(row.reason, style="yellow")
        what = f"{_coin(row.instrument)} {row.strategy}"
        table.add_row(
            Text(moment(row.ts_event)[5:], style="dim"),
            Text.assemble(_arrow(row.side), " ", what),
            answer,
            Text(row.detail.replace("\n", " "), style="dim"),
        )
    if not decisions:
        table.add_row(Text("none yet", style="dim"), "", "", "")
    return table


def _shadow(shadow: ShadowStatus) -> RenderableType:
    return Text.assemble(
        ("shadow  ", "dim"), (shadow.name, "bold"), "  ", _signed(shadow.pnl_usd, f"{shadow.pnl_usd:+,.2f}"),
        f"  {shadow.trades} trades  {shadow.state}", no_wrap=True, overflow="ellipsis",
    )  # fmt: skip


def _footer(status: DeskStatus, width: int) -> RenderableType:
    text = Text(no_wrap=True, overflow="ellipsis", style="dim")
    stale = status.feed_age_s is not None and status.feed_age_s > _STALE_S
    text.append(f"feed {_age(status)}", style="bold red" if stale else "")
    text.append(f"  {status.instants:,} instants  {status.bars:,} bars")
    if status.alarms:
        text.append(f"  {status.alarms} alarms, last {status.last_alarm}", style="bold red")
    else:
        text.append("  no alarms  Ctrl-C ends the run cleanly")
    return text


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True, show_edge=False)


def _age(status: DeskStatus) -> str:
    return "waiting" if status.feed_age_s is None else f"{status.feed_age_s:.1f} s"


def _bar(part: float, cells: int) -> str:
    filled = min(cells, round(min(part, 1.0) * cells))
    return "━" * filled + "╌" * (cells - filled)


def _coin(instrument: str) -> str:
    name = instrument.partition(".")[0].removesuffix("-PERP")
    return name.removesuffix("-USDT").removesuffix("USDT") or name


def _side(side: int) -> Text:
    return Text("long", style="green") if side > 0 else Text("short", style="red")


def _arrow(side: int) -> Text:
    return Text("▲", style="green") if side > 0 else Text("▼", style="red")


def _signed(value: float, text: str) -> Text:
    return Text(text, style="green" if value > 0 else "red" if value < 0 else "")


def _duration(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
