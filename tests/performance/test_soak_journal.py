"""A journal of ten million decisions: page queries, archive and prune beside a run (`make soak`).

Six tenths belong to a run that is archived by day, four to one that is copied and pruned; a third run goes on
writing and its page goes on asking all the while.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sqlite3
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crupto_nautilus.journal import Journal, JournalWriter
from crupto_nautilus.journal.maintenance import archive, prune
from crupto_nautilus.journal.queries import newest_decisions
from crupto_nautilus.journal.retention import archive_rows, archived_rows
from dashboards.source import DecisionQuery
from risk.vocabulary import DAY_NS, MINUTE_NS, RefusalReason
from tests.fakes.messages import refused

ROWS = int(os.environ.get("CRUPTO_SOAK_ROWS", "10000000"))
NOW = 2_000_000_000_000_000_000
STEP_NS = MINUTE_NS // 20
MAX_QUERY_S = 0.1
MAX_GROWTH_BYTES = 400_000_000
STRATEGIES = ("breakout_4h", "volatility_expansion_15m", "range_reversion_5m", "funding_reversion")

pytestmark = pytest.mark.soak


def fill(path: Path, runs: dict[str, int], start_ns: int) -> None:
    """Write decisions by SQL: twenty instruments, four strategies, every reason; indexes at the end."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-200000"):
        connection.execute(f"PRAGMA {pragma}")
    of_table = "FROM sqlite_master WHERE tbl_name = 'decisions' AND type = 'index' AND sql IS NOT NULL"
    indexes = connection.execute(f"SELECT name, sql {of_table}").fetchall()
    assert len(indexes) >= 5
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    for table, words in (("strategy", STRATEGIES), ("reason", ("", *(r.value for r in RefusalReason)))):
        connection.execute(f"CREATE TEMP TABLE {table}_of (k INTEGER PRIMARY KEY, word TEXT)")
        connection.executemany(f"INSERT INTO {table}_of VALUES (?, ?)", enumerate(words))
    insert = (
        "INSERT INTO decisions (run_id, ts_event, trace_id, strategy, instrument, side, approved, reason,"
        " detail, entry_style, children, clamps)"
        " WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :rows)"
        " SELECT :run_id, :start + n * :step, s.word || '/COIN' || n % 20 || '/' || (:start + n * :step),"
        " s.word, 'COIN' || n % 20 || 'USDT-PERP.BINANCE', 1, r.word = '', r.word, 'numbers behind it',"
        " 'market', '[]', ''"
        " FROM number CROSS JOIN strategy_of s ON s.k = n % 4"
        " CROSS JOIN reason_of r ON r.k = n * 7 % :reasons"
    )
    for run_id, rows in runs.items():
        values = {"run_id": run_id, "rows": rows, "reasons": 1 + len(RefusalReason)}
        connection.execute(insert, values | {"start": start_ns, "step": STEP_NS})
    for _, sql in indexes:
        connection.execute(sql)
    connection.close()


def questions(newest_ns: int) -> list[DecisionQuery]:
    return [
        DecisionQuery(40),
        DecisionQuery(500),
        DecisionQuery(500, before_ns=newest_ns // 2 + NOW // 2),
        DecisionQuery(500, strategy="funding_reversion"),
        DecisionQuery(500, instrument="COIN7USDT-PERP.BINANCE"),
        DecisionQuery(500, reason="SLIPPAGE_TOO_HIGH"),
        DecisionQuery(500, reason="NO_SUCH_REASON"),
    ]


def slowest_query_s(journal: Journal, run_id: str, newest_ns: int) -> float:
    """Return the median of five askings of the slowest question."""
    slowest = 0.0
    for question in questions(newest_ns):
        took = []
        for _ in range(5):
            began = time.perf_counter()
            newest_decisions(journal, run_id, question)
            took.append(time.perf_counter() - began)
        slowest = max(slowest, statistics.median(took))
    return slowest


@dataclass
class Live:
    """A run that goes on: writes an instant fifty times a second, and is looked at once a second."""

    journal: Journal
    put: int = 0
    longest_put_s: float = 0.0
    backlog: int = 0
    longest_query_s: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def trade(self) -> None:
        writer = JournalWriter(self.journal, "live")
        while not self.over.wait(0.02):
            began = time.perf_counter()
            assert writer.put(NOW + self.put, [refused(NOW + self.put)]), "the run had to pause its entries"
            self.longest_put_s = max(self.longest_put_s, time.perf_counter() - began)
            self.backlog = max(self.backlog, writer.backlog)
            self.put += 1
            if self.put % 50 == 0:
                began = time.perf_counter()
                newest_decisions(self.journal, "live", DecisionQuery(40))
                self.longest_query_s = max(self.longest_query_s, time.perf_counter() - began)
        writer.close()


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_ten_million_decisions(tmp_path: Path) -> None:
    path, url = tmp_path / "journal.db", f"sqlite:///{tmp_path / 'journal.db'}"
    archived, pruned = ROWS * 6 // 10, ROWS - ROWS * 6 // 10
    start = NOW - 400 * DAY_NS
    with Journal(url) as journal:
        journal.migrate()
        for run_id, ended_days_ago in (("old", 100), ("recent", 10), ("live", 0)):
            ended = NOW - ended_days_ago * DAY_NS
            journal.start_run({"run_id": run_id, "start_ns": start, "wall_end_ns": ended})
    began = time.perf_counter()
    # in a process of its own: the memory it takes must not hide what the archiving takes
    making = multiprocessing.get_context("spawn").Process(
        target=fill, args=(path, {"old": archived, "recent": pruned}, start)
    )
    making.start()
    making.join()
    assert making.exitcode == 0
    size = path.stat().st_size
    print(f"\n{ROWS} rows in {size / 1e9:.2f} GB, made in {time.perf_counter() - began:.0f} s", flush=True)

    with Journal(url) as journal:
        for run_id, rows in (("old", archived), ("recent", pruned)):
            journal.finish_run(run_id, "completed", start + rows * STEP_NS)
        slowest = slowest_query_s(journal, "old", start + archived * STEP_NS)
        print(f"slowest page query: {1000 * slowest:.1f} ms", flush=True)
        assert slowest < MAX_QUERY_S

        live = Live(journal)
        thread = threading.Thread(target=live.trade)
        thread.start()
        peak = peak_bytes()
        try:
            began = time.perf_counter()
            moved = archive_rows(journal, tmp_path / "archive", NOW)
            archived_s = time.perf_counter() - began
            print(f"archived {moved.rows} rows in {moved.files} files: {archived_s:.0f} s", flush=True)
            began = time.perf_counter()
            copy = archive(journal, "recent", tmp_path / "copies")
            copied_s = time.perf_counter() - began
            print(f"copied the other run: {copied_s:.0f} s", flush=True)
            began = time.perf_counter()
            gone = prune(journal, NOW, keep_runs=0, compact=False)
            pruned_s = time.perf_counter() - began
        finally:
            live.over.set()
            thread.join()
        grown = peak_bytes() - peak
        print(
            f"pruned {gone.rows} rows: {pruned_s:.0f} s; memory grew by {grown / 1e6:.0f} MB; the run beside"
            f" it wrote {live.put} instants, longest put {1000 * live.longest_put_s:.1f} ms, largest backlog"
            f" {live.backlog}, slowest page query {1000 * live.longest_query_s:.1f} ms; load"
            f" {os.getloadavg()[0]:.1f}"
        )
        assert moved.by_table == archived_rows(tmp_path / "archive", "old") == {"decisions": archived}
        assert pq.read_metadata(copy / "decisions.parquet").num_rows == gone.rows == pruned
        assert len(journal.read("decisions", "live")) == live.put > 0
        assert [run.run_id for run in journal.runs()] == ["live"]
        assert grown < MAX_GROWTH_BYTES
        assert live.longest_put_s < 1.0
