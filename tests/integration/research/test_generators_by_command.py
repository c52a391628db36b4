"""Every generator in a campaign, by command: what a user types is what invents the candidates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crupto_nautilus.cli import research_options
from crupto_nautilus.cli.main import run
from crupto_nautilus.laboratory.generators import LEARNING_ROUND, NAMES
from research import executors
from research.ledger import Kind, Ledger
from tests.fakes.llm_server import llm_server
from tests.fakes.planted_catalog import write_planted
from tests.fakes.research import random_documents

DAYS = 200
BUDGET = LEARNING_ROUND + 14  # two rounds of a generator that learns


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("generators"), 24 * DAYS, 0.0, 0, 3)


class Lab:
    """Commands over one lab."""

    def __init__(self, catalog: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.catalog, self.folder, self.capsys = catalog, folder / "lab", capsys
        capsys.readouterr()

    def call(self, *words: object, code: int = 0) -> dict[str, Any]:
        found = run(["research", *map(str, words), "--lab", str(self.folder), "--json"])
        printed = self.capsys.readouterr()
        assert found == code, printed.err or printed.out
        answer: dict[str, Any] = json.loads(printed.out)
        return answer

    def search(self, generator: str, budget: int = BUDGET, code: int = 0) -> dict[str, Any]:
        return self.call(
            "run", generator, "--catalog", self.catalog, "--generator", generator, "--budget", budget,
            "--executor", "serial", "--champions", "none", code=code,
        )  # fmt: skip

    def rounds(self, campaign: str) -> list[dict[str, Any]]:
        return [dict(record.body) for record in Ledger(self.folder).of(campaign, Kind.CANDIDATES)]


@pytest.mark.parametrize(
    ("generator", "rounds", "prefix"), [("templates", 2, "t_"), ("genetic", 2, "gp_"), ("grammar", 1, "g_")]
)
def test_a_campaign_of_a_generator(
    generator: str,
    rounds: int,
    prefix: str,
    catalog: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lab = Lab(catalog, tmp_path, capsys)
    assert lab.search(generator)["trials"] == BUDGET
    proposed = lab.rounds(generator)
    assert len(proposed) == rounds
    documents = [json.loads(text) for one in proposed for text in one["documents"]]
    assert all(one["name"].startswith(prefix) for one in documents)
    plan = next(Ledger(lab.folder).of(generator, Kind.CAMPAIGN_OPENED)).body
    assert plan["tuned"] is (rounds == 2)  # what learns is judged by cross-validation too
    if generator == "genetic":  # the second round is bred from the first: conditions come back
        parents = {json.dumps(one["entry"]) for one in documents[:LEARNING_ROUND]}
        assert [one for one in documents[LEARNING_ROUND:] if json.dumps(one["entry"]) in parents]
    assert lab.call("verify", generator, "--executor", "serial")["trials"] == BUDGET


def test_a_campaign_of_a_language_model_and_its_replay_without_one(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def reply(request: dict[str, Any]) -> str:
        made = random_documents(6, int(request["seed"]) % 1000)
        good = [json.loads(one.canonical_json()) for one in made]
        return json.dumps({"documents": ["__import__('os').system('id')", *good]})

    lab = Lab(catalog, tmp_path, capsys)
    monkeypatch.setenv("CRUPTO_LLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CRUPTO_LLM_MODEL", "fake")
    with llm_server(reply) as server:
        monkeypatch.setenv("CRUPTO_LLM_BASE_URL", server.url)
        assert lab.search("llm", 10)["trials"] == 10
        asked = len(server.requests)
    (proposed,) = lab.rounds("llm")
    assert "__import__" not in json.dumps(proposed)
    assert proposed["provenance"]["model"] == "fake"
    assert len(proposed["provenance"]["answers"]) == asked == 2
    # Judged again, and searched again from the kept answers, without endpoint or key.
    for name in ("CRUPTO_LLM_BASE_URL", "CRUPTO_LLM_MODEL"):
        monkeypatch.delenv(name)
    assert lab.call("verify", "llm", "--executor", "serial")["ok"]
    monkeypatch.setenv("CRUPTO_LLM_MODEL", "fake")
    again = Lab(catalog, tmp_path / "again", capsys)
    again.search("llm", 10)
    assert again.rounds("llm") == [proposed]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "no language model is named"),
        ({"CRUPTO_LLM_MODEL": "m", "CRUPTO_LLM_BASE_URL": "https://llm.invalid/v1"}, "no key"),
    ],
)
def test_a_language_model_that_is_not_set_up_is_refused_before_the_plan_stands(
    variables: dict[str, str], message: str, catalog: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("BASE_URL", "MODEL", "API_KEY", "API_KEY_FILE"):
        monkeypatch.delenv(f"CRUPTO_LLM_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lab = Lab(catalog, tmp_path, capsys)
    refused = lab.search("llm", 10, code=2)
    assert message in refused["message"]
    assert not lab.folder.exists()


def test_help_names_what_the_rooms_have() -> None:
    assert research_options.GENERATORS == NAMES
    assert research_options.EXECUTORS == executors.NAMES
