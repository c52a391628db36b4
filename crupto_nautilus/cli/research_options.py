"""Options that the commands of `crupto research` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from crupto_nautilus.cli.options import Names

_EXECUTORS = ("serial", "pool", "ray")  # research.executors.NAMES, which help must not import


def lab_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--lab DIR`, the folder of ledger and campaigns."""
    return click.option(
        "--lab",
        "lab_dir",
        type=click.Path(path_type=Path),
        default=Path("runs/research"),
        show_default=True,
        envvar="CRUPTO_LAB",
        metavar="DIR",
        help="Folder of the ledger and of the campaigns.",
    )(body)


def campaign_options(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a new campaign is asked for: catalog, symbols, timeframes, generator, budget, seed, gates."""
    for option in (
        click.option(
            "--champions",
            type=click.Choice(["builtin", "none"]),
            default="builtin",
            show_default=True,
            help="Whom G7 compares with: the built-in strategies, as far as the bars allow.",
        ),
        gate_file_option,
        click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True),
        click.option(
            "--budget", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Candidates."
        ),
        click.option(
            "--generator", default="grammar", show_default=True, help="Who invents: grammar, textbook, ..."
        ),
        click.option(
            "--timeframes", type=Names(), default="1h", show_default=True, help="Of the candidates: 1h,4h."
        ),
        click.option("--symbols", type=Names(), help="Instruments or coins; default: all perpetuals."),
        click.option(
            "--catalog",
            "catalog_dir",
            type=click.Path(path_type=Path),
            envvar="CRUPTO_CATALOG",
            metavar="DIR",
            help="Folder of the catalog.",
        ),
    ):
        body = option(body)
    return body


def gate_file_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--gate-file FILE`."""
    return click.option(
        "--gate-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Gates with other thresholds; default: the built-in gate_spec.yaml.",
    )(body)


def executor_options(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--executor`, `--workers` and `--address`."""
    where = click.option(
        "--executor", type=click.Choice(_EXECUTORS), default="pool", show_default=True, help="What works."
    )
    many = click.option(
        "--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes; 0: one a core."
    )
    cluster = click.option(
        "--address", default="", metavar="URL", help="With ray: a running cluster, such as ray://head:10001."
    )
    return where(many(cluster(body)))
