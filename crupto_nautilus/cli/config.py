"""`crupto config`: what the desk is configured with, where each value comes from, and whether it is valid."""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, command
from crupto_nautilus.cli.options import config_option
from crupto_nautilus.cli.output import Result, Table, json_line
from crupto_nautilus.errors import UsageError


@click.group("config", context_settings=CONTEXT_SETTINGS)
def config() -> None:
    """Show and check the configuration, publish its schemas."""


@command("show")
@config_option
def show(config_dir: Path | None) -> Result:
    """Print every setting with its value and its source."""
    from crupto_nautilus.config import load_config

    loaded = load_config(config_dir)
    rows = loaded.show()
    data = {
        "settings": {row.key: {"value": row.value, "source": row.source} for row in rows},
        "config_hash": loaded.config_hash,
        "governance_hash": loaded.governance_hash,
    }
    table = Table("", ("setting", "value", "source"), tuple((row.key, row.value, row.source) for row in rows))
    hashes = f"config hash     {loaded.config_hash}\ngovernance hash {loaded.governance_hash}"
    return Result(data, (table, hashes))


@command("check")
@config_option
def check(config_dir: Path | None) -> Result:
    """Check the files and the environment."""
    from crupto_nautilus.config import load_config

    loaded = load_config(config_dir)
    data = {"ok": True, "config_hash": loaded.config_hash, "governance_hash": loaded.governance_hash}
    place = config_dir or "the built-in files"
    return Result(data, (f"{place}: valid (config hash {loaded.config_hash[:12]})",))


@command("schema")
@click.argument("name", required=False)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write one file a schema here.")
def schema(name: str | None, out: Path | None) -> Result:
    """Print the JSON Schemas of the files, or of one."""
    from crupto_nautilus.config import json_schemas

    schemas = json_schemas()
    if name is not None and name not in schemas:
        raise UsageError(f"there is no schema {name}", found=name, expected=", ".join(schemas))
    chosen = schemas if name is None else {name: schemas[name]}
    if out is None:
        return Result(chosen if name is None else schemas[name], (_pretty(chosen, name),))
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for key, value in chosen.items():
        path = out / f"{key}.schema.json"
        path.write_text(_pretty({key: value}, key) + "\n", encoding="utf-8")
        files.append(path)
    return Result({"files": files}, tuple(str(path) for path in files))


def _pretty(schemas: dict[str, dict[str, object]], name: str | None) -> str:
    import json

    return json.dumps(json.loads(json_line(schemas if name is None else schemas[name])), indent=2)


for _command in (show, check, schema):
    config.add_command(_command)
