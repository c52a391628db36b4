"""Campaigns: registered first, resumed after a kill, equal on every executor, verified bit for bit."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from research.calibration.markets import martingale, planted
from research.calibration.textbook import Textbook
from research.campaign.run import CampaignResult
from research.campaign.verify import verify_campaign
from research.executors import RayExecutor, SerialExecutor, make_executor
from research.generators import GenerationContext
from research.ledger import Kind, Ledger
from research.ledger.errors import CampaignChanged, LedgerBroken
from research.standards import GateSpec
from research.trials.trial import Laboratory, try_batch
from research.trials.windows import cut
from tests.fakes.campaigns import BARS, BUDGET, campaign, fast_spec, fingerprint, planted_laboratory


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return planted_laboratory()


@pytest.fixture(scope="module")
def finished(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CampaignResult]:
    lab = tmp_path_factory.mktemp("finished")
    return lab, campaign(laboratory, lab).run()


def test_a_planted_edge_survives_every_gate(finished: tuple[Path, CampaignResult]) -> None:
    _, result = finished
    assert len(result.trials) == BUDGET
    assert result.survivors
    names = {gate.gate for gate in result.survivors[0].gates}
    assert names == {"G0", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8"}


def test_the_holdout_stays_closed_when_nothing_survives(tmp_path: Path) -> None:
    spec = fast_spec()
    market = martingale(BARS, 11)
    dead = campaign(Laboratory(market, cut(market, spec), spec), tmp_path)
    assert dead.run().survivors == ()
    assert list(dead.ledger.of("one", Kind.HOLDOUT_OPENED)) == []
    assert next(dead.ledger.of("one", Kind.CAMPAIGN_CLOSED)).body["survivors"] == []


def test_the_plan_stands_before_the_first_candidate(finished: tuple[Path, CampaignResult]) -> None:
    records = Ledger(finished[0]).records
    assert records[0].kind is Kind.CAMPAIGN_OPENED
    first_trial = next(r.index for r in records if r.kind is Kind.TRIAL)
    registered = next(r.index for r in records if r.kind is Kind.CANDIDATES)
    assert 0 < registered < first_trial


def test_a_second_run_computes_and_writes_nothing(
    laboratory: Laboratory, finished: tuple[Path, CampaignResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, result = finished
    before = Ledger(lab).head
    again = campaign(laboratory, lab)
    monkeypatch.setattr("research.campaign.run.try_batch", None)
    repeated = again.run()
    assert Ledger(lab).head == before
    assert [v.survived for v in repeated.verdicts] == [v.survived for v in result.verdicts]


class _Dies(SerialExecutor):
    """Ends the process's work after some results, as a kill would."""

    def __init__(self, after: int) -> None:
        self.left = after

    def run(self, work, context, items):  # type: ignore[no-untyped-def]
        for result in super().run(work, context, items):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield result


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_killed_campaign_goes_on_without_losing_or_repeating_a_trial(
    after: int, laboratory: Laboratory, finished: tuple[Path, CampaignResult], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        campaign(laboratory, tmp_path, _Dies(after)).run()
    campaign(laboratory, tmp_path).run()
    assert fingerprint(tmp_path) == fingerprint(finished[0])
    tried = [r.body["document_hash"] for r in Ledger(tmp_path).of("one", Kind.TRIAL)]
    assert len(tried) == len(set(tried)) == BUDGET


def test_a_campaign_killed_for_good_goes_on_as_if_it_had_not_been(
    laboratory: Laboratory, finished: tuple[Path, CampaignResult], tmp_path: Path, project_dir: Path
) -> None:
    _run_and_kill(tmp_path, project_dir, batches=2)
    recorded = Ledger(tmp_path).verify()  # the chain holds as the killed process left it
    before = [r.body["document_hash"] for r in Ledger(tmp_path).of("one", Kind.TRIAL)]
    assert 0 < len(before) < BUDGET

    campaign(laboratory, tmp_path).run()
    ledger = Ledger(tmp_path)
    tried = [r.body["document_hash"] for r in ledger.of("one", Kind.TRIAL)]
    assert tried == [r.body["document_hash"] for r in Ledger(finished[0]).of("one", Kind.TRIAL)]
    assert len(set(tried)) == len(tried) == BUDGET
    assert tried[: len(before)] == before
    assert fingerprint(tmp_path) == fingerprint(finished[0])
    assert ledger.verify() > recorded


def _run_and_kill(lab: Path, project_dir: Path, batches: int) -> None:
    """Kill the process of a campaign after some batches of trials, with others under way."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.killed_campaign", str(lab), str(batches)],
        cwd=project_dir,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the tracker of semaphores complains there about the killed process
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert len(children) >= 3  # the fork server and two workers: none of them stays behind
    assert psutil.wait_procs(children, timeout=30)[1] == []


RAY = pytest.param(
    "ray",
    marks=pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="the extra ray is not installed"
    ),
)


@pytest.mark.parametrize("name", ["pool", RAY])
def test_several_processes_decide_as_one_does(
    name: str,
    laboratory: Laboratory,
    finished: tuple[Path, CampaignResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("research.campaign.run.BATCH", 4)  # enough tasks to come back in another order
    executor = make_executor(name, 2)
    try:
        campaign(laboratory, tmp_path, executor).run()
    finally:
        if isinstance(executor, RayExecutor):
            executor.close()
    assert fingerprint(tmp_path) == fingerprint(finished[0])


def test_a_changed_gate_file_stops_a_campaign(laboratory: Laboratory, tmp_path: Path) -> None:
    campaign(laboratory, tmp_path).register()
    values = laboratory.spec.model_dump()
    values["g2_screen"]["sharpe_min"] = 0.1
    weaker = replace(laboratory, spec=GateSpec.model_validate(values))
    with pytest.raises(CampaignChanged, match="another gate_spec"):
        campaign(weaker, tmp_path).run()


def test_changed_data_stop_a_campaign(laboratory: Laboratory, tmp_path: Path) -> None:
    campaign(laboratory, tmp_path).register()
    market = planted(BARS, 4, 0.06)
    with pytest.raises(CampaignChanged, match="another data"):
        campaign(replace(laboratory, market=market), tmp_path).run()


def test_a_deleted_trial_stops_a_campaign(
    laboratory: Laboratory, finished: tuple[Path, CampaignResult], tmp_path: Path
) -> None:
    lines = (finished[0] / "ledger.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["index"] != 5]
    (tmp_path / "ledger.jsonl").write_text("\n".join(kept) + "\n")
    with pytest.raises(LedgerBroken):
        campaign(laboratory, tmp_path)


def test_a_second_campaign_counts_the_trials_of_the_first_and_tries_none_twice(
    laboratory: Laboratory, finished: tuple[Path, CampaignResult], tmp_path: Path
) -> None:
    (tmp_path / "ledger.jsonl").write_bytes((finished[0] / "ledger.jsonl").read_bytes())
    second = campaign(laboratory, tmp_path, budget=10, name="two")
    second.run()
    assert second.trial_count() == BUDGET + 10
    proposed = [r.body["document_hashes"] for r in second.ledger.of(None, Kind.CANDIDATES)]
    hashes = [name for names in proposed for name in names]
    assert len(hashes) == len(set(hashes)) == BUDGET + 10


def test_verification_finds_every_bit_as_recorded(
    laboratory: Laboratory, finished: tuple[Path, CampaignResult]
) -> None:
    found = verify_campaign(campaign(laboratory, finished[0]))
    assert found.differences == []
    assert (found.trials, found.decisions) == (BUDGET, len(finished[1].verdicts))
    assert found.gates >= 8 * len(finished[1].verdicts)


def test_verification_finds_a_figure_that_was_made_up(
    laboratory: Laboratory, finished: tuple[Path, CampaignResult], tmp_path: Path
) -> None:
    """A forger who recomputes the whole chain still cannot make the trial come out."""
    forged = Ledger(tmp_path)
    for record in Ledger(finished[0]).records:
        body = dict(record.body)
        if record.kind is Kind.TRIAL and body["figures"]["sharpe"] == finished[1].verdicts[0].trial.sharpe:
            body["figures"] = body["figures"] | {"sharpe": 9.0}
        forged.append(record.kind, record.campaign, body)
    found = verify_campaign(campaign(laboratory, tmp_path))
    assert [text for text in found.differences if "figures" in text]


def test_a_candidate_that_breaks_the_screen_counts(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = Textbook().propose(4, 1, GenerationContext())
    monkeypatch.setattr("research.trials.trial.screen", _broken)
    trials = try_batch(laboratory, documents)
    assert [trial.status for trial in trials] == ["crashed"] * 4
    assert "ZeroDivisionError" in trials[0].note
    assert np.isnan(trials[0].sharpe)


def _broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("in a kernel")
