"""The ledger of research: every campaign, trial, gate, opened holdout and promotion, in one file.

Guarantees
----------
- Append-only: there is no way in here to change or delete a line; `read` verifies the whole chain.
- One writer at a time (flock), each append on disk (fsync) before it is acknowledged, mirrored to SQL.
- A line torn by a crash was never acknowledged: it is set aside in `ledger.torn` and recorded.
- Trials count from the moment their documents are registered, whatever becomes of them.
- A stretch of a market is opened as holdout once, by one campaign for one set of finalists.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from research.ledger.errors import HoldoutSpent, LedgerBusy
from research.ledger.mirror import Mirror
from research.ledger.records import GENESIS, Kind, Record

_FILE = "ledger.jsonl"
_WAIT_SECONDS = 60.0

type Entry = tuple[Kind, str, Mapping[str, Any]]
"""(kind, campaign, body) of a line to be written."""


class Ledger:
    """The ledger in a folder; makes the folder on first use.

    Parameters
    ----------
    folder : Path
        Holds `ledger.jsonl`, `ledger.sqlite`, `ledger.lock`.

    Raises
    ------
    LedgerBroken
        The file was edited, cut, reordered or differs from its mirror.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / _FILE
        self._records: list[Record] = []
        self._size = 0
        with self._locked():
            self._mirror = Mirror(folder / "ledger.sqlite")
            self._refresh()
            self._mirror.catch_up(self._records)

    # reading

    @property
    def records(self) -> Sequence[Record]:
        """Return the lines as they were when this object last looked at the file."""
        return self._records

    @property
    def head(self) -> str:
        """Return the hash of the last line."""
        return self._records[-1].hash if self._records else GENESIS

    def of(self, campaign: str | None, *kinds: Kind) -> Iterator[Record]:
        """Yield the lines of a campaign (None: of all) of some kinds (none given: all)."""
        for record in self._records:
            if (campaign is None or record.campaign == campaign) and (not kinds or record.kind in kinds):
                yield record

    def verify(self) -> int:
        """Read file and mirror from disk once more, check all of both, return the number of lines."""
        with self._locked():
            self._records, self._size = [], 0
            self._refresh()
            self._mirror.catch_up(self._records)
        return len(self._records)

    def trial_count(self, instruments: Iterable[str], before: int | None = None) -> int:
        """Return N of the statistics: distinct documents ever tried on any of these instruments.

        Documents of every campaign that shares an instrument count, crashed and rejected ones included, and
        so do the trials that people declared.  `before` counts only what stands above that line (its index).
        """
        wanted = set(instruments)
        last = len(self._records) if before is None else before
        related = {
            record.campaign
            for record in self.of(None, Kind.CAMPAIGN_OPENED)
            if wanted & set(record.body["instruments"])
        }
        hashes: set[str] = set()
        declared = 0
        for record in self.of(None, Kind.CANDIDATES, Kind.MANUAL_TRIALS):
            if record.index >= last:
                break
            if record.kind is Kind.CANDIDATES and record.campaign in related:
                hashes.update(record.body["document_hashes"])
            elif record.kind is Kind.MANUAL_TRIALS and wanted & set(record.body["instruments"]):
                declared += int(record.body["count"])
        return len(hashes) + declared

    # writing

    def append(self, kind: Kind, campaign: str, body: Mapping[str, Any]) -> Record:
        """Write one line and return it."""
        return self.append_all([(kind, campaign, body)])[0]

    def append_all(self, entries: Sequence[Entry]) -> list[Record]:
        """Write lines together: all of them are on disk when this returns."""
        with self._locked():
            self._refresh()
            return self._write(entries)

    def open_holdout(
        self, campaign: str, instruments: Sequence[str], start_ns: int, end_ns: int, finalists: Sequence[str]
    ) -> Record:
        """Record that a campaign looks at a holdout, or return its own earlier record of the same look.

        Raises
        ------
        HoldoutSpent
            Any campaign looked at an overlapping stretch of one of these instruments before; this one too,
            with other finalists.
        """
        body = {
            "instruments": sorted(instruments), "start_ns": start_ns, "end_ns": end_ns,
            "finalists": list(finalists),
        }  # fmt: skip
        with self._locked():
            self._refresh()
            for earlier in self.of(None, Kind.HOLDOUT_OPENED):
                old = earlier.body
                if earlier.campaign == campaign and dict(old) == body:
                    return earlier  # a campaign that was killed after the opening goes on
                shared = set(old["instruments"]) & set(instruments)
                if shared and old["start_ns"] < end_ns and start_ns < old["end_ns"]:
                    raise HoldoutSpent(
                        "the holdout of this market was opened before",
                        found=f"campaign {earlier.campaign}, line {earlier.index + 1}, looked at "
                        f"{', '.join(sorted(shared))} from {_day(old['start_ns'])} to {_day(old['end_ns'])}",
                        expected="a stretch of time nobody has looked at",
                        remedy="wait for new data, or research other instruments; the count stays",
                    )
            return self._write([(Kind.HOLDOUT_OPENED, campaign, body)])[0]

    def _write(self, entries: Sequence[Entry]) -> list[Record]:
        now = datetime.now(tz=UTC).isoformat(timespec="seconds")
        fresh: list[Record] = []
        for kind, campaign, body in entries:
            previous = fresh[-1].hash if fresh else self.head
            index = len(self._records) + len(fresh)
            fresh.append(Record.make(index, previous, now, kind, campaign, body))
        data = "".join(record.line() + "\n" for record in fresh).encode()
        with self.path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._records += fresh
        self._size += len(data)
        self._mirror.insert(fresh)
        return fresh

    # the file

    def _refresh(self) -> None:
        """Take in what other processes appended; only under the lock."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size == self._size:
            return
        shrunk = size < self._size
        if shrunk:
            self._records, self._size = [], 0
        with self.path.open("rb") as file:
            file.seek(self._size)
            data = file.read()
        whole, torn = data[: data.rfind(b"\n") + 1], data[data.rfind(b"\n") + 1 :]
        for line in whole.decode("utf-8", errors="replace").split("\n")[:-1]:
            self._records.append(Record.parse(line, len(self._records), self.head))
        self._size += len(whole)
        if shrunk:
            self._mirror.catch_up(self._records)  # says what is missing
        if torn:
            self._set_aside(torn)

    def _set_aside(self, torn: bytes) -> None:
        with (self.folder / "ledger.torn").open("ab") as file:
            file.write(torn + b"\n")
        os.truncate(self.path, self._size)
        self._mirror.catch_up(self._records)
        body = {"torn_bytes": len(torn), "torn_sha256": hashlib.sha256(torn).hexdigest()}
        self._write([(Kind.RECOVERED, "", body)])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.folder / "ledger.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            deadline = time.monotonic() + _WAIT_SECONDS
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise LedgerBusy(
                            f"the ledger in {self.folder} is locked by another process",
                            found=f"no lock after {_WAIT_SECONDS:.0f} s",
                            expected="a lock held for milliseconds",
                            remedy=f"find the process: fuser {self.folder / 'ledger.lock'}",
                        ) from None
                    time.sleep(0.02)
            yield
        finally:
            os.close(descriptor)


def _day(ns: int) -> str:
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%d")
