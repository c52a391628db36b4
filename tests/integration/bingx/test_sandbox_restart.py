"""A run on live data with sandbox execution that was killed goes on with what the market did meanwhile."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from crupto_nautilus.config import load_config
from crupto_nautilus.desk.downtime import DOWN
from crupto_nautilus.desk.parity import compare_run, options_of
from crupto_nautilus.reports.parity import Parity
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import verify_run
from risk.vocabulary import MINUTE_NS
from strategies.registry import REGISTRY
from tests.fakes.bingx import threaded
from tests.fakes.bingx.minutes import MINUTE_MS
from tests.fakes.bingx.sources import Waves
from tests.fakes.desk_sessions import SPEED, Sessions, exchange
from tests.fakes.pulse_rule import SPEC as PULSE
from tests.fakes.pulse_rule import Pulse
from tests.fakes.vst_desk import RUN_ID

DOWN_MINUTES = 5
SETTLEMENT_MS = 1_767_225_600_000 + 480 * MINUTE_MS  # 2026-01-01 08:00


def test_killed_run_goes_through_what_it_missed_without_an_entry_and_parity_says_the_same(
    tmp_path: Path, project_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with threaded.running(exchange(tmp_path), Waves(3)) as venue:
        run = Sessions(venue, tmp_path, project_dir, "sandbox")

        run.start()
        run.wait("a position", lambda: any(slot["exits"]["left"] > 0.0 for slot in run.slots()))
        run.end(signal.SIGKILL)
        left = run.ts()
        time.sleep(DOWN_MINUTES * 60.0 / SPEED)

        run.start("--resume")
        run.wait("the second session", lambda: run.state()["session"] == 2)
        back = run.venue.do("books")["time_ms"] * 10**6
        run.wait("some minutes of the market", lambda: run.ts() > back + 8 * MINUTE_NS)
        code, out, errors = run.end(signal.SIGTERM)
    assert code == 0, out + errors
    folder = RunFolder(tmp_path / "runs" / RUN_ID)
    assert list(verify_run(folder).violations) == []

    alarms = folder.table("alarms")
    [halted, ended] = alarms[alarms["kind"] == "operator"].to_dict("records")
    assert halted["detail"].startswith(f"halt: {DOWN} from ")
    assert halted["ts_event"] == left
    missed = (ended["ts_event"] - left) // MINUTE_NS
    assert missed >= DOWN_MINUTES
    decisions = folder.table("decisions")
    here = decisions[(decisions["ts_event"] > left) & (decisions["ts_event"] <= ended["ts_event"])]
    assert len(here)
    assert set(here["reason"]) == {"OPERATOR_HALT"}
    fills = folder.table("fills")
    entries = fills[fills["role"] == "entry"]["ts_event"]
    assert not entries.between(left + 1, ended["ts_event"]).any()
    assert (entries > ended["ts_event"]).any()  # it trades again
    assert fills[fills["role"] != "entry"]["ts_event"].between(left + 1, ended["ts_event"]).any()

    monkeypatch.setitem(REGISTRY, PULSE.name, PULSE)
    assert replayed(folder, tmp_path).same


@pytest.mark.soak
def test_funding_of_the_time_in_which_the_desk_was_down_is_booked_once(
    tmp_path: Path, project_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_ms = SETTLEMENT_MS - 90 * MINUTE_MS
    with threaded.running(exchange(tmp_path, start_ms=before_ms), Waves(3)) as venue:
        run = Sessions(venue, tmp_path, project_dir, "sandbox")
        last_ns = run.given["last_ns"] = (before_ms + 30 * MINUTE_MS) * 10**6  # the position that is held
        run.start()
        run.wait("its moment", lambda: run.ts() > last_ns + MINUTE_NS)
        run.wait("a position", lambda: any(slot["exits"]["left"] > 0.0 for slot in run.slots()))
        run.end(signal.SIGKILL)
        left_s = (SETTLEMENT_MS - venue.do("books")["time_ms"]) / 1000.0
        assert left_s > 0.0
        venue.do("advance", seconds=left_s + 120.0)
        run.start("--resume")
        run.wait("the second session", lambda: run.state()["session"] == 2)
        run.wait("the settlement", lambda: run.ts() > SETTLEMENT_MS * 10**6 + 8 * MINUTE_NS)
        code, out, errors = run.end(signal.SIGTERM)
    assert code == 0, out + errors
    folder = RunFolder(tmp_path / "runs" / RUN_ID)
    assert list(verify_run(folder).violations) == []
    assert list(folder.table("funding")["ts_event"]) == [SETTLEMENT_MS * 10**6]
    monkeypatch.setitem(REGISTRY, PULSE.name, PULSE)
    monkeypatch.setattr(Pulse, "last_ns", run.given["last_ns"])
    assert replayed(folder, tmp_path).same


def replayed(folder: RunFolder, tmp: Path) -> Parity:
    """Compare the run with the backtest of what it recorded."""
    config = load_config(tmp / "config", env={}, strategies=None)
    return compare_run(folder, options_of(folder, catalog=tmp / "market", config=config, out=tmp / "again"))
