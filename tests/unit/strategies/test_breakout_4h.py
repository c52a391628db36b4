from __future__ import annotations

import math

import pytest

from risk.vocabulary import LONG, SHORT, EntryStyle
from strategies import breakout_4h
from strategies.breakout_4h import Breakout4h
from tests.unit.strategies.planted import Plant, unmet


def after_a_trend(side: int, bars: int = 60) -> Plant:
    """A steady trend of 1 a bar towards `side` with wicks of 3: ADX is far above 20, closes stay inside."""
    plant = Plant(Breakout4h())
    for k in range(bars):
        close = 1000.0 + side * k
        assert plant.bar(close, close - side, close + 3.0, close - 3.0) is None
    return plant


def edge(plant: Plant, side: int) -> float:
    """The Donchian(20) bound that the NEXT bar meets: a wick of 3 beyond the last close."""
    return 1000.0 + side * (plant.count - 1) + 3.0 * side


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_close_one_tick_beyond_the_channel_fires(side: int) -> None:
    plant = after_a_trend(side)
    bound = edge(plant, side)
    setup = plant.bar(bound + side * 0.1)
    assert setup is not None
    assert setup.side == side
    assert unmet(plant.rule, side) == []
    numbers = dict(setup.indicators)
    assert numbers["donchian_20_high" if side > 0 else "donchian_20_low"] == bound
    assert numbers["adx_14"] >= 20


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_close_on_the_channel_does_not_fire(side: int) -> None:
    plant = after_a_trend(side)
    assert plant.bar(edge(plant, side)) is None
    channel = "close above the Donchian(20) high" if side > 0 else "close below the Donchian(20) low"
    assert unmet(plant.rule, side) == [channel]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_adx_at_its_limit_fires_and_below_it_does_not(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first = after_a_trend(side)
    setup = first.bar(edge(first, side) + side)
    assert setup is not None
    adx = dict(setup.indicators)["adx_14"]
    monkeypatch.setattr(breakout_4h, "MIN_ADX", adx)
    at_limit = after_a_trend(side)
    assert at_limit.bar(edge(at_limit, side) + side) is not None
    monkeypatch.setattr(breakout_4h, "MIN_ADX", math.nextafter(adx, 101))
    short_of_it = after_a_trend(side)
    assert short_of_it.bar(edge(short_of_it, side) + side) is None
    assert unmet(short_of_it.rule, side) == ["ADX(14)"]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_confidence_is_higher_beyond_the_long_channel(side: int) -> None:
    beyond = after_a_trend(side)
    setup = beyond.bar(edge(beyond, side) + side)
    assert setup is not None
    assert setup.confidence == 0.9

    plant = Plant(Breakout4h())
    for k in range(90):  # an old extreme 30 bars ago lies inside Donchian(55) only
        close = 1000.0 + side * k
        plant.bar(close, close - side, close + 3.0, close - 3.0)
        if k == 59:
            plant.bar(close, high=close + 100.0, low=close - 100.0)
    inside = plant.bar(edge(plant, side))
    assert inside is not None
    assert inside.confidence == 0.6


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_exit_plan(side: int) -> None:
    plant = after_a_trend(side)
    setup = plant.bar(edge(plant, side) + side)
    assert setup is not None
    assert setup.atr == plant.rule.atr
    assert setup.exits.stop_distance == pytest.approx(1.2 * setup.atr)
    assert setup.exits.targets_r == (1.0, 2.0)
    assert setup.exits.time_stop_bars == 30
    assert (setup.exits.target_price, setup.exits.trail_atr, setup.exits.on_condition) == (None, None, False)
    assert setup.entry_style is EntryStyle.MARKET


def test_not_warm_until_55_bars_came_before() -> None:
    plant = after_a_trend(LONG, bars=54)
    assert plant.bar(edge(plant, LONG) + 50.0) is None
    assert not plant.rule.warm
    assert plant.rule.missing() == "Donchian(55) has 55 of 56 bars"
    assert plant.rule.waiting() == ()
    assert plant.bar(edge(plant, LONG) + 100.0) is not None
    assert plant.rule.warm


def test_a_range_without_trend_is_left_alone() -> None:
    plant = Plant(Breakout4h())
    for k in range(80):
        plant.bar(1000.0 + k % 2, high=1003.0, low=998.0)
    assert plant.bar(1010.0) is None
    assert unmet(plant.rule, LONG) == ["ADX(14)"]


def test_waiting_says_how_far_the_close_is() -> None:
    plant = after_a_trend(LONG)
    plant.bar(edge(plant, LONG) - 2.5)
    channel = plant.rule.waiting()[0]
    assert (channel.met, channel.distance, channel.side) == (False, 2.5, LONG)
    assert channel.value + channel.distance == channel.threshold
