from __future__ import annotations

import pytest

from risk.vocabulary import LONG, SHORT, EntryStyle
from strategies.volatility_expansion_15m import VolatilityExpansion15m
from tests.unit.strategies.planted import Plant, unmet

VOLUME = "rank of volume over 480 bars"
WIDTH = "rank of ATR(14)/close over 480 bars"
RISING = "ATR(14)/close above the bar before"
BODY = {LONG: "close above open", SHORT: "close below open"}


def warm(bars: int = 493) -> Plant:
    """Bars of 200 wide, then flat ones: ATR falls by 13/14 a bar, so each ATR% is below all before it.

    Volumes run through 0..479 again and again: each value stands in the window of 480 once.
    """
    plant = Plant(VolatilityExpansion15m())
    for k in range(bars):
        half = 100.0 if k < 14 else 0.0
        assert plant.bar(1000.0, high=1000.0 + half, low=1000.0 - half, volume=float(k % 480)) is None
    return plant


def fires(plant: Plant, side: int, range_ticks: int = 10_000, volume: float = 1000.0) -> bool:
    """Plant a bar of this range (ticks of 0.01) around a small body."""
    low = 1000.0 - range_ticks // 2 * 0.01
    setup = plant.bar(1000.0, 1000.0 - side * 0.01, low + range_ticks * 0.01, low, volume)
    assert setup is None or setup.side == side
    return setup is not None


def value(plant: Plant, name: str) -> float:
    return {c.name: c.value for c in plant.rule.waiting()}[name]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_volume_rank_at_its_limit_fires_and_one_value_short_does_not(side: int) -> None:
    at_limit = warm()
    assert fires(at_limit, side, volume=384.0)
    assert value(at_limit, VOLUME) == 384 / 480
    short_of_it = warm()
    assert not fires(short_of_it, side, volume=383.0)
    assert unmet(short_of_it.rule, side) == [VOLUME]
    assert value(short_of_it, VOLUME) == 383 / 480


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_width_rank_at_its_limit_fires_and_one_tick_short_does_not(side: int) -> None:
    # 384 of the 480 ATRs before, 200 * (13/14)**k, are below the new one from k = 96 on; it is range / 14.
    ticks = int(200.0 * (13 / 14) ** 96 * 14 / 0.01)
    at_limit = warm()
    assert fires(at_limit, side, range_ticks=ticks + 1)
    assert value(at_limit, WIDTH) == 384 / 480
    short_of_it = warm()
    assert not fires(short_of_it, side, range_ticks=ticks)
    assert value(short_of_it, WIDTH) == 383 / 480
    assert unmet(short_of_it.rule, side) == [WIDTH]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_width_must_rise(side: int) -> None:
    plant = warm()
    assert fires(plant, side, range_ticks=10_000)
    assert not fires(plant, side, range_ticks=100, volume=2000.0)
    assert unmet(plant.rule, side) == [RISING]
    still = Plant(
        VolatilityExpansion15m()
    )  # constant ranges: ATR% equals the one before, which is not above it
    for _ in range(600):
        still.bar(1000.0, high=1010.0, low=990.0)
    assert still.bar(1000.0, 1000.0 - side, 1010.0, 990.0, 5.0) is None
    assert RISING in unmet(still.rule, side)


def test_doji_gives_nothing() -> None:
    plant = warm()
    assert plant.bar(1000.0, 1000.0, 1050.0, 950.0, 1000.0) is None
    assert unmet(plant.rule, LONG) == [BODY[LONG]]
    assert unmet(plant.rule, SHORT) == [BODY[SHORT]]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_smallest_body_decides_the_side(side: int) -> None:
    plant = warm()
    setup = plant.bar(1000.0 + side * 0.01, 1000.0, 1050.0, 950.0, 1000.0)
    assert setup is not None
    assert setup.side == side


@pytest.mark.parametrize(
    ("volume", "confidence"),
    [(384.0, 0.5), (432.0, 0.75), (470.0, 0.5 + 2.5 * (470 / 480 - 0.80)), (1e6, 1.0)],
)
def test_confidence_grows_with_the_smaller_rank(volume: float, confidence: float) -> None:
    plant = warm()
    setup = plant.bar(1001.0, 1000.0, 4000.0, 1.0, volume)
    assert setup is not None
    assert dict(setup.indicators)["atr_pct_rank_480"] == 1.0
    assert setup.confidence == pytest.approx(confidence)


def test_confidence_is_that_of_the_width_rank_where_it_is_smaller() -> None:
    setup = warm().bar(1001.0, 1000.0, 1050.0, 950.0, 1000.0)
    assert setup is not None
    numbers = dict(setup.indicators)
    assert numbers["atr_pct_rank_480"] < numbers["volume_rank_480"] == 1.0
    assert setup.confidence == pytest.approx(0.5 + 2.5 * (numbers["atr_pct_rank_480"] - 0.80))


def test_exit_plan() -> None:
    setup = warm().bar(1001.0, 1000.0, 1050.0, 950.0, 1000.0)
    assert setup is not None
    assert setup.exits.stop_distance == pytest.approx(1.5 * setup.atr)
    assert setup.exits.trail_atr == 1.5
    assert setup.exits.time_stop_bars == 16
    assert (setup.exits.targets_r, setup.exits.target_price) == ((), None)
    assert setup.entry_style is EntryStyle.MARKET
    assert [name for name, _ in setup.indicators][:4] == [
        "open",
        "close",
        "atr_pct_rank_480",
        "volume_rank_480",
    ]


def test_not_warm_until_480_widths_came_before() -> None:
    early = warm(492)
    assert not fires(early, LONG)
    assert not early.rule.warm
    assert early.rule.missing() == "the ATR% rank has 480 of 480 values before the bar"
    assert early.rule.waiting() == ()
    assert fires(warm(493), LONG)


def test_a_market_without_volume_or_range_is_valid_input() -> None:
    plant = Plant(VolatilityExpansion15m())
    for _ in range(600):
        assert plant.bar(1000.0, volume=0.0) is None
    assert plant.rule.warm
    assert plant.rule.atr == 0.0
    assert fires(plant, LONG, volume=1.0)
