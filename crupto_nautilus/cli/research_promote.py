"""`crupto research paper`, `promote`, `observe`, `demote`: from a survivor to the enable map, and back."""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import When, check_window, config_option, open_catalog, runs_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.research_options import gate_file_option, lab_option

_catalog = click.option(
    "--catalog",
    "catalog_dir",
    type=click.Path(path_type=Path),
    required=True,
    envvar="CRUPTO_CATALOG",
    metavar="DIR",
    help="Folder of the catalog.",
)
_folder = click.option(
    "--config",
    "config_dir",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Configuration folder whose enable_map.yaml is changed; made from the built-in one if missing.",
)


@command("paper")
@click.argument("campaign")
@click.argument("document")
@_catalog
@click.option("--start", "start_ns", type=When(), metavar="TIME", help="Default: the start of the holdout.")
@click.option("--end", "end_ns", type=When(), metavar="TIME", help="Default: the end of the holdout.")
@lab_option
@gate_file_option
@config_option
def paper(
    *,
    campaign: str,
    document: str,
    catalog_dir: Path,
    start_ns: int | None,
    end_ns: int | None,
    lab_dir: Path,
    gate_file: Path | None,
    config_dir: Path | None,
) -> Result:
    """Run a survivor alone in the paper node on replay (G8b): parity, limits, books.

    DOCUMENT is the beginning of its hash.  Exit code 1 when the gate fails.
    """
    from crupto_nautilus.config import load_config
    from crupto_nautilus.laboratory.probation import holdout_window, paper_gate
    from crupto_nautilus.laboratory.promotion import survivor
    from research.ledger import Ledger
    from research.standards import load_spec

    open_catalog(catalog_dir)
    check_window(start_ns, end_ns)
    ledger = Ledger(lab_dir)
    who = survivor(ledger, campaign, document)
    first, last = holdout_window(ledger, campaign)
    window = (first if start_ns is None else start_ns, last if end_ns is None else end_ns)
    config = load_config(config_dir)
    gate = paper_gate(ledger, who, catalog_dir, window, config, lab_dir, load_spec(gate_file))
    data = {"challenger": who.id, "gate": gate.to_body(), "ok": gate.passed}
    told = f"{who.id}: G8b {gate.status.value}" + ("" if gate.passed else f": {gate.why()}")
    return Result(data, (told, gate.note), exit_code=0 if gate.passed else 1)


@command("promote")
@click.argument("campaign")
@click.argument("document")
@click.option(
    "--to",
    "stage",
    type=click.Choice(["shadow", "canary", "canary-2"]),
    default="shadow",
    show_default=True,
    help="Next stage; each needs the evidence of the one before.",
)
@_folder
@lab_option
@gate_file_option
def promote(
    *, campaign: str, document: str, stage: str, config_dir: Path, lab_dir: Path, gate_file: Path | None
) -> Result:
    """Write a survivor into the enable map as challenger, with its document and the proof beside it.

    The change is one block of enable_map.yaml and two files in challengers/: review it like any other.  Exit
    code 4 when the ledger does not hold the evidence.
    """
    from crupto_nautilus.laboratory import promotion
    from crupto_nautilus.laboratory.evidence import STAGES
    from research.ledger import Ledger
    from research.standards import load_spec

    ledger = Ledger(lab_dir)
    who = promotion.survivor(ledger, campaign, document)
    step = next(one for one in STAGES if one == stage)
    entry = promotion.promote(ledger, who, step, config_dir, load_spec(gate_file))
    rows = tuple((name, str(value)) for name, value in entry.items() if name != "regimes")
    path = config_dir / "enable_map.yaml"
    return Result(
        {"entry": entry, "enable_map": path}, (Table(f"{who.id} -> {stage}", ("", ""), rows), str(path))
    )


@command("observe")
@click.argument("run")
@_catalog
@_folder
@runs_option
@lab_option
@gate_file_option
def observe(
    *,
    run: str,
    catalog_dir: Path,
    config_dir: Path,
    runs_dir: Path,
    lab_dir: Path,
    gate_file: Path | None,
) -> Result:
    """Read what a run showed of each promoted challenger: shadow (G9) and canary (G10), into the ledger.

    A challenger that broke its band in two runs in a row is demoted at once: its entry leaves the enable map.
    """
    from crupto_nautilus.config import load_config
    from crupto_nautilus.laboratory.probation import observe as look
    from crupto_nautilus.reports.run_folder import RunFolder
    from research.ledger import Ledger
    from research.standards import load_spec

    open_catalog(catalog_dir)
    folder = RunFolder.open(run, runs_dir)
    seen = look(
        Ledger(lab_dir), folder, catalog_dir, load_config(config_dir), config_dir, load_spec(gate_file)
    )
    rows = tuple(
        (
            one.challenger,
            one.stage,
            f"{one.gate.gate} {one.gate.status.value}",
            one.gate.why() if not one.gate.passed else one.gate.note,
            f"DEMOTED: {one.breach}" if one.demoted else one.breach or "-",
        )
        for one in seen
    )
    data = {
        "run": folder.run_id,
        "challengers": [
            {
                "id": one.challenger,
                "stage": one.stage,
                "gate": one.gate.to_body(),
                "breach": one.breach,
                "demoted": one.demoted,
            }
            for one in seen
        ],
    }
    table = Table(f"run {folder.run_id}", ("challenger", "stage", "gate", "why", "breach"), rows)
    return Result(data, (table,) if rows else ("the enable map lists no promoted challenger",))


@command("demote")
@click.argument("challenger")
@click.option("--reason", required=True, help="Why, for the ledger.")
@click.option(
    "--at", "at_ns", type=When(), required=True, metavar="TIME", help="Data time: the cooldown's start."
)
@_folder
@lab_option
def demote(*, challenger: str, reason: str, at_ns: int, config_dir: Path, lab_dir: Path) -> Result:
    """Take a challenger out of the enable map and record why; it cools down for 30 days of data."""
    from crupto_nautilus.laboratory.promotion import demote as take_down
    from research.ledger import Ledger

    was_there = take_down(Ledger(lab_dir), challenger, config_dir, reason, at_ns)
    told = f"{challenger} demoted" + ("" if was_there else "; the enable map did not list it")
    return Result({"challenger": challenger, "removed": was_there}, (told,))
