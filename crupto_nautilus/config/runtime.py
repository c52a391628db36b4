"""Settings that come from the environment: read once, validated, never written.

A variable that is not set, or empty, leaves the default.  Values that do not parse are refused with the
variable's name. Secrets are `SecretStr`: they appear in no representation, no log and no `crupto config
show`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from crupto_nautilus.errors import ConfigError, Problem, SafetyRefusal

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_URL_SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg", "postgres")


class VirtualTrading(BaseModel):
    """Virtual mode: orders carry the tag `asset`, risk is computed from `equity`, not the venue's balance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    asset: str = "VST"
    equity: float = 300.0


class RuntimeSettings(BaseModel):
    """What the environment says about a run; `run_id` None lets the run name itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["paper"] = "paper"
    run_id: str | None = None
    virtual: VirtualTrading = VirtualTrading()
    prometheus_port: int = 9108  # 0: no server
    retention_days: float = 30.0  # raw rows of ended runs stay so long in the journal; 0: for ever
    challenger_config: Path | None = None
    db_url: SecretStr | None = None  # may hold a password
    bingx_api_key: SecretStr | None = None
    bingx_api_secret: SecretStr | None = None

    def journal_url(self) -> str | None:
        """Return the database URL in clear, for the journal only."""
        return self.db_url.get_secret_value() if self.db_url else None


class _Bad(ValueError):
    pass


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise _Bad("1, true, yes, on or 0, false, no, off")
    return word in _TRUE


def _asset(text: str) -> str:
    if not re.fullmatch(r"[A-Z0-9]{1,12}", text):
        raise _Bad("an asset name in capitals, such as VST")
    return text


def _equity(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e9:  # NaN fails every comparison
        raise _Bad("a number > 0 and <= 1e9")
    return value


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise _Bad("a port 0..65535 (0: no server)")
    return int(text)


def _days(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 36_500:
        raise _Bad("days, 0..36500 (0: rows are kept for ever)")
    return value


def _run_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise _Bad("letters, digits, dot, dash and underscore, at most 64, beginning with a letter or digit")
    return text


def _mode(text: str) -> str:
    if text == "live":
        raise SafetyRefusal(
            "MODE=live: this desk trades on paper only",
            found="live",
            expected="paper",
            remedy="unset MODE; a live start is not built in",
        )
    if text != "paper":
        raise _Bad("paper")
    return text


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise _Bad("the path of a file that exists")
    return path


def _url(text: str) -> SecretStr:
    scheme = urlsplit(text).scheme
    if scheme not in _URL_SCHEMES or "://" not in text:
        raise _Bad("sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    return SecretStr(text)


def _key(text: str) -> SecretStr:
    # A key pasted from a page often ends in a line break, which would break the signature.
    return SecretStr(text.strip())


_VARIABLES: dict[str, tuple[str, Callable[[str], object]]] = {
    "MODE": ("mode", _mode),
    "RUN_ID": ("run_id", _run_id),
    "USE_VIRTUAL_TRADING": ("virtual.enabled", _boolean),
    "VIRTUAL_ASSET": ("virtual.asset", _asset),
    "VIRTUAL_EQUITY": ("virtual.equity", _equity),
    "PROMETHEUS_PORT": ("prometheus_port", _port),
    "CRUPTO_RETENTION_DAYS": ("retention_days", _days),
    "CHALLENGER_CONFIG": ("challenger_config", _file),
    "CRUPTO_DB_URL": ("db_url", _url),
    "BINGX_API_KEY": ("bingx_api_key", _key),
    "BINGX_API_SECRET": ("bingx_api_secret", _key),
}
PROFILES: Mapping[str, Mapping[str, str]] = {"paper": {}, "vst": {"USE_VIRTUAL_TRADING": "1"}}
"""What a profile sets where the environment says nothing."""

_SECRET = {"CRUPTO_DB_URL", "BINGX_API_KEY", "BINGX_API_SECRET"}


def read_environment(env: Mapping[str, str]) -> tuple[RuntimeSettings, dict[str, str]]:
    """Return the settings of the environment and, by dotted key, the variable each came from.

    Raises
    ------
    ConfigError
        A variable does not parse, or only one of the two BingX keys is set.
    SafetyRefusal
        `MODE=live`.
    """
    top: dict[str, object] = {}
    virtual: dict[str, object] = {}
    sources: dict[str, str] = {}
    problems: list[Problem] = []
    for name, (key, parse) in _VARIABLES.items():
        text = env.get(name, "").strip()
        if not text:
            continue
        try:
            value = parse(text)
        except _Bad as bad:
            shown = "a value that is not shown" if name in _SECRET else repr(text)
            problems.append(
                Problem(
                    f"environment variable {name}", "wrong value", shown, str(bad), f"correct or unset {name}"
                )
            )
            continue
        group, field = (virtual, key.removeprefix("virtual.")) if key.startswith("virtual.") else (top, key)
        group[field] = value
        sources[f"runtime.{key}"] = f"env:{name}"
    if ("bingx_api_key" in top) != ("bingx_api_secret" in top):
        one, other = sorted(
            ("BINGX_API_KEY", "BINGX_API_SECRET"), key=lambda name: _VARIABLES[name][0] not in top
        )
        problems.append(
            Problem(
                f"environment variable {other}",
                "is missing",
                f"{one} alone",
                "both or neither",
                f"set {other}",
            )
        )
    if problems:
        raise ConfigError(tuple(problems))
    return RuntimeSettings.model_validate({**top, "virtual": VirtualTrading.model_validate(virtual)}), sources
