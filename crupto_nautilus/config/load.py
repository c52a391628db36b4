"""Compose the configuration of a desk from its files and the environment, and say where each value comes
from.

Order: the defaults inside the package, then whole files of `--config DIR`, then environment variables.  A
file in DIR replaces the default file of that name entirely: a key it leaves out takes the built-in
default, not the shipped file's value.  The result is frozen; the governance limits are hashed by
themselves.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pydantic import BaseModel, SecretStr

from actors.enable_map import EnableMap, UnknownStrategy
from crupto_nautilus.config.challengers import placed, read_challengers
from crupto_nautilus.config.instrument_table import InstrumentTable
from crupto_nautilus.config.runtime import PROFILES, RuntimeSettings, read_environment
from crupto_nautilus.config.symbols import SymbolsConfig
from crupto_nautilus.config.validation import validate
from crupto_nautilus.config.yaml_file import Tree, read_yaml
from crupto_nautilus.errors import ConfigError, Problem, UsageError
from risk.settings import RiskSettings

DEFAULTS = Path(__file__).parent / "defaults"
FILES: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "governance": RiskSettings,
        "enable_map": EnableMap,
        "symbols": SymbolsConfig,
        "instruments": InstrumentTable,
    }
)
# Settings that name a run or its surroundings; two runs that differ only here decide alike.
# The file of challengers is hashed by what it says, as part of the enable map.
_NOT_HASHED = {
    *("run_id", "prometheus_port", "retention_days", "db_url"),
    *("bingx_api_key", "bingx_api_secret", "challenger_config"),
}


class ConfigRow(NamedTuple):
    """One line of `crupto config show`."""

    key: str
    value: str
    source: str  # "default", "file:<path>" or "env:<NAME>"


@dataclass(frozen=True, slots=True)
class DeskConfig:
    """Everything a run is configured with; nothing in it can be assigned."""

    governance: RiskSettings
    enable_map: EnableMap
    symbols: SymbolsConfig
    instruments: InstrumentTable
    runtime: RuntimeSettings
    provenance: Mapping[str, str]  # dotted key -> "default" | "file:<path>" | "env:<NAME>"
    config_hash: str  # sha256 of everything that decisions depend on
    governance_hash: str  # sha256 of the governance limits

    def show(self) -> tuple[ConfigRow, ...]:
        """Return every setting with its source, secrets masked, in the order of the files."""
        rows = []
        for name in (*FILES, "runtime"):
            for key, value in _leaves(getattr(self, name).model_dump(mode="python"), name):
                rows.append(ConfigRow(key, _shown(value), self.provenance.get(key, "default")))
        return tuple(rows)

    def public(self) -> dict[str, object]:
        """Return the configuration as plain values for a run record; secrets are masked."""
        return {name: getattr(self, name).model_dump(mode="json") for name in (*FILES, "runtime")}


def load_config(
    config_dir: Path | None = None,
    env: Mapping[str, str] | None = None,
    strategies: Collection[str] | None = None,
    profile: str = "paper",
) -> DeskConfig:
    """Load and check the configuration.

    Parameters
    ----------
    config_dir : Path, optional
        Folder whose `governance.yaml`, `enable_map.yaml`, `symbols.yaml` or `instruments.yaml` replaces the
        default.
    env : Mapping, optional
        Environment; `os.environ` when left out.
    strategies : Collection[str], optional
        Names the enable map may use; the strategy registry when left out.
    profile : str
        A key of `PROFILES`, whose variables hold where the environment does not set them.

    Raises
    ------
    ConfigError, UsageError
        A file, key or variable is wrong; says which, what was found and what was expected.
    SafetyRefusal
        `MODE=live`.
    EnvironmentProblem
        A file cannot be read.
    """
    given = os.environ if env is None else env
    preset = {name: text for name, text in PROFILES[profile].items() if not given.get(name, "").strip()}
    runtime, env_sources = read_environment({**given, **preset})
    preset_sources = {f"env:{name}": f"profile:{profile}" for name in preset}
    env_sources = {key: preset_sources.get(source, source) for key, source in env_sources.items()}
    found = _files_in(config_dir)
    models: dict[str, BaseModel] = {}
    provenance: dict[str, str] = {}
    for name, model in FILES.items():
        path = found.get(name, DEFAULTS / f"{name}.yaml")
        tree = read_yaml(path)
        models[name] = validate(model, tree, str(path) if name in found else path.name)
        named = {key for key, _ in _leaves(tree, name)}
        for key, _ in _leaves(models[name].model_dump(mode="python"), name):
            provenance[key] = f"file:{path}" if name in found and key in named else "default"
    for key, _ in _leaves(runtime.model_dump(mode="python"), "runtime"):
        provenance[key] = env_sources.get(key, "default")
    enable_map = models["enable_map"]
    assert isinstance(enable_map, EnableMap)
    if runtime.challenger_config is not None:
        enable_map = read_challengers(runtime.challenger_config, enable_map)
        provenance["enable_map.challengers"] = f"file:{runtime.challenger_config}"
    elif enable_map.challengers:
        folder = found.get("enable_map", DEFAULTS / "enable_map.yaml").parent
        enable_map = enable_map.with_challengers(placed(enable_map.challengers, folder))
    models["enable_map"] = enable_map
    _check_strategies(enable_map, strategies, found.get("enable_map"))
    return _compose(models, runtime, provenance)


def _compose(
    models: Mapping[str, BaseModel], runtime: RuntimeSettings, provenance: Mapping[str, str]
) -> DeskConfig:
    hashed: Tree = {name: model.model_dump(mode="json") for name, model in models.items()}
    for challenger in hashed["enable_map"]["challengers"]:
        del challenger["document"]  # its hash says what it holds, wherever it lies
    governance_hash = sha256_of(hashed["governance"])
    hashed["runtime"] = runtime.model_dump(mode="json", exclude=_NOT_HASHED)
    return DeskConfig(
        runtime=runtime,
        provenance=MappingProxyType(dict(provenance)),
        config_hash=sha256_of(hashed),
        governance_hash=governance_hash,
        **models,  # type: ignore[arg-type]  # FILES pairs each name with its model
    )


def sha256_of(values: object) -> str:
    """Return the sha256 of values as canonical JSON: sorted keys, no blanks, no NaN."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _files_in(config_dir: Path | None) -> dict[str, Path]:
    if config_dir is None:
        return {}
    names = ", ".join(f"{name}.yaml" for name in FILES)
    if not config_dir.is_dir():
        raise UsageError(
            f"--config {config_dir} is no folder",
            found="a file" if config_dir.exists() else "nothing",
            expected=f"a folder with one or more of {names}",
            remedy="crupto config show",
        )
    found: dict[str, Path] = {}
    for path in sorted(config_dir.iterdir()):
        if path.suffix not in {".yaml", ".yml"}:
            continue
        if path.suffix == ".yml" or path.stem not in FILES:
            near = difflib.get_close_matches(path.stem, list(FILES), n=1, cutoff=0.5)
            raise UsageError(
                f"{path} is not a file this desk reads",
                found=path.name,
                expected=f"one of {names}",
                remedy=f"rename it to {near[0]}.yaml" if near else "move it out of the folder",
            )
        found[path.stem] = path
    if not found:
        raise UsageError(
            f"--config {config_dir} holds no configuration file",
            found="none of them",
            expected=f"one or more of {names}",
            remedy="crupto config show",
        )
    return found


def _check_strategies(enable_map: EnableMap, known: Collection[str] | None, path: Path | None) -> None:
    if known is None:
        from strategies.registry import REGISTRY

        known = list(REGISTRY)
    try:
        enable_map.check_strategies(known)
    except UnknownStrategy as error:
        where = f"{path or 'enable_map.yaml'}: {error.key}"
        raise ConfigError(
            (Problem(where, error.message, error.found, error.expected, error.remedy),)
        ) from error


def _leaves(value: object, prefix: str) -> Iterator[tuple[str, object]]:
    """Yield dotted key and value of everything that is not a non-empty mapping; a list is one value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{key}")
    else:
        yield prefix, value


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")  # never 1e-05
    return "{}" if value == {} else str(value)
