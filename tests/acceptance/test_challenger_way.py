"""The whole way of a challenger, by commands: generator, gates, paper, shadow, canary, enable map, demotion.

The market has a planted edge that ends after the second canary stage.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from crupto_nautilus.cli.main import run
from tests.fakes.planted_catalog import day, write_planted

RESEARCH = 500  # days of history that research sees
SHADOW, FIRST, SECOND = RESEARCH + 60, RESEARCH + 95, RESEARCH + 120
AMPLITUDE, SEED = 0.06, 6


class Desk:
    """A lab, a configuration folder and runs over one catalog."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.lab, self.config, self.runs = folder / "lab", folder / "config", folder / "runs"
        self.catalog = write_planted(folder, 24 * (SECOND + 60), AMPLITUDE, 24 * SECOND, SEED)
        capsys.readouterr()

    def call(self, *words: object, code: int = 0) -> dict[str, Any]:
        found = run([*map(str, words), "--json"])
        printed = self.capsys.readouterr()
        assert found == code, printed.err or printed.out
        answer: dict[str, Any] = json.loads(printed.out)
        return answer

    def promote(self, document: str, stage: str, code: int = 0) -> dict[str, Any]:
        return self.call(
            "research", "promote", "way", document, "--to", stage,
            "--config", self.config, "--lab", self.lab, code=code,
        )  # fmt: skip

    def trade(self, name: str, first: int, last: int) -> dict[str, Any]:
        """Run the desk over some days and read the run as evidence."""
        self.call(
            "backtest", "--catalog", self.catalog, "--config", self.config, "--out", self.runs,
            "--run-id", name, "--start", day(first), "--end", day(last), "--no-journal", "--equity", 10_000,
        )  # fmt: skip
        return self.call(
            "research", "observe", name, "--catalog", self.catalog, "--config", self.config,
            "--runs", self.runs, "--lab", self.lab,
        )  # fmt: skip

    def listed(self) -> list[dict[str, Any]]:
        entries = yaml.safe_load((self.config / "enable_map.yaml").read_text())["challengers"]
        assert isinstance(entries, list)
        return entries


def test_a_survivor_goes_to_the_canary_and_is_demoted_when_its_edge_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(tmp_path, capsys)
    searched = desk.call(
        "research", "run", "way", "--catalog", desk.catalog, "--lab", desk.lab, "--generator", "textbook",
        "--budget", 60, "--seed", SEED, "--end", day(RESEARCH), "--executor", "serial", "--champions", "none",
    )  # fmt: skip
    assert searched["survivors"]
    document = searched["survivors"][0][:12]
    assert (desk.lab / "way" / "campaign.html").read_text().count("survived")

    # Nothing goes further without its evidence.
    assert "G8b" in desk.promote(document, "shadow", code=4)["message"]
    paper = desk.call(
        "research", "paper", "way", document, "--catalog", desk.catalog, "--lab", desk.lab,
        "--start", day(RESEARCH - 40), "--end", day(RESEARCH),
    )  # fmt: skip
    assert paper["ok"]
    assert "G9" in desk.promote(document, "canary", code=4)["message"]

    desk.promote(document, "shadow")
    assert [(e["stage"], e.get("risk_share", 0.0)) for e in desk.listed()] == [("shadow", 0.0)]
    shadow = desk.trade("shadow", RESEARCH, SHADOW)["challengers"][0]
    assert (shadow["gate"]["gate"], shadow["gate"]["status"]) == ("G9", "passed")

    desk.promote(document, "canary")
    assert [(e["stage"], e["risk_share"]) for e in desk.listed()] == [("canary", 0.1)]
    first = desk.trade("canary", SHADOW, FIRST)["challengers"][0]
    assert (first["gate"]["gate"], first["gate"]["status"]) == ("G10", "passed")
    desk.promote(document, "canary-2")
    assert [(e["stage"], e["risk_share"]) for e in desk.listed()] == [("canary", 0.25)]
    _a_changed_entry_is_refused(desk)
    assert desk.trade("canary-2", FIRST, SECOND)["challengers"][0]["gate"]["status"] == "passed"

    # The edge is switched off: two runs below the band, and the entry is gone.
    after = [
        desk.trade(f"after-{part}", SECOND + 30 * part, SECOND + 30 * part + 30)["challengers"]
        for part in range(2)
    ]
    assert [one[0]["demoted"] for one in after] == [False, True]
    assert desk.listed() == []
    status = desk.call("research", "status", "--lab", desk.lab)
    assert [one["stage"] for one in status["challengers"]] == ["demoted"]
    assert desk.call("research", "verify", "--lab", desk.lab)["ok"]
    assert "cools down" in desk.promote(document, "shadow", code=4)["message"]


def _a_changed_entry_is_refused(desk: Desk) -> None:
    """A risk share that nobody proved stops the desk before it trades."""
    path = desk.config / "enable_map.yaml"
    text = path.read_text()
    path.write_text(text.replace("risk_share: 0.25", "risk_share: 0.9"))
    refused = desk.call(
        "backtest", "--catalog", desk.catalog, "--config", desk.config, "--out", desk.runs,
        "--start", day(FIRST), "--end", day(SECOND), "--no-journal", code=1,
    )  # fmt: skip
    assert "does not prove this entry" in refused["message"]
    path.write_text(text)
