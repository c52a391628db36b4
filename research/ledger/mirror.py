"""The SQL mirror of the ledger: a second witness of what was written, and what queries read.

Guarantees: rows are only inserted (UPDATE and DELETE raise inside the database); each is checked against the
line it mirrors whenever the ledger is opened, so a ledger file cut short or rewritten from its first line is
noticed as long as the mirror is there.  The mirror may be behind by what a crash interrupted; it catches up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from research.ledger.errors import LedgerBroken
from research.ledger.records import Record, canonical

_SCHEMA = """
CREATE TABLE IF NOT EXISTS research_ledger (
  line INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  previous TEXT NOT NULL,
  time TEXT NOT NULL,
  kind TEXT NOT NULL,
  campaign TEXT NOT NULL,
  document_hash TEXT,
  body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS research_ledger_campaign ON research_ledger (campaign, kind);
CREATE INDEX IF NOT EXISTS research_ledger_document ON research_ledger (document_hash);
CREATE TRIGGER IF NOT EXISTS research_ledger_no_update BEFORE UPDATE ON research_ledger
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS research_ledger_no_delete BEFORE DELETE ON research_ledger
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


class Mirror:
    """The table `research_ledger` of one SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(self._connect()) as connection, connection:
            connection.executescript(_SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30)
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def insert(self, records: Iterable[Record]) -> None:
        """Add rows in one transaction."""
        rows = [
            (r.index, r.hash, r.previous, r.time, r.kind.value, r.campaign,
             r.body.get("document_hash"), canonical(r.body))
            for r in records
        ]  # fmt: skip
        with closing(self._connect()) as connection, connection:
            connection.executemany("INSERT INTO research_ledger VALUES (?,?,?,?,?,?,?,?)", rows)

    def catch_up(self, records: list[Record]) -> int:
        """Compare every row with its line, add the lines that are missing, return how many were.

        Raises
        ------
        LedgerBroken
            The mirror knows lines that the file has not, or another hash for one.
        """
        with closing(self._connect()) as connection:
            known = connection.execute("SELECT line, hash FROM research_ledger ORDER BY line").fetchall()
        if len(known) > len(records):
            raise LedgerBroken(
                "the ledger is shorter than its mirror: lines were deleted at its end",
                found=f"{len(records)} lines in the file, {len(known)} in {self.path.name}",
                expected="no line ever deleted",
                remedy="restore the file from a copy; a trial that was made stays made",
            )
        for (line, hash_known), record in zip(known, records, strict=False):
            if line != record.index or hash_known != record.hash:
                raise LedgerBroken(
                    f"line {record.index + 1} of the ledger differs from its mirror: it was rewritten",
                    found=record.hash,
                    expected=hash_known,
                    remedy="restore the file from a copy whose head was published",
                )
        missing = records[len(known) :]
        if missing:
            self.insert(missing)
        return len(missing)
