"""`crupto research new`, `run`, `status`, `verify`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import check_window, config_option, open_catalog, resolve_symbols
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.progress import progress
from crupto_nautilus.cli.research_options import Asked, campaign_options, executor_options, lab_option
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from crupto_nautilus.laboratory.setup import Wishes
    from research.campaign.run import CampaignResult

_ID = re.compile(r"^[a-z0-9][a-z0-9_-]{2,47}$")


@command("new")
@click.argument("campaign")
@campaign_options
@lab_option
@config_option
def new(
    *,
    campaign: str,
    asked: Asked,
    lab_dir: Path,
    config_dir: Path | None,
) -> Result:
    """Register a campaign: its plan stands in the ledger before anything is computed.

    CAMPAIGN is an id of your choice.  Seed, budget, market, windows, gate file and code are fixed with it;
    `crupto research run CAMPAIGN` then works by this plan and no other.
    """
    from crupto_nautilus.config import load_config
    from crupto_nautilus.laboratory.setup import prepare_campaign

    wishes = _wishes(campaign, asked, lab_dir)
    prepared = prepare_campaign(wishes, lab_dir, load_config(config_dir))
    wishes.save(lab_dir / campaign)
    prepared.register()
    plan = prepared.plan
    rows = tuple(
        (name, str(value))
        for name, value in (
            ("instruments", ", ".join(plan.instruments)),
            ("budget", f"{plan.budget} candidates of {plan.generator}, seed {plan.seed}"),
            ("research", f"{plan.windows['research_days']} days"),
            ("embargo", f"{plan.windows['embargo_days']} days"),
            ("holdout", f"{plan.windows['holdout_days']} days, closed"),
            ("gate file", plan.gate_spec_sha256),
        )
    )
    data = {"campaign": campaign, "plan": plan.model_dump(mode="json"), "head": prepared.ledger.head}
    return Result(data, (Table(f"campaign {campaign}", ("", ""), rows), f"crupto research run {campaign}"))


@command("run")
@click.argument("campaign")
@campaign_options
@lab_option
@executor_options
@config_option
def run(
    *,
    campaign: str,
    asked: Asked,
    lab_dir: Path,
    executor: str,
    workers: int,
    address: str,
    config_dir: Path | None,
) -> Result:
    """Run a campaign to its decisions, or go on with one that was interrupted.

    A campaign that was not registered yet is registered first; then --catalog is needed, and the options of
    `crupto research new` are taken.  For a registered one they are not: its plan stands.
    """
    from crupto_nautilus.config import load_config
    from crupto_nautilus.laboratory.page import write_page
    from crupto_nautilus.laboratory.setup import Wishes, prepare_campaign
    from research.executors import make_executor

    fresh = not (lab_dir / campaign / "campaign.json").is_file()
    wishes = _wishes(campaign, asked, lab_dir) if fresh else Wishes.load(lab_dir, campaign)
    runner = make_executor(executor, workers, address, ["crupto_nautilus.laboratory.setup"])
    with progress() as report:
        prepared = prepare_campaign(wishes, lab_dir, load_config(config_dir), runner, report)
        if fresh:
            wishes.save(lab_dir / campaign)
        result = prepared.run()
    page = write_page(prepared, result)
    data = _summary(result) | {"head": prepared.ledger.head, "page": page}
    return Result(data, (*_blocks(result), f"page    {page}", f"head    {prepared.ledger.head}"))


@command("status")
@click.argument("campaign", required=False)
@lab_option
def status(*, campaign: str | None, lab_dir: Path) -> Result:
    """Say where campaigns stand: candidates tried, gates, holdout, decisions; from the ledger alone."""
    from crupto_nautilus.laboratory.status import campaign_states, deployments
    from research.ledger import Ledger

    if not lab_dir.is_dir():
        return Result({"campaigns": [], "head": None}, (f"no campaign in {lab_dir}",))
    ledger = Ledger(lab_dir)
    states = [state for state in campaign_states(ledger) if campaign in (None, state.id)]
    if campaign is not None and not states:
        raise UsageError(
            f"the ledger knows no campaign {campaign}",
            found=campaign,
            expected="a registered campaign",
            remedy="crupto research status",
        )
    rows = tuple(
        (s.id, s.stage, f"{s.tried}/{s.budget}", str(s.finalists), "opened" if s.holdout else "closed",
         ", ".join(f"{gate} {count}" for gate, count in s.killed.items()) or "-", str(len(s.survivors)))
        for s in states
    )  # fmt: skip
    columns = ("campaign", "stage", "tried", "finalists", "holdout", "killed by", "survivors")
    table = Table("", columns, rows, frozenset({"tried", "finalists", "survivors"}))
    outside = deployments(ledger)
    blocks: list[str | Table] = [table]
    if outside:
        lines = tuple((d.challenger, d.stage, d.campaign, d.document_hash[:12]) for d in outside)
        blocks.append(Table("challengers", ("id", "stage", "campaign", "document"), lines))
    data = {"campaigns": states, "challengers": outside, "lines": len(ledger.records), "head": ledger.head}
    return Result(data, (*blocks, f"ledger  {len(ledger.records)} lines, head {ledger.head}"))


@command("verify")
@click.argument("campaign", required=False)
@click.option(
    "--document", "documents", multiple=True, metavar="HASH", help="Only this trial; may be repeated."
)
@lab_option
@executor_options
@config_option
def verify(
    *,
    campaign: str | None,
    documents: tuple[str, ...],
    lab_dir: Path,
    executor: str,
    workers: int,
    address: str,
    config_dir: Path | None,
) -> Result:
    """Check the ledger's chain and mirror; with a CAMPAIGN, compute its decisions again bit for bit.

    Exit code 1 when a line was edited, cut or reordered, or when a trial, a gate or a decision does not come
    out as it was recorded.
    """
    from research.ledger import Ledger

    if not (lab_dir / "ledger.jsonl").is_file():
        raise UsageError(
            f"there is no ledger in {lab_dir}",
            found="no ledger.jsonl",
            expected="the folder of a lab",
            remedy="crupto research verify --lab DIR",
        )
    ledger = Ledger(lab_dir)
    lines = ledger.verify()
    told = f"{lines} lines, head {ledger.head}: the chain and its mirror hold"
    data: dict[str, object] = {"ok": True, "lines": lines, "head": ledger.head}
    if campaign is None:
        return Result(data, (told,))

    from crupto_nautilus.config import load_config
    from crupto_nautilus.laboratory.setup import Wishes, prepare_campaign
    from research.campaign.verify import verify_campaign
    from research.executors import make_executor

    runner = make_executor(executor, workers, address, ["crupto_nautilus.laboratory.setup"])
    with progress() as report:
        wishes = Wishes.load(lab_dir, campaign)
        prepared = prepare_campaign(wishes, lab_dir, load_config(config_dir), runner)
        found = verify_campaign(prepared, documents=documents, report=report)
    data |= {
        "ok": found.ok, "campaign": campaign, "trials": found.trials, "gates": found.gates,
        "decisions": found.decisions, "differences": found.differences, "notes": found.notes,
    }  # fmt: skip
    again = f"computed again: {found.trials} trials, {found.gates} gates, {found.decisions} decisions; " + (
        "every bit as recorded" if found.ok else f"{len(found.differences)} DIFFER"
    )
    remarks = (*(f"note: {note}" for note in found.notes), *(f"differs: {d}" for d in found.differences[:20]))
    return Result(data, (told, again, *remarks), exit_code=0 if found.ok else 1)


def _wishes(campaign: str, asked: Asked, lab_dir: Path) -> Wishes:
    from crupto_nautilus.laboratory.generators import make_generator
    from crupto_nautilus.laboratory.setup import Wishes

    check_window(asked.start_ns, asked.end_ns)
    if not _ID.match(campaign):
        raise UsageError(
            "the campaign's id cannot be used",
            found=repr(campaign),
            expected="3 to 48 small letters, digits, - and _",
            remedy="crupto research new autumn-1h --catalog DIR",
        )
    if (lab_dir / campaign / "campaign.json").is_file():
        raise UsageError(
            f"campaign {campaign} exists already",
            found=str(lab_dir / campaign),
            expected="a new id: a plan is never changed",
            remedy=f"crupto research run {campaign}",
        )
    if asked.catalog_dir is None:
        raise UsageError(
            f"campaign {campaign} is not registered",
            found="no --catalog",
            expected="the market it is to search",
            remedy=f"crupto research run {campaign} --catalog DIR",
        )
    catalog = open_catalog(asked.catalog_dir)
    make_generator(asked.generator).make()  # one that cannot be set up is refused before the plan stands
    return Wishes(
        id=campaign,
        catalog=str(asked.catalog_dir.resolve()),
        instruments=resolve_symbols(asked.symbols, catalog.instruments()) if asked.symbols else (),
        timeframes=asked.timeframes,
        start_ns=asked.start_ns,
        end_ns=asked.end_ns,
        generator=asked.generator,
        budget=asked.budget,
        seed=asked.seed,
        gate_file=str(asked.gate_file.resolve()) if asked.gate_file else "",
        champions=asked.champions,
    )


def _summary(result: CampaignResult) -> dict[str, object]:
    return {
        "campaign": result.plan.id,
        "trials": len(result.trials),
        "passed_g0": sum(entry[0].passed for entry in result.entries),
        "passed_g2": sum(entry[1].passed for entry in result.entries),
        "finalists": [
            {
                "document_hash": verdict.document.document_hash,
                "name": verdict.document.name,
                "sharpe": verdict.trial.sharpe,
                "survived": verdict.survived,
                "gates": {gate.gate: gate.status.value for gate in verdict.gates},
                "why": {gate.gate: gate.why() for gate in verdict.gates if not gate.passed},
            }
            for verdict in result.verdicts
        ],
        "survivors": [verdict.document.document_hash for verdict in result.survivors],
    }


def _blocks(result: CampaignResult) -> tuple[str | Table, ...]:
    rows = tuple(
        (
            verdict.document.name,
            verdict.document.document_hash[:12],
            f"{verdict.trial.sharpe:.2f}",
            "survived" if verdict.survived else "died",
            "; ".join(f"{gate.gate}: {gate.why()}" for gate in verdict.killed_by) or "-",
        )
        for verdict in result.verdicts
    )
    floors = sum(all(gate.passed for gate in entry) for entry in result.entries)
    told = (
        f"{len(result.trials)} candidates tried, {floors} passed the floors, {len(result.verdicts)} went "
        f"before every gate, {len(result.survivors)} survived"
    )
    table = Table("finalists", ("name", "document", "Sharpe", "", "why"), rows, frozenset({"Sharpe"}))
    return (told, table) if rows else (told,)
