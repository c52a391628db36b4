from __future__ import annotations

from dataclasses import replace

import pytest

from strategies.batch import replay
from strategies.registry import REGISTRY, RegistryError, build_registry, get
from tests.unit.strategies.subjects import NAME, synthetic_history


def test_order_tags_and_priorities() -> None:
    rows = [(spec.name, spec.tag, spec.priority) for spec in REGISTRY.values()]
    assert rows == [
        ("breakout_4h", "BO", 50),
        ("volatility_expansion_15m", "VE", 49),
        ("range_reversion_5m", "RR", 48),
        ("funding_reversion", "FR", 47),
    ]


def test_rules_agree_with_their_specs() -> None:
    for spec in REGISTRY.values():
        rule = spec.rule()
        assert (rule.name, rule.minutes) == (spec.name, spec.minutes)
        assert not rule.warm
        assert rule.missing()
        assert rule.exit_due(1) is None


def test_only_the_reverting_strategies_are_mean_reverting() -> None:
    assert [s.name for s in REGISTRY.values() if s.mean_reverting] == [
        "range_reversion_5m",
        "funding_reversion",
    ]


def test_only_funding_reversion_asks_for_funding_and_references() -> None:
    users = [s.name for s in REGISTRY.values() if s.rule.uses_funding and s.rule.uses_reference]
    assert users == ["funding_reversion"]
    assert [s.name for s in REGISTRY.values() if s.warmup_funding_days] == ["funding_reversion"]


@pytest.mark.parametrize("name", REGISTRY)
def test_rule_is_warm_after_exactly_its_declared_bars(name: str) -> None:
    spec = get(name)
    (minutes, bars), *others = spec.warmup.items()
    assert (minutes, others) == (spec.minutes, [])
    history = synthetic_history(name, bars, seed=4)
    rule = spec.rule()
    warm = [rule.warm for _ in replay(rule, NAME, history.bars, history.funding, history.references)]
    assert warm == [False] * (bars - 1) + [True]


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        RegistryError, match=r"'scalper' is unknown; the known ones are breakout_4h, "
    ) as caught:
        get("scalper")
    assert caught.value.found == "scalper"
    assert "funding_reversion" in caught.value.expected
    assert caught.value.remedy == "crupto config show"


@pytest.mark.parametrize("field", ["name", "tag", "priority"])
def test_a_second_strategy_with_the_same_identity_is_refused(field: str) -> None:
    first, second = get("breakout_4h"), get("range_reversion_5m")
    clash = replace(second, **{field: getattr(first, field)})
    with pytest.raises(RegistryError, match=f"{field} .* was registered twice"):
        build_registry([first, clash])


def test_a_spec_with_the_rule_of_another_strategy_is_refused() -> None:
    with pytest.raises(RegistryError, match="was given the rule of breakout_4h"):
        build_registry([replace(get("funding_reversion"), rule=get("breakout_4h").rule)])


def test_registration_order_does_not_matter() -> None:
    assert list(build_registry(reversed(REGISTRY.values()))) == list(REGISTRY)
