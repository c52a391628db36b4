"""Writing that leaves either the old state or the new one, never half of it.

A file is written beside its place, synced, and renamed over it; the folder is synced too.  When the disk
refuses (full, read-only, no rights) the half-written file is removed and `CatalogIOError` says what to do.
A lock held while a catalog is changed makes a second writer wait; a killed one releases it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from catalog.errors import CatalogIOError

TEMPORARY_SUFFIX = ".tmp"

_REMEDIES = {
    errno.ENOSPC: "free space on the disk, or choose another --catalog folder, then run the command again",
    errno.EDQUOT: "free space in your quota, or choose another --catalog folder, then run the command again",
    errno.EROFS: "choose a --catalog folder that can be written",
    errno.EACCES: "choose a --catalog folder that can be written, or change its rights",
    errno.EPERM: "choose a --catalog folder that can be written, or change its rights",
    errno.ENOTDIR: "choose a --catalog path that is a folder",
    errno.EEXIST: "choose a --catalog path that is a folder",
}


def refused(path: Path, error: OSError) -> CatalogIOError:
    """Return the catalog's error for a refusal of the file system."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return CatalogIOError(
        f"cannot write {path}",
        found=reason,
        expected="a writable folder with free space",
        remedy=_REMEDIES.get(error.errno or 0, "check the path and run the command again"),
    )


def make_folder(path: Path) -> None:
    """Create a folder and its parents."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(path, error) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step.

    Raises
    ------
    CatalogIOError
        If the file system refuses; `path` is as it was before.
    """
    make_folder(path.parent)
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise refused(path, error) from error


def _sync_folder(path: Path) -> None:
    """Make a rename durable; some file systems cannot sync folders, the rename itself holds there too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the write lock of a catalog; waits for another writer to finish."""
    path = folder / ".lock"
    try:
        file = path.open("w")
    except OSError as error:
        raise refused(path, error) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sha256(content: bytes) -> str:
    """Return the hexadecimal digest."""
    return hashlib.sha256(content).hexdigest()
