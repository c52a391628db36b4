from __future__ import annotations

import math

import numpy as np
import pytest

from risk.vocabulary import LONG, SHORT, EntryStyle
from strategies import range_reversion_5m
from strategies.range_reversion_5m import RangeReversion5m
from tests.unit.strategies.oracles import bollinger, rsi
from tests.unit.strategies.planted import Plant, unmet

TICK = 0.01
BAND = {
    LONG: "close below the lower Bollinger(20, 2) band",
    SHORT: "close above the upper Bollinger(20, 2) band",
}


def mirrored(closes: list[float], side: int) -> list[float]:
    """Prices as they are for a long, turned over at 1000 for a short."""
    return closes if side > 0 else [2000.0 - close for close in closes]


def band_is_last() -> list[float]:
    """A slow slide: RSI is far below 30 all the way, the lower band is what the close must break."""
    return [1000.0 - 0.5 * k for k in range(30)]


def rsi_is_last() -> list[float]:
    """A zigzag that drifts up: a fall breaks the lower band before RSI reaches 30."""
    return [1000.0 + 0.2 * k + (4.0 if k % 2 else 0.0) for k in range(40)]


def last_ticks(closes: list[float], side: int) -> tuple[Plant, Plant]:
    """Two plants, their last closes one tick apart: the first fires, the second is short of it."""
    for tick in range(10_000):
        candidate = round(closes[-1] - tick * TICK, 2)
        plant = Plant(RangeReversion5m())
        if plant.closes(mirrored([*closes, candidate], side)) is not None:
            short_of_it = Plant(RangeReversion5m())
            assert short_of_it.closes(mirrored([*closes, round(candidate + TICK, 2)], side)) is None
            return plant, short_of_it
    raise AssertionError("no close fires")


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_close_beyond_the_band_fires_and_one_tick_short_does_not(side: int) -> None:
    fired, short_of_it = last_ticks(band_is_last(), side)
    assert unmet(fired.rule, side) == []
    assert unmet(short_of_it.rule, side) == [BAND[side]]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_rsi_at_its_limit_fires_and_one_tick_short_does_not(side: int) -> None:
    fired, short_of_it = last_ticks(rsi_is_last(), side)
    assert unmet(fired.rule, side) == []
    assert unmet(short_of_it.rule, side) == ["RSI(14)"]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_rsi_equal_to_its_limit_is_enough(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    closes = mirrored([*band_is_last(), 975.0], side)
    setup = Plant(RangeReversion5m()).closes(closes)
    assert setup is not None
    strength = dict(setup.indicators)["rsi_14"]
    limit = "OVERSOLD" if side > 0 else "OVERBOUGHT"
    monkeypatch.setattr(range_reversion_5m, limit, strength)
    assert Plant(RangeReversion5m()).closes(closes) is not None
    monkeypatch.setattr(range_reversion_5m, limit, math.nextafter(strength, -1.0 if side > 0 else 101.0))
    plant = Plant(RangeReversion5m())
    assert plant.closes(closes) is None
    assert unmet(plant.rule, side) == ["RSI(14)"]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_numbers_and_exit_plan(side: int) -> None:
    closes = mirrored([*band_is_last(), 975.0], side)
    plant = Plant(RangeReversion5m())
    setup = plant.closes(closes)
    assert setup is not None
    lower, middle, upper = (float(band[-1]) for band in bollinger(np.array(closes)))
    strength = float(rsi(np.array(closes))[-1])
    numbers = dict(setup.indicators)
    assert setup.side == side
    assert numbers["bollinger_lower"] == pytest.approx(lower)
    assert numbers["bollinger_upper"] == pytest.approx(upper)
    assert numbers["rsi_14"] == pytest.approx(strength)
    assert setup.exits.target_price == pytest.approx(middle)
    assert (setup.exits.target_price - numbers["close"]) * side > 0
    assert setup.exits.stop_distance == pytest.approx(1.2 * setup.atr)
    assert setup.exits.time_stop_bars == 24
    assert (setup.exits.targets_r, setup.exits.trail_atr) == ((), None)
    assert setup.entry_style is EntryStyle.POST_ONLY
    extreme = 30 - strength if side > 0 else strength - 70
    assert setup.confidence == pytest.approx(min(1.0, 0.5 + extreme / 60))


def test_confidence_is_at_most_one() -> None:
    setup = Plant(RangeReversion5m()).closes([*band_is_last(), 975.0])
    assert setup is not None
    assert dict(setup.indicators)["rsi_14"] == 0.0
    assert setup.confidence == 1.0


def test_oversold_inside_the_bands_gives_nothing() -> None:
    plant = Plant(RangeReversion5m())
    assert plant.closes(band_is_last()) is None
    assert unmet(plant.rule, LONG) == [BAND[LONG]]
    assert unmet(plant.rule, SHORT) == [BAND[SHORT], "RSI(14)"]


def test_not_warm_until_20_bars_are_in() -> None:
    plant = Plant(RangeReversion5m())
    assert plant.closes([*[1000.0 - 0.01 * k for k in range(18)], 900.0]) is None
    assert plant.rule.missing() == "Bollinger(20) has 19 of 20 bars"
    assert plant.rule.waiting() == ()
    assert plant.bar(700.0) is not None
    assert plant.rule.warm


def test_flat_market_is_valid_input_and_gives_nothing() -> None:
    plant = Plant(RangeReversion5m())
    assert [plant.bar(0.1, volume=0.0) for _ in range(100)] == [None] * 100
    assert plant.rule.warm
