"""Alerts in a real Prometheus and Alertmanager with a local webhook: they fire, and they clear."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.server import DashboardServer
from risk.vocabulary import DeskMode, RefusalReason, Role
from tests.fakes.observers import Webhook, alertmanager, ask_until, prometheus
from tests.fakes.watched_desk import WatchedDesk


class LiveDesk:
    """A watched desk that beats four times a second, until told to stall."""

    def __init__(self, folder: Path) -> None:
        self.desk = WatchedDesk(folder, speed=240.0)  # a bar each quarter of a second
        self.lock = threading.Lock()
        self.stalled = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> LiveDesk:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.25):
            with self.lock:
                if not self.stalled:
                    self.desk.instant()
                self.desk.pulse()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveDesk]:
    with LiveDesk(tmp_path) as running:
        yield running


@pytest.mark.prometheus
def test_alerts_fire_and_clear_within_seconds(
    live: LiveDesk, tmp_path: Path, prometheus_program: str, alertmanager_program: str
) -> None:
    server = DashboardServer(live.desk.board, port=0)
    server.start()
    took: dict[str, float] = {}
    with (
        Webhook() as hook,
        alertmanager(alertmanager_program, tmp_path / "am", hook.port) as manager,
        prometheus(prometheus_program, tmp_path / "prometheus", server.port, manager) as url,
    ):
        ask_until(url, "crupto_instants_total > 0", 15)

        began = time.monotonic()  # the daily lock, and a stop that is lost
        with live.lock:
            live.desk.fill(Role.ENTRY)
            live.desk.protect(0.0)
            live.desk.desk_state(DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK, "-1.9 %")
        for name in ("DailyLock", "PositionWithoutStop"):
            took[f"{name} fires"] = hook.wait(name, "firing", began)
        began = time.monotonic()
        with live.lock:
            live.desk.protect(19_900.0)
            live.desk.desk_state(DeskMode.ACTIVE)
        for name in ("DailyLock", "PositionWithoutStop"):
            took[f"{name} clears"] = hook.wait(name, "resolved", began)

        began = time.monotonic()  # the feed stalls; the desk itself goes on
        live.stalled = True
        took["FeedStale fires"] = hook.wait("FeedStale", "firing", began)
        assert ("HeartbeatLost", "firing") not in hook.heard
        began = time.monotonic()
        live.stalled = False
        took["FeedStale clears"] = hook.wait("FeedStale", "resolved", began)

        began = time.monotonic()  # the exporter dies and comes back on its port
        port = server.port
        server.stop()
        took["ExporterDown fires"] = hook.wait("ExporterDown", "firing", began)
        began = time.monotonic()
        server = DashboardServer(live.desk.board, port=port)
        server.start()
        assert server.port == port
        took["ExporterDown clears"] = hook.wait("ExporterDown", "resolved", began)
        server.stop()
    for name, seconds in took.items():
        print(f"{name}: webhook after {seconds:.1f} s")
    assert took["DailyLock fires"] < 15
    assert took["FeedStale fires"] < 30  # ten of them are the patience of the rule
    assert took["ExporterDown fires"] < 25  # six of them are the patience of the rule
