"""A small campaign on a planted market, the same in every process that builds it."""

from __future__ import annotations

from pathlib import Path

from research.calibration.markets import planted
from research.calibration.textbook import Textbook
from research.campaign.fingerprint import code_sha256
from research.campaign.plan import CampaignPlan
from research.campaign.run import Campaign
from research.campaign.store import CampaignFolder
from research.executors import Executor, SerialExecutor
from research.gates.lookahead import lookahead_gate
from research.ledger import Ledger, canonical
from research.standards import GateSpec, load_spec
from research.trials.trial import Laboratory
from research.trials.windows import cut
from tests.fakes import research_work

BARS = 24 * 300
BUDGET, ROUND = 24, 14


def fast_spec() -> GateSpec:
    """Return the gate file with fewer draws: everything else as it is."""
    values = load_spec().model_dump()
    values["g6_robustness"]["monte_carlo_draws"] = 500
    values["g5_statistics"]["spa_draws"] = 100
    values["g5_statistics"]["pbo_blocks"] = 8
    return GateSpec.model_validate(values)


def planted_laboratory() -> Laboratory:
    """Return a market with a strong planted edge, its windows and the fast gate file."""
    spec = fast_spec()
    market = planted(BARS, 5, 0.06)
    return Laboratory(market, cut(market, spec), spec)


def campaign(
    laboratory: Laboratory,
    lab: Path,
    executor: Executor | None = None,
    budget: int = BUDGET,
    name: str = "one",
) -> Campaign:
    """Return the campaign of a name in a lab."""
    windows, spec = laboratory.windows, laboratory.spec
    plan = CampaignPlan(
        id=name,
        seed=5,
        generator="textbook",
        budget=budget,
        round_size=ROUND,
        instruments=laboratory.market.instruments,
        timeframes=(60,),
        data_label="synthetic",
        data_sha256=laboratory.market.fingerprint(),
        windows={"holdout_first": windows.holdout.first, "holdout_days": windows.holdout.days},
        gate_spec=spec.model_dump(mode="json"),
        gate_spec_sha256=spec.sha256,
        code_sha256=code_sha256(),
    )
    return Campaign(
        plan,
        laboratory,
        Textbook(),
        Ledger(lab),
        CampaignFolder(lab / name),
        executor or SerialExecutor(),
        lookahead=lookahead_gate,
        engine=research_work.no_engine_here,
    )


def fingerprint(lab: Path) -> list[tuple[str, str]]:
    """Return what a ledger says, without the wall times and the hashes that cover them."""
    return [(record.kind.value, canonical(record.body)) for record in Ledger(lab).records]
