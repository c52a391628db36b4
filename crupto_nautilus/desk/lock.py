"""One desk a run id and an account: locks that die with their process.

Guarantees: the operating system holds the lock, so one of a process that was killed is free at once and a
recycled process id can fool nobody; who holds it, since when and for what is in the file.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crupto_nautilus.errors import EnvironmentProblem, SafetyRefusal


def run_lock_path(runs: Path, run_id: str) -> Path:
    """Return the lock file of a run."""
    return runs / f".{run_id}.lock"


def account_lock_path(account: str) -> Path:
    """Return the lock file of an account at a venue: the same for every folder of runs of this user."""
    return Path(tempfile.gettempdir()) / f"crupto-{os.getuid()}" / f"account-{account}.lock"


def run_lock(runs: Path, run_id: str) -> AbstractContextManager[None]:
    """Hold the lock of a run as long as the block runs.

    Raises
    ------
    SafetyRefusal
        Another process holds it.
    EnvironmentProblem
        The lock file cannot be written.
    """
    return _held(run_lock_path(runs, run_id), f"run {run_id}", run_id)


def account_lock(account: str, run_id: str) -> AbstractContextManager[None]:
    """Hold the lock of an account (empty: it belongs to the run alone); raises as `run_lock`."""
    if not account:
        return nullcontext()
    return _held(account_lock_path(account), f"account {account}", run_id)


def holder(path: Path) -> dict[str, Any] | None:
    """Return who holds a lock (`pid`, `since`, `run_id`), or None if it is free."""
    try:
        with path.open("r", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _read(file.read())
            return None
    except OSError:
        return None


@contextmanager
def _held(path: Path, what: str, run_id: str) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"the lock of {what} cannot be written",
            found=str(error),
            expected="a folder that can be written",
            remedy=f"ls -ld {path.parent}; df -h {path.parent}",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = _read(file.read())
            raise SafetyRefusal(
                f"another desk has {what}",
                found=f"process {who.get('pid', 'unknown')}, since {who.get('since', 'unknown')}"
                + (f", run {who['run_id']}" if who.get("run_id", run_id) != run_id else ""),
                expected="one desk a run and an account",
                remedy=f"crupto state show {who.get('run_id', run_id)}, or stop that process first",
            ) from error
        file.truncate(0)
        since = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
        json.dump({"pid": os.getpid(), "since": since, "run_id": run_id}, file)
        file.flush()
        # The file stays: removing it would let two desks lock two files of one name.
        yield


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
