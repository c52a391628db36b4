"""Options that the commands of `crupto research` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import click

from crupto_nautilus.cli.options import Names, window_options

# What the rooms call NAMES, and help must not import; a test compares.
EXECUTORS = ("serial", "pool", "ray")
GENERATORS = ("grammar", "templates", "genetic", "llm", "textbook")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of a new campaign say; times ns UTC."""

    catalog_dir: Path | None
    symbols: tuple[str, ...] | None
    timeframes: tuple[str, ...]
    start_ns: int | None
    end_ns: int | None
    generator: str
    budget: int
    seed: int
    gate_file: Path | None
    champions: Literal["builtin", "none"]


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
    """Add what a new campaign is asked for, handed over as one argument `asked`."""

    @functools.wraps(body)
    def gathered(**values: Any) -> Any:
        asked = Asked(**{field.name: values.pop(field.name) for field in fields(Asked)})
        return body(asked=asked, **values)

    made: Callable[..., Any] = window_options(gathered)
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
            "--generator",
            type=click.Choice(GENERATORS),
            default="grammar",
            show_default=True,
            help="Who invents; templates, genetic and llm learn from round to round.",
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
        made = option(made)
    return made


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
        "--executor", type=click.Choice(EXECUTORS), default="pool", show_default=True, help="What works."
    )
    many = click.option(
        "--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes; 0: one a core."
    )
    cluster = click.option(
        "--address", default="", metavar="URL", help="With ray: a running cluster, such as ray://head:10001."
    )
    return where(many(cluster(body)))
