"""`crupto research schema`, `check` and `propose`: strategy documents on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import Names
from crupto_nautilus.cli.output import Result, Table, json_line
from crupto_nautilus.cli.research_options import GENERATORS
from crupto_nautilus.errors import EnvironmentProblem, UsageError


@command("schema")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it here.")
def schema(out: Path | None) -> Result:
    """Print the JSON Schema of a strategy document.

    The schema holds structure and bounds; units, and sides that must fit the direction, are checked on top of
    it by `crupto research check`.
    """
    from research.dsl.schema import document_schema

    made = document_schema()
    if out is None:
        return Result(made, (json_line(made),))
    _write(out, json.dumps(made, indent=2) + "\n")
    return Result({"file": str(out)}, (f"written to {out}",))


@command("check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def check(file: Path) -> Result:
    """Say whether a document (YAML or JSON) is valid, and what it is: its hash, size and warm-up."""
    from research.dsl import parse_document
    from research.dsl.program import compile_document

    document = parse_document(_read(file))
    program = compile_document(document)
    data: dict[str, Any] = {
        "ok": True,
        "name": document.name,
        "document_hash": document.document_hash,
        "timeframe": document.timeframe,
        "direction": document.direction,
        "nodes": document.node_count,
        "depth": document.depth,
        "ready_bars": program.ready_bars,
        "settle_bars": program.settle_bars,
        "uses_funding": program.uses_funding,
        "uses_basis": program.uses_basis,
        "entry_long": program.steps[program.entry_long].key if program.entry_long >= 0 else None,
        "entry_short": program.steps[program.entry_short].key if program.entry_short >= 0 else None,
    }
    rows = tuple((key, str(value)) for key, value in data.items() if key != "ok" and value is not None)
    return Result(data, (Table(f"{file}: valid", ("what", "value"), rows),))


@command("propose")
@click.option("--count", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--generator", type=click.Choice(GENERATORS), default="grammar", show_default=True)
@click.option("--timeframes", type=Names(), default="1h", show_default=True, help="Such as 1h,4h.")
@click.option("--funding/--no-funding", default=True, show_default=True, help="Whether funding may be used.")
@click.option("--basis/--no-basis", default=True, show_default=True, help="Whether the basis may be used.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="One file each.")
def propose(
    *,
    count: int,
    seed: int,
    generator: str,
    timeframes: tuple[str, ...],
    funding: bool,
    basis: bool,
    out: Path | None,
) -> Result:
    """Let a generator write candidate documents; the same seed gives the same ones."""
    from crupto_nautilus.laboratory.generators import make_generator
    from research.generators import GenerationContext

    known = ("5m", "15m", "1h", "4h")
    wrong = [name for name in timeframes if name not in known]
    if wrong:
        raise UsageError(f"unknown timeframe {wrong[0]}", found=wrong[0], expected=", ".join(known))
    context = GenerationContext(timeframes=timeframes, has_funding=funding, has_basis=basis)
    documents = make_generator(generator).make().propose(count, seed, context)
    data = {"documents": [json.loads(document.canonical_json()) for document in documents]}
    if out is None:
        return Result(data, ("\n".join(document.canonical_json() for document in documents),))
    for document in documents:
        _write(out / f"{document.name}.json", document.canonical_json() + "\n")
    return Result({**data, "folder": str(out)}, (f"{len(documents)} documents written to {out}",))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file} is no text", found=str(error), expected="a YAML or JSON document"
        ) from error
    except OSError as error:
        raise EnvironmentProblem(f"{file} cannot be read", found=error.strerror or str(error)) from error


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"{file} cannot be written", found=error.strerror or str(error), remedy="choose another --out"
        ) from error
