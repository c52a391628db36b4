"""The expressions of boards and alert rules: found, checked against the table of metrics, asked of a server.

Guarantees: nothing is left out: a folder without boards, or a board without panels, is an error and not an
empty success.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dashboards.metrics import METRICS, Kind

ROOM = Path(__file__).parent
BOARDS = ROOM / "grafana"
RULES = ROOM / "prometheus" / "alerts.yml"
DOCUMENT = ROOM / "METRICS.md"

_NAME = re.compile(r"\bcrupto_[a-z0-9_]+")
_COMPARISON = re.compile(r"(==|!=|>=|<=|>|<)(?!=)(?! *bool)")
_ASK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression and where it stands."""

    place: str
    text: str
    is_rule: bool = False

    def names(self) -> set[str]:
        """Return the metrics it uses, histograms by their own name."""
        return {_own_name(name) for name in _NAME.findall(self.text)}

    def as_question(self, window: str = "10s") -> str:
        """Return a form that has a result whenever its metrics have one.

        `$__rate_interval` becomes `window`; the comparisons of a rule are asked as `bool`, since a rule that
        does not fire has no result.
        """
        text = self.text.replace("$__rate_interval", window)
        if not self.is_rule:
            return text
        parts = re.split(r"(\{[^}]*\})", text)  # label matchers hold = and != of their own
        return "".join(
            part if place % 2 else _COMPARISON.sub(r"\1 bool", part) for place, part in enumerate(parts)
        )


def _own_name(name: str) -> str:
    for suffix in ("_bucket", "_sum", "_count"):
        base = name.removesuffix(suffix)
        if base != name and base in METRICS and METRICS[base].kind is Kind.HISTOGRAM:
            return base
    return name


def board_expressions(folder: Path = BOARDS) -> Iterator[Expression]:
    """Yield the expressions of every target of every panel.

    Raises
    ------
    ValueError
        There is no board, or one of them asks nothing.
    """
    boards = sorted(folder.glob("*.json"))
    if not boards:
        raise ValueError(f"no board was found in {folder}, expected dashboard_*.json")
    for path in boards:
        board: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = [
            Expression(f"{path.name}: {panel['title']} {target['refId']}", target["expr"])
            for panel in board["panels"]
            for target in panel.get("targets", ())
        ]
        if not found:
            raise ValueError(f"{path} asks nothing, expected panels with targets")
        yield from found


def rule_expressions(path: Path = RULES) -> Iterator[Expression]:
    """Yield the expressions of the alert rules."""
    rules = yaml.safe_load(path.read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield Expression(f"{path.name}: {rule['alert']}", rule["expr"], is_rule=True)


def unknown_names(expressions: Iterator[Expression]) -> list[str]:
    """Return `place: name` of every metric that the table does not have."""
    return [
        f"{expression.place}: {name}"
        for expression in expressions
        for name in sorted(expression.names() - set(METRICS))
    ]


def ask(server: str, question: str) -> list[dict[str, Any]]:
    """Return the result of an instant query of a Prometheus.

    Raises
    ------
    ValueError
        The server cannot be reached, or refuses the question.
    """
    url = f"{server.rstrip('/')}/api/v1/query?" + urllib.parse.urlencode({"query": question})
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"the server was {server!r}, expected http://HOST:PORT")
    try:
        with urllib.request.urlopen(url, timeout=_ASK_TIMEOUT_S) as reply:  # noqa: S310 - scheme checked above
            answer = json.load(reply)
    except urllib.error.HTTPError as error:
        raise ValueError(f"{question}: {error.read().decode(errors='replace')[:300]}") from error
    except OSError as error:
        raise ValueError(f"{server} does not answer: {error}") from error
    return list(answer["data"]["result"])
