"""Two records of the same desk compared row by row, and each difference put into words.

Guarantees: rows are matched by moment, trace and kind, so one row too many does not make all later ones
differ; every column counts to the last bit but the venue's own time stamp of a fill (wall time in a live
node) and the number of the row; a difference belongs to exactly one class, and one that no rule explains is
counted as unexplained, never as explained by default.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

# In the order of cause and effect within one moment.
TABLES = (
    *("regimes", "signals", "decisions", "orders", "fills", "entries", "trades"),
    *("states", "funding", "protections"),
)
NOT_COMPARED = frozenset({"seq", "ts_venue"})
_KEYS: Mapping[str, tuple[str, ...]] = {
    "regimes": ("ts_event", "instrument"),
    "signals": ("ts_event", "trace_id"),
    "decisions": ("ts_event", "trace_id"),
    "orders": ("ts_event", "client_order_id", "action"),
    "fills": ("ts_event", "trace_id", "role"),
    "entries": ("ts_event", "trace_id"),
    "trades": ("ts_event", "trace_id"),
    "states": ("ts_event", "mode"),
    "funding": ("ts_event", "trace_id"),
    "protections": ("ts_event", "trace_id"),
}
_WARMUP_NS = 2 * 3_600_000_000_000  # a rule that was not warm at the start shows it in its first bars

Row = Mapping[str, Any]
Frames = Mapping[str, pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not the same: `ours` is the run's, `theirs` the backtest's; None: there is none."""

    table: str
    ts_event: int
    columns: tuple[str, ...]
    ours: Row | None
    theirs: Row | None

    @property
    def trace_id(self) -> str:
        """The trace the row belongs to."""
        return str((self.ours or self.theirs or {}).get("trace_id", ""))

    @property
    def text(self) -> str:
        """The row in words."""
        where = f"{self.table} {self.trace_id}".strip()
        if self.theirs is None:
            return f"{where}: only the run has {_short(self.ours)}"
        if self.ours is None:
            return f"{where}: only the backtest has {_short(self.theirs)}"
        parts = [
            f"{name} {self.ours[name]} in the run, {self.theirs[name]} in the backtest"
            for name in self.columns
        ]
        return f"{where}: " + "; ".join(parts[:3]) + (" ..." if len(parts) > 3 else "")


@dataclass(frozen=True, slots=True)
class Finding:
    """All differences of one class: how many, the first one, what it means and what to look at."""

    kind: str  # data warm-up signal risk-state venue restart unexplained
    count: int
    first: Difference
    meaning: str
    look_at: str


@dataclass(frozen=True, slots=True)
class TableParity:
    """How one table compares."""

    table: str
    rows: int
    rows_backtest: int
    equal: int
    cut: int  # rows that only the backtest has because the run was interrupted at their moment

    @property
    def same(self) -> bool:
        """Whether every row is equal and none is missing."""
        return self.rows == self.equal and self.rows_backtest == self.equal + self.cut


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the classes need to know of a run beside its rows."""

    run_id: str
    start_ns: int
    data_same: bool = True
    interrupted_ns: int | None = None  # the last moment of a run that did not end by itself
    resumed_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparison of a whole run."""

    run_id: str
    tables: tuple[TableParity, ...]
    findings: tuple[Finding, ...]
    circumstances: Circumstances

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.findings

    @property
    def unexplained(self) -> int:
        """Differences that no class explains."""
        return sum(found.count for found in self.findings if found.kind == "unexplained")

    @property
    def cause(self) -> str:
        """Class of the first difference in time; empty if there is none."""
        return self.findings[0].kind if self.findings else ""


def compare(run: Frames, backtest: Frames, circumstances: Circumstances) -> Parity:
    """Compare the tables of a run with those of the backtest of its data."""
    tables, differences = [], []
    for name in TABLES:
        result, found = _compare_table(name, run[name], backtest[name], circumstances)
        tables.append(result)
        differences += found
    order = {name: position for position, name in enumerate(TABLES)}
    differences.sort(key=lambda one: (one.ts_event, order[one.table]))
    return Parity(
        circumstances.run_id, tuple(tables), tuple(_findings(differences, circumstances)), circumstances
    )


def _compare_table(
    name: str, run: pd.DataFrame, backtest: pd.DataFrame, circumstances: Circumstances
) -> tuple[TableParity, list[Difference]]:
    columns = [column for column in run.columns if column not in NOT_COMPARED]
    ours, theirs = _keyed(name, run, columns), _keyed(name, backtest, columns)
    equal, cut, found = 0, 0, []
    for key, row in ours.items():
        other = theirs.get(key)
        if other is None:
            found.append(Difference(name, int(row["ts_event"]), (), row, None))
            continue
        odd = tuple(column for column in columns if row[column] != other[column])
        if odd:
            found.append(Difference(name, int(row["ts_event"]), odd, row, other))
        else:
            equal += 1
    for key, other in theirs.items():
        if key in ours:
            continue
        if other["ts_event"] == circumstances.interrupted_ns:
            cut += 1  # the run was stopped before this was carried out
        else:
            found.append(Difference(name, int(other["ts_event"]), (), None, other))
    return TableParity(name, len(run), len(backtest), equal, cut), found


def _keyed(name: str, frame: pd.DataFrame, columns: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the rows by key and, where a key repeats, by their order."""
    plain = frame[list(columns)].astype(object)
    plain = plain.where(plain.notna(), None)  # NaN would differ from itself
    seen: Counter[tuple[Any, ...]] = Counter()
    rows = {}
    for row in plain.to_dict("records"):
        key = tuple(row[column] for column in _KEYS[name])
        seen[key] += 1
        rows[*key, seen[key]] = {str(column): value for column, value in row.items()}
    return rows


# --- classes ----------------------------------------------------------------------------------------------


def _findings(differences: Iterable[Difference], circumstances: Circumstances) -> Iterator[Finding]:
    """Yield a finding a class, in the order of the first difference of each."""
    classes: dict[str, list[Difference]] = {}
    known = _Known()
    for one in differences:
        classes.setdefault(_class_of(one, circumstances, known), []).append(one)
        known.add(one)
    for kind, found in classes.items():
        meaning, look_at = _words(kind, found[0], circumstances)
        yield Finding(kind, len(found), found[0], meaning, look_at)


class _Known:
    """What has differed so far: later rows of the same trace follow from it."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.traces: set[str] = set()
        self.any = False

    def add(self, one: Difference) -> None:
        self.any = True
        self.tables.add(one.table)
        self.traces.add(one.trace_id)


def _class_of(one: Difference, circumstances: Circumstances, known: _Known) -> str:
    if not circumstances.data_same and one.table in ("regimes", "signals", "funding"):
        return "data"
    before = [ts for ts in circumstances.resumed_ns if ts <= one.ts_event]
    if before and not known.any:
        return "restart"
    if one.table == "regimes":
        return "warm-up" if _early(one, circumstances) or set(one.columns) == {"features"} else "signal"
    if one.table == "signals":
        return _class_of_signal(one, circumstances)
    if one.table in ("decisions", "states"):
        if one.table == "decisions" and (one.ours is None or one.theirs is None):
            return "signal"
        return "risk-state"
    if one.table in ("orders", "fills", "entries", "trades", "protections", "funding"):
        if known.tables & {"decisions", "signals", "states"} and not _venue_alone(one, known):
            return "risk-state" if "signals" not in known.tables else "signal"
        return "venue"
    return "unexplained"


def _class_of_signal(one: Difference, circumstances: Circumstances) -> str:
    if _early(one, circumstances):
        return "warm-up"
    if "reference_price" in one.columns:
        return "data"
    if one.columns and set(one.columns) <= {"indicators", "confidence", "atr", "stop_distance", "stop_price"}:
        return "warm-up"  # the same bar, other memory: the windows began elsewhere
    return "signal"


def _early(one: Difference, circumstances: Circumstances) -> bool:
    return one.ts_event <= circumstances.start_ns + _WARMUP_NS


def _venue_alone(one: Difference, known: _Known) -> bool:
    """Whether the row's own trace had the same signal and decision on both sides."""
    return bool(one.trace_id) and one.trace_id not in known.traces and "states" not in known.tables


_MEANING = {
    "data": "the two saw other data: a bar, a settlement or a reference price is not the same",
    "warm-up": "a rule or regime had another memory: its windows were filled from another first bar",
    "signal": "the same data gave another signal: a rule depends on something that is not in the record",
    "risk-state": "the same signal met another desk: books, limits, cooldowns or desk state differed",
    "venue": "the same order was answered or filled differently by the venue",
    "restart": "the first difference lies behind a restart: something was not restored as it was",
    "unexplained": "no rule explains it: please report the run folder",
}


def _words(kind: str, first: Difference, circumstances: Circumstances) -> tuple[str, str]:
    why = f"crupto why {circumstances.run_id}"
    if first.trace_id and first.table not in ("regimes", "states"):
        why += f" --trace {first.trace_id}"
    look = {
        "data": "crupto catalog check --catalog DIR; the manifest of the catalog says what was added since",
        "warm-up": "the bars before the start (crupto catalog info --catalog DIR), the windows of the rule",
        "signal": f"{why}; crupto signals STRATEGY --catalog DIR --symbol S",
        "risk-state": f"{why}: compare equity, open risk and desk state with the rows before it",
        "venue": f"{why}; the order and fill rows of this trace, and the bar of that moment",
        "restart": f"{why}; alarms of kind `resumed` in alarms.parquet, and crupto state show",
    }
    return _MEANING[kind], look.get(kind, why)


def _short(row: Row | None) -> str:
    if row is None:
        return "nothing"
    shown = ("action", "role", "label", "mode", "approved", "reason", "side", "quantity", "price", "detail")
    parts = [f"{name} {row[name]}" for name in shown if row.get(name) not in (None, "")]
    return ", ".join(parts[:5]) or "a row"
