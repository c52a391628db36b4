"""The folder of one campaign: daily returns of its trials, and a lock while it runs.

The ledger holds the hash of what lies here, so a file that was changed or lost is noticed and computed again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from research.ledger.errors import LedgerBusy
from research.trials.trial import Trial


class CampaignFolder:
    """Where a campaign keeps what is too large for the ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._returns = path / "returns"
        self._returns.mkdir(parents=True, exist_ok=True)

    def save(self, trial: Trial) -> None:
        """Keep the daily returns of a trial."""
        target = self._returns / f"{trial.document_hash}.npy"
        part = target.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, np.vstack((trial.net, trial.gross)), allow_pickle=False)
        part.replace(target)

    def load(self, document_hash: str, body: dict[str, object]) -> Trial | None:
        """Return a trial as the ledger's line and the kept returns tell it, or None if they do not fit."""
        figures = body["figures"]
        assert isinstance(figures, dict)
        try:
            net, gross = np.load(self._returns / f"{document_hash}.npy", allow_pickle=False)
        except (OSError, ValueError):
            return None
        trial = Trial(
            document_hash,
            str(body["status"]),
            {name: float(value) for name, value in figures.items()},
            net,
            gross,
            str(body["note"]),
        )
        return trial if trial.returns_sha256 == body["returns_sha256"] else None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold the campaign for this process.

        Raises
        ------
        LedgerBusy
            Another process runs it.
        """
        descriptor = os.open(self.path / "running.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LedgerBusy(
                    f"campaign {self.path.name} is running in another process",
                    found="its lock is held",
                    expected="one process a campaign",
                    remedy=f"crupto research status {self.path.name}",
                ) from None
            yield
        finally:
            os.close(descriptor)
