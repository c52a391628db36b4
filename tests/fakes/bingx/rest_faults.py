"""Faults of REST calls: for the next calls of a path, or at random from a seed."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal[
    "status",  # answer `status` and `body`, nothing executed
    "hang",  # execute, then answer after `seconds`
    "hang_before",  # nothing executed; the connection stays silent for `seconds` and drops
    "drop_before",  # the connection drops, nothing executed
    "drop_after",  # executed, the connection drops
    "truncate",  # executed, half of the answer
    "wrong_type",  # executed, code 0 with `body` as data (null, {} or [])
    "duplicate_row",  # executed, the first row of a list twice
    "code",  # HTTP 200 with `status` as the venue's code and `body` as its message
]
KINDS: tuple[str, ...] = get_args(Kind)

HTML = "<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"

# Names for what the reference lists, as (kind, status, body).
NAMED: dict[str, tuple[Kind, int, Any]] = {
    "rate_100410": ("code", 100410, "rate limitation"),
    "rate_109429": ("code", 109429, "Too many requests"),
    "http_429": ("status", 429, HTML.format(status=429)),
    "http_403": ("status", 403, HTML.format(status=403)),
    "http_418": ("status", 418, HTML.format(status=418)),
    "http_500": ("status", 500, HTML.format(status=500)),
    "http_502": ("status", 502, HTML.format(status=502)),
    "http_504": ("status", 504, HTML.format(status=504)),
    "busy": ("code", 109500, "System busy, please try again later"),
    "null_data": ("wrong_type", 200, None),
    "empty_object": ("wrong_type", 200, {}),
    "empty_list": ("wrong_type", 200, []),
}


@dataclass(slots=True)
class RestFault:
    """One fault; `times` counts down."""

    path: str  # end of the path; "" for every path
    kind: Kind
    method: str | None = None
    times: int = 1
    status: int = 200
    body: Any = None
    seconds: float = 0.0
    name: str = ""

    def matches(self, method: str, path: str) -> bool:
        return self.times > 0 and path.endswith(self.path) and self.method in (None, method)


def named(
    path: str, name: str, *, times: int = 1, method: str | None = None, seconds: float = 0.0
) -> RestFault:
    """Return a fault by the name of `NAMED` or by its kind."""
    if name in NAMED:
        kind, status, body = NAMED[name]
        return RestFault(path, kind, method, times, status, body, seconds, name)
    if name not in KINDS:
        raise ValueError(f"unknown REST fault {name!r}; known: {', '.join([*NAMED, *KINDS])}")
    return RestFault(path, name, method, times, seconds=seconds, name=name)  # type: ignore[arg-type]


@dataclass(slots=True)
class RestFaults:
    """What is planned, what happens at random, and what has happened."""

    planned: list[RestFault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    clock_skew_ms: int = 0
    random_rate: float = 0.0  # share of calls that get a random fault
    random_names: tuple[str, ...] = ()
    random_seconds: float = 0.0  # of a random hang
    random_skip: tuple[str, ...] = ()  # ends of paths that random faults leave alone
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def plan(self, fault: RestFault) -> None:
        self.planned.append(fault)

    def at_random(self, seed: int, rate: float, names: tuple[str, ...], seconds: float = 0.0) -> None:
        """Give a share of all calls one of the named faults, drawn from a seed."""
        for name in names:
            named("", name)  # an unknown name is an error now, not in a night's run
        self.rng = random.Random(seed)
        self.random_rate, self.random_names, self.random_seconds = rate, names, seconds

    def draw(self, method: str, path: str) -> RestFault | None:
        """Return the fault that this call gets."""
        for fault in self.planned:
            if fault.matches(method, path):
                fault.times -= 1
                if not fault.times:
                    self.planned.remove(fault)
                return self._counted(fault)
        if self.random_rate and not path.endswith(self.random_skip) and self.rng.random() < self.random_rate:
            name = self.rng.choice(self.random_names)
            return self._counted(named("", name, seconds=self.random_seconds))
        return None

    def _counted(self, fault: RestFault) -> RestFault:
        self.counts[f"rest {fault.name or fault.kind}"] += 1
        return fault


def duplicated(body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer whose first list has its first row twice."""
    copy: dict[str, Any] = json.loads(json.dumps(body))
    data = copy.get("data")
    lists = [data] if isinstance(data, list) else [v for v in (data or {}).values() if isinstance(v, list)]
    for rows in lists:
        if rows:
            rows.insert(0, rows[0])
            break
    return copy
