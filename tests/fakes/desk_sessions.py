"""Sessions of one run on a fake exchange, each in a process of its own that a test may kill."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.journal import Checkpoint, Journal
from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings
from tests.fakes.vst_desk import RUN_ID

PATIENCE_S = 60.0
SPEED = 60.0


def exchange(folder: Path, **choices: Any) -> Settings:
    """Return an exchange with an account of its own: two desks on one account lock each other out."""
    key = hashlib.sha256(str(folder).encode()).hexdigest()
    return Settings(speed=SPEED, api_key=key, **choices)


class Sessions:
    """Sessions of one run on one fake exchange."""

    def __init__(
        self, venue: threaded.ThreadedBingx, folder: Path, project: Path, execution: str = "vst"
    ) -> None:
        self.venue, self.folder, self.project = venue, folder, project
        self.given: dict[str, Any] = {"execution": execution}
        self.process: subprocess.Popen[str] | None = None

    def start(self, *more: str) -> None:
        """Start a session."""
        now, key, secret = self.venue.call(
            lambda fake: (fake.clock.now_ms(), fake.settings.api_key, fake.settings.api_secret)
        )
        given = {
            "rest": self.venue.rest_url, "stream": self.venue.ws_url, "key": key, "secret": secret,
            "start_ms": now, "speed": SPEED, **self.given,
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
            if time.monotonic() > until:
                seen = f"{self.slots()}, {self.resting()}"
                self.end(signal.SIGKILL)
                raise AssertionError(f"{what} did not come true: {seen}")
            time.sleep(0.05)

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint; None before the first."""
        if not (self.folder / "runs" / "journal.db").exists():
            return None
        with Journal(default_url(self.folder / "runs")) as journal:
            return journal.load_state(RUN_ID) if journal.version() else None

    def state(self) -> dict[str, Any]:
        """Return the state in the newest checkpoint, empty before the first."""
        found = self.checkpoint()
        return {} if found is None else found.state

    def ts(self) -> int:
        """Return the moment of the newest checkpoint, 0 before the first."""
        found = self.checkpoint()
        return 0 if found is None else found.ts_event

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

    def pays(self, amount: str) -> None:
        """Settle funding at the venue now."""
        self.venue.call(
            lambda fake: fake.venue.account.book(
                fake.venue.time_ms, "FUNDING_FEE", Decimal(amount), "BTC-USDT", "Funding Fee"
            )
        )

    def booked(self) -> int:
        """Return how many settlements the newest checkpoint has."""
        return len(self.state()["risk"]["desk"]["settlements"]["booked"])

    def resting(self) -> list[str]:
        """Return the types of the orders that rest at the venue."""
        orders = self.venue.do("books")["orders"]
        return sorted(o["type"] for o in orders if o["status"] in {"NEW", "PENDING"})
