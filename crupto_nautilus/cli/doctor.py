"""`crupto doctor`: what this machine has, what it lacks, and the command that mends it."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as installed
from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import open_catalog, runs_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.version import PACKAGES
from crupto_nautilus.errors import CruptoError

_GIB = 1 << 30
_MIN_DISK_GIB = 2.0
_MIN_MEMORY_GIB = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.  `needed` findings decide the exit code; the others only inform."""

    what: str
    ok: bool
    found: str
    needed: bool = True
    remedy: str = ""


@command("doctor")
@runs_option
@click.option(
    "--catalog",
    "catalog_dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    envvar="CRUPTO_CATALOG",
    show_envvar=True,
    help="A catalog to look at.",
)
def doctor(runs_dir: Path, catalog_dir: Path | None) -> Result:
    """Say what is missing on this machine and what mends it."""
    findings = list(look(runs_dir, catalog_dir))
    missing = [finding for finding in findings if finding.needed and not finding.ok]
    table = Table(
        "",
        ("", "what", "found", "what to do"),
        tuple(
            (
                "ok" if item.ok else ("MISSING" if item.needed else "absent"),
                item.what,
                item.found,
                "" if item.ok else item.remedy,
            )
            for item in findings
        ),
    )
    verdict = f"{len(missing)} needed things are missing" if missing else "everything that is needed is here"
    data = {"ok": not missing, "findings": findings}
    return Result(data, (table, verdict), exit_code=3 if missing else 0)


def look(runs_dir: Path, catalog_dir: Path | None) -> Iterator[Finding]:
    """Yield one finding after the other."""
    yield _python()
    yield from _packages()
    yield _disk(runs_dir)
    yield _memory()
    yield _writable(runs_dir)
    if catalog_dir is not None:
        yield _catalog(catalog_dir)
    yield _postgres()
    yield _program("prometheus", "metrics of a paper desk, part D", "apt-get install prometheus")
    yield _program("chromium", "browser tests of the page, part D", "apt-get install chromium")


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python 3.13", sys.version_info[:2] == (3, 13), found, remedy="make sync")


def _packages() -> Iterator[Finding]:
    wanted = "\n".join(requires("crupto-nautilus") or ()).replace("-", "_")
    pins = dict(re.findall(r"^(\w+)==([\w.]+)", wanted, re.MULTILINE))
    for name in PACKAGES:
        pin = pins.get(name)
        what = f"package {name}" + (f" == {pin}" if pin else "")
        try:
            found = installed(name)
        except PackageNotFoundError:
            yield Finding(what, False, "not installed", remedy="make sync")
            continue
        yield Finding(what, pin in {None, found}, found, remedy="make sync")


def _disk(runs_dir: Path) -> Finding:
    place = next(path for path in (runs_dir, *runs_dir.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(place).free / _GIB
    return Finding(
        f"{_MIN_DISK_GIB:g} GiB of disk for runs",
        free >= _MIN_DISK_GIB,
        f"{free:.1f} GiB free at {place.absolute()}",
        remedy=f"remove old runs, or use --out on another disk than {place.absolute()}",
    )


def _memory() -> Finding:
    what = f"{_MIN_MEMORY_GIB:g} GiB of memory"
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return Finding(what, True, "not known on this system", needed=False)
    available = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("MemAvailable"))
    free = available * 1024 / _GIB
    remedy = "close other programs, or backtest fewer instruments at a time (--symbols)"
    return Finding(what, free >= _MIN_MEMORY_GIB, f"{free:.1f} GiB available", remedy=remedy)


def _writable(folder: Path) -> Finding:
    probe = folder / ".crupto-doctor"
    made: list[Path] = [path for path in (folder, *folder.parents) if not path.exists()]
    remedy = f"`ls -ld {folder.absolute().parent}` shows the owner; or choose another folder with --out"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
        for path in made:
            path.rmdir()
    except OSError as error:
        return Finding(f"writable folder {folder}", False, error.strerror or str(error), remedy=remedy)
    return Finding(f"writable folder {folder}", True, str(folder.absolute()))


def _catalog(folder: Path) -> Finding:
    what, remedy = f"catalog {folder}", f"crupto catalog sample --catalog {folder}"
    try:
        held = open_catalog(folder).instruments()
    except (CruptoError, ValueError, OSError) as error:
        found = getattr(error, "message", str(error))
        return Finding(what, False, found, remedy=getattr(error, "remedy", "") or remedy)
    return Finding(what, True, f"{len(held)} instruments")


def _postgres() -> Finding:
    what = "postgresql (optional: journal by CRUPTO_DB_URL)"
    found = shutil.which("initdb") or next(
        iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None
    )
    return Finding(what, found is not None, str(found or "not here"), False, "apt-get install postgresql")


def _program(name: str, purpose: str, remedy: str) -> Finding:
    found = shutil.which(name)
    return Finding(f"{name} (optional: {purpose})", found is not None, found or "not here", False, remedy)
