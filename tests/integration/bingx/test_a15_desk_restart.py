"""A15 of the whole desk: a run on VST that is killed goes on with its position, its stop and its target."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Waves
from tests.fakes.vst_desk import RUN_ID

PATIENCE_S = 60.0
SPEED = 60.0


def exchange(folder: Path, **choices: Any) -> Settings:
    """Return an exchange with an account of its own: two desks on one account lock each other out."""
    key = hashlib.sha256(str(folder).encode()).hexdigest()
    return Settings(speed=SPEED, api_key=key, **choices)


class Sessions:
    """Sessions of one run on one fake exchange."""

    def __init__(self, venue: threaded.ThreadedBingx, folder: Path, project: Path) -> None:
        self.venue, self.folder, self.project = venue, folder, project
        self.process: subprocess.Popen[str] | None = None

    def start(self, *more: str) -> None:
        """Start a session."""
        now, key, secret = self.venue.call(
            lambda fake: (fake.clock.now_ms(), fake.settings.api_key, fake.settings.api_secret)
        )
        given = {
            "rest": self.venue.rest_url, "stream": self.venue.ws_url, "key": key, "secret": secret,
            "start_ms": now, "speed": SPEED,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.vst_desk", str(self.folder), json.dumps(given), *more],
            cwd=self.project,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal; returns exit code, output and errors."""
        assert self.process is not None
        os.kill(self.process.pid, number)
        out, errors = self.process.communicate(timeout=30)
        code, self.process = self.process.returncode, None
        return code, out, errors

    def refused(self) -> tuple[int, dict[str, Any]]:
        """Return exit code and error of a session that does not start."""
        assert self.process is not None
        out, errors = self.process.communicate(timeout=PATIENCE_S)
        code, self.process = self.process.returncode, None
        assert out, errors
        return code, json.loads(out.splitlines()[-1])

    def wait(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until something holds while the session runs."""
        until = time.monotonic() + PATIENCE_S
        while not holds():
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the session ended before {what}: {self.process.communicate()}")
            assert time.monotonic() < until, f"{what} did not come true: {self.slots()}, {self.resting()}"
            time.sleep(0.05)

    def state(self) -> dict[str, Any]:
        """Return the newest checkpoint, empty before the first."""
        if not (self.folder / "runs" / "journal.db").exists():
            return {}
        with Journal(default_url(self.folder / "runs")) as journal:
            found = journal.load_state(RUN_ID) if journal.version() else None
        return {} if found is None else found.state

    def slots(self) -> list[dict[str, Any]]:
        """Return the slots of the strategy in the newest checkpoint."""
        found: list[dict[str, Any]] = [
            slot for one in self.state().get("strategies", {}).values() for slot in one["slots"]
        ]
        return found

    def holds(self) -> bool:
        """Whether the checkpoint holds the position with a stop and a target that work."""
        return [sorted(order["role"] for order in slot["orders"]) for slot in self.slots()] == [
            ["stop", "target_2"]
        ] and self.resting() == ["LIMIT", "STOP_MARKET"]

    def resting(self) -> list[str]:
        """Return the types of the orders that rest at the venue."""
        orders = self.venue.do("books")["orders"]
        return sorted(o["type"] for o in orders if o["status"] in {"NEW", "PENDING"})


def test_killed_desk_goes_on_with_its_position_stop_and_target_and_books_what_filled_meanwhile(
    tmp_path: Path, project_dir: Path
) -> None:
    with threaded.running(exchange(tmp_path, client_ids_on_stops=False), Waves(3)) as venue:
        run = Sessions(venue, tmp_path, project_dir)
        run.start()
        run.wait("position, stop and target", run.holds)
        [slot] = run.slots()
        run.end(signal.SIGKILL)
        before = venue.do("books")

        run.start("--resume")
        run.wait("the second session", lambda: run.state()["session"] == 2 and run.holds())
        adopted = venue.do("books")
        assert [o["orderId"] for o in adopted["orders"]] == [o["orderId"] for o in before["orders"]]
        assert len(adopted["fills"]) == len(before["fills"])

        run.end(signal.SIGKILL)
        venue.do("trade", symbol="BTC-USDT", price=f"{slot['exits']['stop_price'] * 0.99:.1f}", quantity="50")
        assert venue.do("books")["positions"] == []  # the stop did its work while nobody was there

        run.start("--resume")
        run.wait("the end of the position", lambda: run.state()["session"] == 3 and run.slots() == [])
        code, out, errors = run.end(signal.SIGTERM)
        after = venue.do("books")
    assert code == 0, out + errors
    assert [o["type"] for o in after["orders"]].count("MARKET") == 2  # the entry, and what the stop became
    assert all(o["status"] not in {"NEW", "PENDING"} for o in after["orders"])
    folder = RunFolder(tmp_path / "runs" / RUN_ID)
    [trade] = folder.table("trades").to_dict("records")
    assert (trade["exit_reason"], trade["strategy"]) == ("stop", "pulse_1m")
    fills = folder.table("fills")
    assert list(fills["role"]) == ["entry", "stop"]
    assert [float(f["price"]) for f in after["fills"]] == [float(price) for price in fills["price"]]
    assert list(folder.table("alarms")["kind"]).count("resumed") == 2


@pytest.mark.soak
def test_account_that_others_changed_is_refused_and_each_difference_is_named(
    tmp_path: Path, project_dir: Path
) -> None:
    with threaded.running(exchange(tmp_path), Waves(3)) as venue:
        run = Sessions(venue, tmp_path, project_dir)
        run.start()
        run.wait("position, stop and target", run.holds)
        run.end(signal.SIGKILL)
        asked = {"symbol": "BTC-USDT", "side": "BUY", "positionSide": "BOTH", "quantity": "0.5"}
        venue.call(lambda fake: fake.venue.place(asked | {"type": "MARKET"}))
        venue.call(lambda fake: fake.venue.place(asked | {"type": "LIMIT", "price": "50000"}))
        before = venue.do("books")
        run.start("--resume")
        code, error = run.refused()
        after = venue.do("books")
    assert code == 4
    assert "the demo account is not as this run left it" in error["message"]
    assert "BTC-USDT: the account holds 0.5" in error["found"]
    assert "not of this run" in error["found"]
    assert "resume again" in error["remedy"]
    assert len(after["orders"]) == len(before["orders"])
