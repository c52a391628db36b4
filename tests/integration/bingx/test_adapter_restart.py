"""A trading process is killed with an open position and a resting stop; the next one takes both over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings

WAIT_S = 60.0


@pytest.mark.parametrize("echoes", [False, True], ids=["stop-without-client-id", "stop-with-client-id"])
def test_killed_with_a_position_and_a_stop_the_next_process_owns_both(
    echoes: bool, tmp_path: Path, project_dir: Path
) -> None:
    with threaded.running(Settings(speed=60.0, client_ids_on_stops=echoes)) as venue:
        first = _start("enter", venue, tmp_path, project_dir)
        assert _line(first) == {"ready": True}
        os.kill(first.pid, signal.SIGKILL)
        first.communicate(timeout=10)
        before = venue.do("books")

        second = _start("adopt", venue, tmp_path, project_dir)
        found = _line(second)
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=30)
        after = venue.do("books")

    [stop] = [o for o in before["orders"] if o["type"] == "STOP_MARKET"]
    assert stop["status"] in {"NEW", "PENDING"}  # it outlived the process
    [position] = before["positions"]
    [[name, quantity, average]] = found["positions"]
    assert (name, quantity, round(average, 6)) == ("BTC-USDT.BINGX", 0.01, float(position["avgPrice"]))
    assert found["orders"] == [["stop1", "STOP_MARKET", "0.0100", stop["stopPrice"], True]]

    assert [o["type"] for o in after["orders"]] == ["MARKET", "STOP_MARKET", "STOP_MARKET"]
    assert [o["status"] for o in after["orders"]][:2] == ["FILLED", "CANCELLED"]
    assert after["orders"][2]["stopPrice"] == found["moved_to"]
    assert float(after["positions"][0]["positionAmt"]) == 0.01
    assert len(after["fills"]) == len(before["fills"])


def _start(role: str, venue: Any, folder: Path, project: Path) -> subprocess.Popen[str]:
    now, speed, key, secret = venue.call(
        lambda fake: (
            fake.clock.now_ms(), fake.settings.speed, fake.settings.api_key, fake.settings.api_secret,
        )
    )  # fmt: skip
    given = {
        "rest": venue.rest_url, "stream": venue.ws_url, "key": key, "secret": secret, "start_ms": now,
        "speed": speed, "journal": str(folder / "orders.jsonl"),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.bingx_trader", role, json.dumps(given)],
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
    )


def _line(process: subprocess.Popen[str]) -> Any:
    """Return the JSON line of a process; it is killed when it says nothing."""
    guard = threading.Timer(WAIT_S, process.kill)
    guard.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("{"):
                return json.loads(line)
    finally:
        guard.cancel()
    raise AssertionError(f"the process said nothing and ended with {process.wait(5)}")
