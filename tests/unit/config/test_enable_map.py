"""Which strategies a regime allows, and what an enable map may not say."""

from __future__ import annotations

from typing import Any

import pytest

from actors.enable_map import EnableMap, UnknownStrategy
from crupto_nautilus.config import load_config
from crupto_nautilus.config.validation import validate
from crupto_nautilus.errors import ConfigError
from risk.vocabulary import LONG, SHORT, RegimeLabel
from strategies.registry import REGISTRY

BOTH = (LONG, SHORT)
REGIMES = {"trend_up": {"breakout_4h": ["long"]}}
SHORT_IN_PANIC = {"panic": ["short"]}
HASH = "a" * 64
CANARY = {
    "strategy": "range_reversion_5m",
    "stage": "canary",
    "risk_share": 0.25,
    "regimes": SHORT_IN_PANIC,
}


@pytest.fixture(scope="module")
def shipped() -> EnableMap:
    return load_config(env={}).enable_map


def made(**tree: Any) -> EnableMap:
    return validate(EnableMap, {"regimes": REGIMES} | tree, "enable_map.yaml")


@pytest.mark.parametrize(
    ("strategy", "allowed"),
    [
        ("breakout_4h", {"trend_up": (LONG,), "trend_down": (SHORT,)}),
        ("volatility_expansion_15m", {"trend_up": BOTH, "trend_down": BOTH, "range_highvol": BOTH}),
        ("range_reversion_5m", {"range_lowvol": BOTH}),
        ("funding_reversion", {"range_lowvol": BOTH, "range_highvol": BOTH, "panic": BOTH}),
    ],
)
def test_shipped_map_is_the_table_of_the_trading_rules(
    shipped: EnableMap, strategy: str, allowed: dict[str, tuple[int, ...]]
) -> None:
    found = {label.value: shipped.allowed(label, strategy) for label in RegimeLabel}
    assert {label: sides for label, sides in found.items() if sides} == allowed


def test_shipped_counts_are_those_of_the_trading_rules(shipped: EnableMap) -> None:
    assert (shipped.min_bars_hold, shipped.panic_min_bars) == (3, 6)
    assert (shipped.cooldown_bars, shipped.cooldown_after_2_losses) == (3, 12)
    assert (shipped.min_score, shipped.rest_bars) == (None, 12)
    assert (shipped.score_trades, shipped.score_min_trades) == (20, 5)
    assert (shipped.challengers, shipped.disabled) == ((), ())


def test_shipped_map_names_every_registered_strategy(shipped: EnableMap) -> None:
    assert set(shipped.strategies) == set(REGISTRY)


def test_unknown_regime_allows_nothing(shipped: EnableMap) -> None:
    assert shipped.allowed(RegimeLabel.UNKNOWN, "breakout_4h") == ()


def test_challenger_stands_apart_from_champions() -> None:
    enable_map = made(
        challengers=[
            {"id": "cand_7", "document": "c7.yaml", "document_hash": HASH, "regimes": SHORT_IN_PANIC}
        ]
    )
    assert enable_map.allowed(RegimeLabel.PANIC, "cand_7") == ()
    (shadow,) = enable_map.shadows
    alone = enable_map.only(shadow, "c7_rule")
    assert alone.allowed(RegimeLabel.PANIC, "c7_rule") == (SHORT,)
    assert alone.allowed(RegimeLabel.TREND_UP, "breakout_4h") == ()
    assert alone.challengers == ()
    assert alone.cooldown_bars == enable_map.cooldown_bars


def test_canary_joins_the_champions_under_the_name_of_its_strategy() -> None:
    canary = {"id": "c7", "document": "c7.yaml", "document_hash": HASH, "regimes": SHORT_IN_PANIC}
    enable_map = made(challengers=[canary | {"stage": "canary", "risk_share": 0.1}], disabled=["c7"])
    joined = enable_map.with_canaries({"c7": "c7_rule"})
    assert joined.allowed(RegimeLabel.PANIC, "c7_rule") == (SHORT,)
    assert joined.allowed(RegimeLabel.TREND_UP, "breakout_4h") == (LONG,)
    assert joined.is_disabled("c7_rule")
    assert enable_map.shadows == ()


def test_a_registered_strategy_may_be_shadowed_beside_itself_and_lends_its_name() -> None:
    enable_map = made(challengers=[{"strategy": "breakout_4h", "regimes": SHORT_IN_PANIC}])
    assert [c.id for c in enable_map.shadows] == ["breakout_4h"]


def test_disabled_strategy_is_known_as_such() -> None:
    enable_map = made(disabled=["breakout_4h"])
    assert enable_map.is_disabled("breakout_4h")
    assert not enable_map.is_disabled("funding_reversion")


def test_map_cannot_be_assigned(shipped: EnableMap) -> None:
    with pytest.raises(ValueError, match="frozen"):
        shipped.cooldown_bars = 0  # type: ignore[misc]


@pytest.mark.parametrize("where", ["regimes", "disabled"])
def test_strategy_that_does_not_exist_is_refused_with_the_closest_name(where: str) -> None:
    tree: dict[str, Any] = (
        {"regimes": {"panic": {"brekout_4h": ["long"]}}}
        if where == "regimes"
        else {"disabled": ["brekout_4h"]}
    )
    with pytest.raises(UnknownStrategy) as caught:
        made(**tree).check_strategies(list(REGISTRY))
    assert caught.value.key.startswith(where)
    assert caught.value.remedy == "write breakout_4h"


def test_challenger_may_be_disabled_though_the_registry_does_not_know_it() -> None:
    enable_map = made(
        disabled=["cand_7"],
        challengers=[
            {"id": "cand_7", "document": "c.yaml", "document_hash": HASH, "regimes": SHORT_IN_PANIC}
        ],
    )
    enable_map.check_strategies(list(REGISTRY))


def test_challenger_that_no_registry_knows_is_refused() -> None:
    with pytest.raises(UnknownStrategy, match=r"challengers\.0\.strategy"):
        made(challengers=[{"strategy": "brekout_4h", "regimes": SHORT_IN_PANIC}]).check_strategies(
            list(REGISTRY)
        )


def test_unknown_strategy_in_a_file_is_a_config_error(tmp_path: Any) -> None:
    (tmp_path / "enable_map.yaml").write_text("regimes: {panic: {brekout_4h: [long]}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="brekout_4h") as caught:
        load_config(tmp_path, env={})
    assert "funding_reversion" in caught.value.expected


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"regimes": {"sideways": {"breakout_4h": ["long"]}}}, "trend_up"),
        ({"regimes": {"unknown": {"breakout_4h": ["long"]}}}, "expected: a known regime"),
        ({"regimes": {"panic": {"breakout_4h": []}}}, "long, short or both"),
        ({"regimes": {"panic": {"breakout_4h": ["long", "long"]}}}, "each once"),
        ({"regimes": {"panic": {"breakout_4h": ["up"]}}}, "'long' or 'short'"),
        ({"regimes": {"panic": {"breakout_4h": "long"}}}, "list"),
        ({"regimes": {}}, "regimes"),
        ({"min_bars_hold": 0}, "min_bars_hold"),
        ({"score_trades": 4}, "expected: at most score_trades (4)"),
        ({"disabled": ["breakout_4h", "breakout_4h"]}, "twice"),
        ({"challengers": [CANARY | {"strategy": "breakout_4h"}]}, "is a canary"),
        ({"challengers": [CANARY | {"risk_share": 1.0}]}, "between 0 and 1"),
        ({"challengers": [CANARY | {"document": "a.yaml"}]}, "both of strategy and document"),
        ({"challengers": [{"id": "x", "regimes": SHORT_IN_PANIC}]}, "neither of strategy and document"),
        ({"challengers": [{"id": "x", "document": "x", "regimes": SHORT_IN_PANIC}]}, "document_hash"),
        ({"challengers": [{"document": "x", "document_hash": HASH, "regimes": SHORT_IN_PANIC}]}, "id"),
        ({"challengers": [CANARY | {"id": "../x"}]}, "id"),
        ({"challengers": [CANARY, CANARY]}, "twice"),
        ({"challengers": [{"strategy": "a b", "regimes": {"panic": ["long"]}}]}, "strategy"),
        ({"challengers": [{"strategy": "a", "regimes": {"unknown": ["long"]}}]}, "known regime"),
        ({"cooldown_bar": 3}, "cooldown_bars"),
    ],
)
def test_map_that_contradicts_itself_is_refused(tree: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**tree)
    assert words in str(caught.value)


def test_missing_regimes_are_refused() -> None:
    with pytest.raises(ConfigError, match="regimes: key is missing"):
        validate(EnableMap, {"min_bars_hold": 3}, "enable_map.yaml")
