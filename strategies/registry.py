"""The strategies that the desk knows, in the order in which they act.

Guarantees: names, tags and priorities are unique; an unknown name raises with the known ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from strategies import breakout_4h, funding_reversion, range_reversion_5m, volatility_expansion_15m
from strategies.rule import Rule


class RegistryError(ValueError):
    """A strategy is unknown or was registered twice.

    Attributes
    ----------
    message, found, expected, remedy : str
        What was wrong, what was found, what was expected, and the command that mends it (may be empty).
    """

    def __init__(self, message: str, found: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.found = found
        self.expected = expected
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """One strategy as the desk runs it.

    `tag` are the two letters of its order tags.  `warmup` maps minutes to the closed bars after which the
    rule is warm, the last of them included; `warmup_funding_days` is the settled funding it needs before
    its first bar. `priority` orders the handlers of an instant (higher acts first).  `mean_reverting` turns
    the sign of the selection's return heuristic.
    """

    name: str
    tag: str
    rule: type[Rule]
    minutes: int
    mean_reverting: bool
    warmup: dict[int, int]
    priority: int
    warmup_funding_days: int = 0


def build_registry(specs: Iterable[StrategySpec]) -> dict[str, StrategySpec]:
    """Return the specs by name, highest priority first.

    Raises
    ------
    RegistryError
        A name, tag or priority occurs twice, or name and timeframe are not those of the rule.
    """
    known: dict[str, StrategySpec] = {}
    for spec in sorted(specs, key=lambda spec: -spec.priority):
        for other in known.values():
            for field in ("name", "tag", "priority"):
                if getattr(spec, field) == getattr(other, field):
                    raise RegistryError(
                        f"{field} {getattr(spec, field)!r} was registered twice, "
                        f"by {other.name} and by {spec.name}",
                        found=str(getattr(spec, field)),
                        expected=f"a {field} that no other strategy has",
                    )
        if (spec.name, spec.minutes) != (spec.rule.name, spec.rule.minutes):
            raise RegistryError(
                f"spec {spec.name} ({spec.minutes} minutes) was given the rule of "
                f"{spec.rule.name} ({spec.rule.minutes} minutes)",
                found=f"{spec.rule.name}, {spec.rule.minutes}",
                expected=f"{spec.name}, {spec.minutes}",
            )
        known[spec.name] = spec
    return known


REGISTRY: dict[str, StrategySpec] = build_registry(
    (
        StrategySpec(
            name="breakout_4h",
            tag="BO",
            rule=breakout_4h.Breakout4h,
            minutes=240,
            mean_reverting=False,
            warmup={240: breakout_4h.WARMUP_BARS},
            priority=50,
        ),
        StrategySpec(
            name="volatility_expansion_15m",
            tag="VE",
            rule=volatility_expansion_15m.VolatilityExpansion15m,
            minutes=15,
            mean_reverting=False,
            warmup={15: volatility_expansion_15m.WARMUP_BARS},
            priority=49,
        ),
        StrategySpec(
            name="range_reversion_5m",
            tag="RR",
            rule=range_reversion_5m.RangeReversion5m,
            minutes=5,
            mean_reverting=True,
            warmup={5: range_reversion_5m.WARMUP_BARS},
            priority=48,
        ),
        StrategySpec(
            name="funding_reversion",
            tag="FR",
            rule=funding_reversion.FundingReversion,
            minutes=60,
            mean_reverting=True,
            warmup={60: funding_reversion.WARMUP_BARS},
            priority=47,
            warmup_funding_days=funding_reversion.HISTORY_DAYS,
        ),
    )
)


def get(name: str) -> StrategySpec:
    """Return the spec of a strategy.

    Raises
    ------
    RegistryError
        No strategy has this name.
    """
    spec = REGISTRY.get(name)
    if spec is None:
        known = ", ".join(REGISTRY)
        raise RegistryError(
            f"strategy {name!r} is unknown; the known ones are {known}",
            found=name,
            expected=f"one of {known}",
            remedy="crupto config show",
        )
    return spec
