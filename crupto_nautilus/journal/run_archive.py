"""Old run folders as one compressed file each.

Guarantees: a folder goes only after its archive was written, flushed and read back with the same contents;
runs in progress and runs younger than the policy stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from crupto_nautilus.errors import CheckFailed, EnvironmentProblem
from crupto_nautilus.reports.run_folder import RunFolder, list_runs
from risk.vocabulary import DAY_NS

FOLDER = "archive"


@dataclass(frozen=True, slots=True)
class Compressed:
    """The runs that were (or would be) compressed, and their sizes."""

    run_ids: tuple[str, ...]
    bytes_before: int
    bytes_after: int


def compress_runs(runs: Path, now_ns: int, keep_days: float = 90.0, *, dry_run: bool = False) -> Compressed:
    """Compress finished run folders whose run ended more than `keep_days` ago (wall time).

    Raises
    ------
    CheckFailed
        An archive does not hold what the folder holds; the folder stays.
    EnvironmentProblem
        The disk refuses.
    """
    oldest = now_ns - int(keep_days * DAY_NS)
    done, before, after = [], 0, 0
    for row in list_runs(runs):
        if not row.finished or RunFolder(row.path).facts.wall_end_ns >= oldest:
            continue
        done.append(row.run_id)
        before += sum(path.stat().st_size for path in row.path.rglob("*") if path.is_file())
        if not dry_run:
            after += _compress(row.path, runs / FOLDER / f"{row.path.name}.tar.gz")
    return Compressed(tuple(done), before, after)


def restore_run(archive: Path, runs: Path) -> Path:
    """Unpack a compressed run and return its folder; the archive stays."""
    with tarfile.open(archive) as file:
        file.extractall(runs, filter="data")
    return runs / archive.name.removesuffix(".tar.gz")


def _compress(folder: Path, target: Path) -> int:
    beside = target.with_name(f".{target.name}.tmp")
    try:
        target.parent.mkdir(exist_ok=True)
        with tarfile.open(beside, "w:gz", compresslevel=6) as file:
            file.add(folder, arcname=folder.name)
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        _check(folder, beside)
        beside.replace(target)
        shutil.rmtree(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise EnvironmentProblem(
            f"run {folder.name} cannot be compressed",
            found=str(error),
            expected="a folder that can be written, with free space",
            remedy=f"df -h {folder.parent}",
        ) from error
    return target.stat().st_size


def _check(folder: Path, archive: Path) -> None:
    """Compare every file of the folder with its copy."""
    wanted = {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    found = {}
    with tarfile.open(archive) as file:
        for member in file:
            stream = file.extractfile(member) if member.isfile() else None
            if stream is not None:
                found[member.name] = hashlib.sha256(stream.read()).hexdigest()
    if found != wanted:
        archive.unlink(missing_ok=True)
        raise CheckFailed(
            f"the archive of run {folder.name} does not hold what its folder holds",
            found=f"{len(found)} files",
            expected=f"{len(wanted)} files, equal byte by byte",
        )
