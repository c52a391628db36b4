"""A journal of ten million decisions: page queries, archive and prune beside a run (`make soak`)."""

from __future__ import annotations

import os
import resource
import sqlite3
import statistics
import threading
import time
from pathlib import Path

import pytest

from crupto_nautilus.journal import Journal, JournalWriter
from crupto_nautilus.journal.maintenance import prune
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


def fill(path: Path, run_id: str, rows: int, start_ns: int) -> None:
    """Write decisions by SQL: twenty instruments, four strategies, every reason; indexes at the end."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    of_table = "FROM sqlite_master WHERE tbl_name = 'decisions' AND type = 'index' AND sql IS NOT NULL"
    indexes = connection.execute(f"SELECT name, sql {of_table}").fetchall()
    assert len(indexes) >= 5
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    for table, words in (("strategy", STRATEGIES), ("reason", ("", *(r.value for r in RefusalReason)))):
        connection.execute(f"CREATE TEMP TABLE {table}_of (k INTEGER PRIMARY KEY, word TEXT)")
        connection.executemany(f"INSERT INTO {table}_of VALUES (?, ?)", enumerate(words))
    values = {
        "rows": rows, "run_id": run_id, "start": start_ns, "step": STEP_NS, "reasons": 1 + len(RefusalReason)
    }  # fmt: skip
    connection.execute(
        "INSERT INTO decisions (run_id, ts_event, trace_id, strategy, instrument, side, approved, reason,"
        " detail, entry_style, children, clamps)"
        " WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :rows)"
        " SELECT :run_id, :start + n * :step, s.word || '/COIN' || n % 20 || '/' || (:start + n * :step),"
        " s.word, 'COIN' || n % 20 || 'USDT-PERP.BINANCE', 1, r.word = '', r.word, 'numbers behind it',"
        " 'market', '[]', ''"
        " FROM number CROSS JOIN strategy_of s ON s.k = n % 4"
        " CROSS JOIN reason_of r ON r.k = n * 7 % :reasons",
        values,
    )
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


def test_ten_million_decisions(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(f"sqlite:///{path}") as journal:
        journal.migrate()
        start = NOW - 400 * DAY_NS
        for run_id in ("old", "live"):
            journal.start_run({"run_id": run_id, "start_ns": start, "wall_end_ns": NOW - 100 * DAY_NS})
    began = time.perf_counter()
    fill(path, "old", ROWS, start)
    with Journal(f"sqlite:///{path}") as journal:
        journal.finish_run("old", "completed", start + ROWS * STEP_NS)
        size = path.stat().st_size
        print(f"\n{ROWS} rows written in {time.perf_counter() - began:.0f} s, {size / 1e9:.2f} GB")
        newest = start + ROWS * STEP_NS
        slowest = slowest_query_s(journal, "old", newest)
        print(f"slowest page query: {1000 * slowest:.1f} ms")
        assert slowest < MAX_QUERY_S

        writer, put, over = JournalWriter(journal, "live"), 0, threading.Event()
        longest, backlog, beside = 0.0, 0, 0.0

        def trade() -> None:
            nonlocal put, longest, backlog, beside
            while not over.wait(0.02):
                began = time.perf_counter()
                assert writer.put(NOW + put, [refused(NOW + put)]), "the run had to pause its entries"
                longest = max(longest, time.perf_counter() - began)
                backlog = max(backlog, writer.backlog)
                put += 1
                if put % 50 == 0:
                    began = time.perf_counter()
                    newest_decisions(journal, "live", DecisionQuery(40))
                    beside = max(beside, time.perf_counter() - began)

        thread = threading.Thread(target=trade)
        thread.start()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        began = time.perf_counter()
        moved = archive_rows(journal, tmp_path / "archive", NOW)
        archived_s = time.perf_counter() - began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - peak
        began = time.perf_counter()
        prune(journal, NOW, keep_runs=0, compact=False)
        pruned_s = time.perf_counter() - began
        over.set()
        thread.join()
        writer.close()
        print(
            f"archived {moved.rows} rows in {archived_s:.0f} s into {moved.files} files, pruned in "
            f"{pruned_s:.1f} s, memory grew by {grown / 1e6:.0f} MB; the run beside it wrote {put} "
            f"instants, longest put {1000 * longest:.1f} ms, largest backlog {backlog}, "
            f"slowest page query {1000 * beside:.1f} ms"
        )
        assert moved.rows == ROWS
        assert archived_rows(tmp_path / "archive", "old") == {"decisions": ROWS}
        assert len(journal.read("decisions", "live")) == put
        assert [run.run_id for run in journal.runs()] == ["live"]
        assert grown < MAX_GROWTH_BYTES
        assert longest < 1.0
