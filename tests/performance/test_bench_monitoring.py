"""`make bench`: what watching costs: CPU of a replay at full speed, bar to order, hostile readers."""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.performance.market import bench_catalog

pytestmark = pytest.mark.bench

INSTRUMENTS = 20
DAYS = 20
ROUNDS = 3
MAX_CPU_SHARE = 0.05
MAX_P99_ADDED_US = 1000.0


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bench") / "market"
    bench_catalog(folder, INSTRUMENTS, DAYS)
    return str(folder)


def run(
    catalog: str,
    out: Path,
    project: Path,
    mode: str,
    read: Callable[[int, threading.Event], None] | None = None,
) -> dict[str, Any]:
    """Run once; `read` gets the port and reads until the event is set."""
    command = [sys.executable, "-m", "tests.performance.watched", catalog, str(DAYS), str(out), mode]
    over = threading.Event()
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        thread = None
        if read is not None:
            while not (out / "port").is_file() and process.poll() is None:
                time.sleep(0.05)
            thread = threading.Thread(target=read, args=(int((out / "port").read_text()), over))
            thread.start()
        said, errors = process.communicate()
        over.set()
        if thread is not None:
            thread.join()
    assert process.returncode == 0, errors[-2000:]
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def scrape(port: int, over: threading.Event) -> None:
    """Read the metrics each second, as Prometheus does."""
    while not over.wait(1.0):
        get(port, "/metrics")


def watch(port: int, over: threading.Event) -> None:
    """Read the metrics each second and the page's answers as an open page does."""
    while not over.wait(0.5):
        for path in ("/metrics", "/graph", "/api/run", "/api/decisions?limit=40"):
            get(port, path)


def get(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()


def attack(port: int, over: threading.Event) -> None:
    """Ask as fast as it goes from eight threads, and hold connections open without ever reading."""
    held = []

    def flood() -> None:
        while not over.is_set():
            get(port, "/metrics")

    def hold() -> None:
        while not over.wait(0.02):
            try:
                wire = socket.create_connection(("127.0.0.1", port), timeout=1)
                wire.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                held.append(wire)
            except OSError:
                continue
            if len(held) > 200:
                held.pop(0).close()

    threads = [threading.Thread(target=flood) for _ in range(8)] + [threading.Thread(target=hold)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for wire in held:
        wire.close()


def test_what_watching_costs(catalog: str, tmp_path: Path, project_dir: Path) -> None:
    kinds: dict[str, tuple[str, Callable[[int, threading.Event], None] | None]] = {
        "bare": ("none", None),
        "scraped": ("served", scrape),
        "watched": ("served", watch),
        "attacked": ("served", attack),
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in kinds}
    for k in range(ROUNDS):
        for name, (mode, read) in kinds.items():
            found[name].append(run(catalog, tmp_path / f"{name}{k}", project_dir, mode, read))
    cpu = {name: statistics.median(one["cpu_s"] for one in runs) for name, runs in found.items()}
    wall = {name: statistics.median(one["wall_s"] for one in runs) for name, runs in found.items()}
    p99 = {name: statistics.median(one["orders"]["p99_us"] for one in runs) for name, runs in found.items()}
    # The least of the rounds: whatever else runs on the machine only ever adds.
    least = {name: min(one["cpu_s"] for one in runs) for name, runs in found.items()}
    share = least["scraped"] / least["bare"] - 1
    for name in kinds:
        print(
            f"\n{name}: {cpu[name]:.2f} s CPU, {wall[name]:.2f} s, p99 from bar to order {p99[name]:.0f} us",
            end="",
        )
    print(
        f"\nscraping adds {100 * share:.1f} % CPU (target 5 %), {p99['scraped'] - p99['bare']:.0f} us to p99"
    )
    assert {one["instants"] for runs in found.values() for one in runs} == {found["bare"][0]["instants"]}
    assert all(one.get("errors", 0) == 0 for runs in found.values() for one in runs)
    assert share < 2 * MAX_CPU_SHARE  # gross regressions only: the printed figure is read against the target
    assert p99["scraped"] - p99["bare"] < MAX_P99_ADDED_US
