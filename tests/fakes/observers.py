"""Those who watch a desk, as real programs on loopback: Prometheus, Alertmanager, a webhook, a browser."""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from dashboards.expressions import RULES

CHROMIUM_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        return int(wire.getsockname()[1])


def wait_for[T](look: Callable[[], T], seconds: float, what: str) -> T:
    """Return the first answer that is true; fail after so many seconds with the last answer."""
    until, answer = time.monotonic() + seconds, None
    while time.monotonic() < until:
        answer = look()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds:g} s, last answer {answer!r}")


def answers(url: str) -> bool:
    """Tell whether an address answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


@contextmanager
def program(command: list[str], log: Path, ready_url: str) -> Iterator[None]:
    """Run a server until the block ends."""
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            wait_for(lambda: process.poll() is not None or answers(ready_url), 20, f"start of {command[0]}")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def prometheus(binary: str, folder: Path, target: int, alertmanager: int | None = None) -> Iterator[str]:
    """Run a Prometheus that scrapes a port each second with the desk's rules; yields its address."""
    folder.mkdir(parents=True, exist_ok=True)
    targets = {"targets": [f"127.0.0.1:{target}"]}
    configuration: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "crupto", "scrape_timeout": "1s", "static_configs": [targets]}],
    }
    if alertmanager is not None:
        target_list = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
        configuration["alerting"] = {"alertmanagers": [{"static_configs": target_list}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", f"--web.external-url={url}", "--log.level=warn",
    ]  # fmt: skip
    with program(command, folder / "prometheus.log", f"{url}/-/ready"):
        yield url


@contextmanager
def alertmanager(binary: str, folder: Path, webhook: int) -> Iterator[int]:
    """Run an Alertmanager that tells a webhook at once; yields its port."""
    folder.mkdir(parents=True, exist_ok=True)
    shipped = yaml.safe_load(RULES.with_name("alertmanager.yml").read_text())
    shipped["receivers"][0]["webhook_configs"][0]["url"] = f"http://127.0.0.1:{webhook}/alert"
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(shipped))
    port = free_port()
    command = [
        binary, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn",
    ]  # fmt: skip
    with program(command, folder / "alertmanager.log", f"http://127.0.0.1:{port}/-/ready"):
        yield port


class Webhook:
    """Receives alerts; `heard` is (alert name, status) -> when first."""

    def __init__(self) -> None:
        heard: dict[tuple[str, str], float] = {}
        self.heard = heard

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    heard.setdefault((alert["labels"]["alertname"], alert["status"]), time.monotonic())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Webhook:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, name: str, status: str, since: float, seconds: float = 40.0) -> float:
        """Return after how many seconds an alert came in a status."""
        at = wait_for(lambda: self.heard.get((name, status)), seconds, f"{name} {status}")
        return at - since


@contextmanager
def browser(binary: str, **options: Any) -> Iterator[Any]:
    """Yield a page of a headless Chromium; `page.problems` collects console errors and exceptions."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=binary, args=list(CHROMIUM_FLAGS))
        page = chromium.new_context(**options).new_page()
        problems: list[str] = []
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        try:
            yield page, problems
        finally:
            chromium.close()


def ask_until(url: str, question: str, seconds: float) -> list[dict[str, Any]]:
    """Ask a Prometheus until there is an answer."""
    from dashboards.expressions import ask

    return wait_for(lambda: ask(url, question), seconds, question)
