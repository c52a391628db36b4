"""After a whole run on VST its key is nowhere but in the process, and nobody but this machine was asked."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import TEST_KEY, TEST_SECRET
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx_soak import settings, write_config
from tests.fakes.loopback_only import Guard
from tests.fakes.observers import free_port

PATIENCE_S = 150.0
ORDER, ORDERS = "POST /swap/v2/trade/order", 4  # the run is asked to end after so many
PAGES = ("/", "/metrics", "/graph", "/api/run", "/api/decisions", "/healthz", "/readyz")
SHADOW = "challengers:\n  - {id: copy, strategy: volatility_expansion_15m, regimes: {trend_up: [long]}}\n"


class Watch:
    """Looks at a running command from outside: its processes, its dashboard."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.command_lines: set[str] = set()
        self.environments: dict[int, str] = {}  # of the processes that it started
        self.pages: dict[str, bytes] = {}

    def look(self, process: psutil.Process) -> None:
        with suppress(psutil.Error):
            self.command_lines.add(" ".join(process.cmdline()))
            for child in process.children(recursive=True):
                with suppress(psutil.Error):
                    self.command_lines.add(" ".join(child.cmdline()))
                    self.environments[child.pid] = json.dumps(child.environ())
        for page in PAGES:
            with (
                suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}{page}", timeout=2.0) as answer,
            ):
                self.pages[page] = answer.read()


@pytest.fixture(scope="module")
def run_on_vst(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run `crupto paper --execution vst` with the key in the environment, under faults, watched."""
    tmp = tmp_path_factory.mktemp("keys")
    port = free_port()
    (tmp / "challengers.yaml").write_text(SHADOW)
    # Of this run alone: a machine has one desk for an account.
    key, secret = f"{TEST_KEY}-{port}", f"{TEST_SECRET}-{os.getpid()}"
    exchange = replace(settings(speed=60.0), api_key=key, api_secret=secret)
    with threaded.running(exchange, Waves(3)) as venue:
        command = [
            sys.executable, "-m", "tests.fakes.fast_vst", "60", "paper", "--feed", "bingx",
            "--execution", "vst", "--symbols", "BTC,ETH", "--strategies", "pulse_1m", "--max-cycles", "60",
            "--config", str(write_config(tmp / "config")), "--out", str(tmp / "runs"), "--run-id", "vst",
        ]  # fmt: skip
        env = {
            "PATH": os.environ["PATH"], "HOME": str(tmp), "PROMETHEUS_PORT": str(port),
            "XDG_CACHE_HOME": str(Path.home() / ".cache"),  # compiled kernels
            "BINGX_API_KEY": key, "BINGX_API_SECRET": secret,
            "BINGX_REST_URL": venue.rest_url, "BINGX_STREAM_URL": venue.ws_url,
            "CHALLENGER_CONFIG": str(tmp / "challengers.yaml"),
        }  # fmt: skip
        watch = Watch(port)
        with (tmp / "out").open("w") as out, (tmp / "err").open("w") as err:
            running = subprocess.Popen(command, stdout=out, stderr=err, env=env)
            process, until = psutil.Process(running.pid), time.monotonic() + PATIENCE_S
            faulty = asked_to_end = False
            while running.poll() is None and time.monotonic() < until:
                watch.look(process)
                if not faulty and watch.pages:  # the node lives: what fails now is told with its reasons
                    faulty = True
                    names = ["drop_before", "truncate", "http_500", "null_data"]
                    venue.do("random_rest_faults", seed=3, rate=0.1, names=names, seconds=0.1)
                if not asked_to_end and venue.do("counts")["calls"].get(ORDER, 0) >= ORDERS:
                    running.send_signal(signal.SIGINT)
                    asked_to_end = True
                time.sleep(0.2)
            running.kill()
            code = running.wait()
        counts = venue.do("counts")
    told = (tmp / "err").read_text()
    return {
        "code": code,
        "folder": tmp,
        "watch": watch,
        "calls": counts["calls"],
        "faults": counts["faults"],
        "told": told,
    }


def test_the_run_really_traded_and_its_processes_and_pages_were_seen(run_on_vst: dict[str, Any]) -> None:
    watch: Watch = run_on_vst["watch"]
    assert run_on_vst["code"] == 0, run_on_vst["told"][-3000:]
    assert run_on_vst["calls"][ORDER] >= ORDERS
    assert set(watch.pages) == set(PAGES)
    assert any("spawn_main" in line for line in watch.command_lines)  # the challenger's process
    assert watch.environments
    assert sum(run_on_vst["faults"].values()) > 0


def test_neither_key_nor_secret_is_in_any_file_log_page_or_process(run_on_vst: dict[str, Any]) -> None:
    folder, watch = run_on_vst["folder"], run_on_vst["watch"]
    texts = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(texts) > 20
    texts |= {f"page {name}": page for name, page in watch.pages.items()}
    texts |= {f"command line {n}": line.encode() for n, line in enumerate(watch.command_lines)}
    texts |= {f"environment of {pid}": text.encode() for pid, text in watch.environments.items()}
    for word in (TEST_KEY, TEST_SECRET):
        assert [name for name, text in texts.items() if word.encode() in text] == []


def test_no_host_but_this_machine_was_asked_not_even_for_its_name(run_on_vst: dict[str, Any]) -> None:
    last = next(line for line in run_on_vst["told"].splitlines() if line.startswith("hosts "))
    hosts = json.loads(last.removeprefix("hosts "))
    assert hosts["refused"] == []
    assert hosts["reached"] == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["open-api.bingx.com", "192.0.2.1"])
def test_the_guard_of_this_folder_refuses_and_remembers_another_machine(
    host: str, loopback_only: Guard
) -> None:
    with pytest.raises(PermissionError, match="may only talk to this machine"):
        socket.create_connection((host, 443), timeout=1.0)
    assert loopback_only.refused.pop() == host
