"""The operator's word to a running and to a stopped run; one desk a run."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crupto_nautilus.cli.main import run
from crupto_nautilus.desk.control import CONTROL_FILE, ask
from crupto_nautilus.errors import EnvironmentProblem, UsageError
from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.reports.run_folder import RunFolder, partial_path
from tests.fakes.restarts import fresh, market_of, process


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return market_of(tmp_path_factory.mktemp("operator") / "market")


@pytest.fixture(scope="module")
def asked(market: Path) -> dict[str, object]:
    """Ask a running desk everything once, then let it end; returns what it answered."""
    folder = fresh(market, market.parent / "running")
    command = [sys.executable, "-m", "tests.fakes.paper_scenario", str(folder), "--speed", "900"]
    partial = partial_path(folder / "runs", "run")
    said: dict[str, object] = {"folder": folder}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as desk:
        try:
            until = time.monotonic() + 90
            while True:  # until some bars have gone by and a position is held
                try:
                    found = ask(partial, "show")
                    if found["positions"]:
                        break
                except EnvironmentProblem:
                    pass
                assert time.monotonic() < until, desk.poll()
                time.sleep(0.2)
            said["mode"] = stat.S_IMODE((partial / CONTROL_FILE).stat().st_mode)
            said["show"] = found
            said["second"] = process(folder, "--resume")
            for name, subject, reason in (
                ("disable", "range_reversion_5m", "too many losses"),
                ("halt", "", "the venue announced maintenance"),
                ("resume", "", "maintenance is over"),
                ("flatten", "", "end of the test"),
            ):
                said[name] = ask(partial, name, subject, reason)
            for name, subject, reason in (
                ("unlock", "", " "),
                ("enable", "nothing", "x"),
                ("explode", "", "x"),
            ):
                with pytest.raises(UsageError) as refused:
                    ask(partial, name, subject, reason)
                said[f"refused {name}"] = str(refused.value)
            token = json.loads((partial / CONTROL_FILE).read_text())
            (partial / CONTROL_FILE).write_text(json.dumps(token | {"token": "guessed"}))
            with pytest.raises(UsageError, match="token"):
                ask(partial, "show")
        finally:
            desk.terminate()
            said["code"], said["output"] = desk.wait(timeout=30), desk.communicate()[0]
    return said


def test_a_running_desk_shows_where_it_stands(asked: dict[str, dict[str, object]]) -> None:
    assert asked["mode"] == 0o600
    show = asked["show"]
    assert (show["mode"], show["still_happens"]) == ("ACTIVE", "entries and exits work")
    assert show["positions"]


def test_halting_says_what_still_happens_and_every_command_is_in_the_journal_at_once(
    asked: dict[str, dict[str, object]],
) -> None:
    halt, resumed, flat = asked["halt"], asked["resume"], asked["flatten"]
    assert (halt["mode"], halt["reason"]) == ("HALTED", "OPERATOR_HALT")
    assert str(halt["still_happens"]).startswith("stops and targets work, entries refused until")
    assert halt["positions"]
    assert (resumed["mode"], resumed["disabled"]) == ("ACTIVE", ["range_reversion_5m"])
    assert str(resumed["still_happens"]).endswith("(COOLING)")
    assert (flat["mode"], flat["positions"]) == ("HALTED", [])
    assert all(asked[name]["journalled"] for name in ("disable", "halt", "resume", "flatten"))


def test_what_makes_no_sense_is_refused_with_what_was_expected(asked: dict[str, str]) -> None:
    assert "needs a reason" in asked["refused unlock"]
    assert "names nothing of this run" in asked["refused enable"]
    assert "expected: halt, flatten" in asked["refused explode"]


def test_a_second_desk_of_the_run_exits_4_and_says_who_has_it(
    asked: dict[str, subprocess.CompletedProcess[str]],
) -> None:
    second = asked["second"]
    assert second.returncode == 4
    assert "another desk has run run" in second.stderr
    assert "found: process" in second.stderr


def test_the_record_of_the_run_holds_the_reasons_and_verifies(asked: dict[str, object]) -> None:
    assert asked["code"] == 0, asked["output"]
    path = Path(str(asked["folder"])) / "runs" / "run"
    folder = RunFolder(path)
    alarms = folder.table("alarms")
    said = list(alarms[alarms["kind"] == "operator"]["detail"])
    assert said[0] == "disable range_reversion_5m: too many losses"
    assert said[1:] == [
        "halt: the venue announced maintenance",
        "resume: maintenance is over",
        "flatten: end of the test",
    ]
    assert not (path / CONTROL_FILE).exists()
    assert run(["report", str(path), "--verify"]) == 0


def test_a_stopped_run_is_halted_flattened_and_unlocked_through_its_checkpoint(
    market: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fresh(market, tmp_path / "stopped")
    runs = str(folder / "runs")
    # What is held at the last checkpoint must not depend on the pace of the journal's thread.
    assert process(folder, "--at", 30, "--written").returncode == -signal.SIGKILL
    assert run(["state", "show", "run", "--runs", runs]) == 0
    assert "stopped, at its last checkpoint" in capsys.readouterr().out
    assert run(["state", "halt", "run", "--runs", runs]) == 2
    assert run(["state", "resume", "run", "--runs", runs, "--reason", "x"]) == 2
    assert run(["state", "disable", "run", "breakout_4h", "--runs", runs, "--reason", "pause it"]) == 0
    assert run(["state", "flatten", "run", "--runs", runs, "--reason", "go home", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["mode"], said["disabled"]) == ("HALTED", ["breakout_4h"])
    assert said["positions"]  # they are closed when the run goes on
    backup = tmp_path / "backup.db"
    assert run(["state", "backup", "run", str(backup), "--runs", runs]) == 0

    assert process(folder, "--resume", "--max-cycles", 3).returncode == 0
    found = RunFolder(folder / "runs" / "run")
    exits = found.table("fills")
    assert set(exits[exits["role"] == "exit"]["instrument"]) == {p["instrument"] for p in said["positions"]}
    states = found.table("states")
    assert list(states["reason"]) == ["OPERATOR_HALT"]
    assert run(["report", str(found.path), "--verify"]) == 0

    other = tmp_path / "other" / "runs"
    assert run(["state", "restore", "run", str(backup), "--runs", runs]) == 2
    assert run(["state", "restore", "run", str(backup), "--runs", str(other)]) == 0
    with Journal(default_url(other)) as journal:
        checkpoint = journal.load_state("run")
        assert checkpoint is not None
        assert checkpoint.state["brain"]["governor"]["flatten"] is True
        assert journal.read("signals", "run")
