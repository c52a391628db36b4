"""Fixtures that every test may use, and the rule that a required service or data set may not be skipped.

`CRUPTO_REQUIRE` holds a comma-separated list of marker names (`data`, `postgres`, `prometheus`, `chromium`,
`schema`).  A test with such a marker that skips is reported as failed: CI sets the variable, so that nothing
is left out unnoticed.
"""

from __future__ import annotations

import gc
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"

# A test that asks for one of these fixtures needs what the marker names, marked or not.
_FIXTURE_MARKERS = {
    "market_dir": "data",
    "shared_dir": "data",
    "postgres_url": "postgres",
    "promtool": "prometheus",
    "prometheus_program": "prometheus",
    "alertmanager_program": "prometheus",
    "chromium_program": "chromium",
}

_LONG_MARKERS = ("soak", "day_long", "bench", "network", "key")


def required() -> frozenset[str]:
    """Return the marker names whose tests may not skip."""
    return frozenset(word.strip() for word in os.environ.get("CRUPTO_REQUIRE", "").split(",") if word.strip())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a test the marker of the fixture it uses, and long runs all the time they need."""
    for item in items:
        if any(item.get_closest_marker(name) for name in _LONG_MARKERS):
            item.add_marker(pytest.mark.timeout(0))
        for fixture, marker in _FIXTURE_MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()) and not item.get_closest_marker(marker):
                item.add_marker(marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a required test into a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        needed = sorted(name for name in required() if item.get_closest_marker(name))
        if needed:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} skipped, but CRUPTO_REQUIRE names {', '.join(needed)}: {reason}"
    return report


@pytest.fixture(scope="module", autouse=True)
def no_engine_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect what a module's engines leave in cycles, here in the main thread.

    An actor may be dropped by its own thread only; a collection in any other thread, such as one that loads
    ccxt, would drop those of modules before it and raise there.
    """
    yield
    if {"integration", "acceptance", "desk"} & set(request.path.parts):
        gc.collect()


@pytest.fixture(scope="session")
def project_dir() -> Path:
    """Return the root of the repository."""
    return PROJECT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the shared material beside the repository, or skip."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared is not there")
    return SHARED


@pytest.fixture(scope="session")
def market_dir() -> Path:
    """Return the folder of real market data, or skip."""
    path = SHARED / "data" / "market"
    if not path.is_dir():
        pytest.skip("the real market data in ../shared/data/market is not there")
    return path


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here; `apt-get install {package}` brings it")
    return found


@pytest.fixture(scope="session")
def promtool() -> str:
    """Return promtool, or skip."""
    return _program("promtool", "prometheus")


@pytest.fixture(scope="session")
def prometheus_program() -> str:
    """Return Prometheus, or skip."""
    return _program("prometheus", "prometheus")


@pytest.fixture(scope="session")
def alertmanager_program() -> str:
    """Return Alertmanager (by Debian's name), or skip."""
    return _program("prometheus-alertmanager", "prometheus-alertmanager")


@pytest.fixture(scope="session")
def chromium_program() -> str:
    """Return Chromium, or skip."""
    return _program("chromium", "chromium")


def _postgres_programs() -> Path | None:
    """Return the folder with initdb and postgres, or None."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    return versions[-1].parent if versions else None


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Yield a URL of a PostgreSQL server: CRUPTO_TEST_POSTGRES_URL, else a throw-away one on loopback."""
    given = os.environ.get("CRUPTO_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server programs here; `apt-get install postgresql` brings them")
    # Not below pytest's own folder: the server's user could not pass through it.
    folder = Path(tempfile.mkdtemp(prefix="crupto-postgres-"))
    user = getpass.getuser()
    prefix: list[str] = []
    if os.geteuid() == 0:  # initdb refuses root
        user = "postgres"
        prefix = ["runuser", "-u", user, "--"]
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    flags = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    control = [*prefix, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    subprocess.run(
        [*prefix, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", user, "-E", "UTF8"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    subprocess.run(
        [*control, "-l", str(folder / "log"), "-o", flags, "start"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    try:
        yield f"postgresql+psycopg://{user}@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/")
        shutil.rmtree(folder)
