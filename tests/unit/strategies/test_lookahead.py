"""No look-ahead: a truncated history says what the full one says; mutants that peek are caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.timeframes import BarArrays, resample
from risk.vocabulary import RegimeLabel
from strategies import breakout_4h, volatility_kernel
from strategies.indicators import steps
from strategies.indicators.bollinger import Bollinger
from strategies.indicators.donchian import Donchian
from strategies.indicators.rolling import SortedWindow
from strategies.registry import REGISTRY, get
from tests.fakes.histories import History, Prices, Rates, read_bars, read_funding_history, synthetic_bars
from tests.fakes.lookahead import Leak, Subject, find_leaks
from tests.unit.strategies import oracles
from tests.unit.strategies.subjects import (
    NAME,
    everything_said,
    regime_subject,
    rule_subject,
    setup_subject,
    synthetic_history,
)
from tests.unit.strategies.test_indicators import INDICATORS


def some_cuts(n_bars: int, count: int, seed: int = 5) -> list[int]:
    rng = np.random.default_rng(seed)
    return sorted(int(cut) for cut in rng.integers(n_bars // 3, n_bars - 1, count))


def around_setups(name: str, history: History, count: int) -> list[int]:
    """Bars on which the strategy speaks, and the bars just before them: where leaks matter most."""
    said = [i for i, setup in enumerate(setup_subject(name)(history)) if setup is not None]
    assert said, "the history must hold signals"
    chosen = said[:: max(1, len(said) // count)][:count]
    return sorted({cut for index in chosen for cut in (index - 1, index)})


def setup_definition(name: str) -> Callable[[History], Any]:
    def last(history: History) -> Any:
        frame = getattr(oracles, name)(history)
        if len(history) - 1 not in frame.index:
            return None
        row = frame.loc[len(history) - 1]
        target = None if np.isnan(row["target_price"]) else float(row["target_price"])
        return int(row["side"]), float(row["confidence"]), float(row["stop_distance"]), target

    return last


def kinds(leaks: list[Leak]) -> set[str]:
    return {leak.kind for leak in leaks}


# --- the real rules pass ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGISTRY)
def test_rule_on_synthetic_prefixes(name: str) -> None:
    history = synthetic_history(name, 1800, seed=21)
    cuts = [*some_cuts(len(history), 3), *around_setups(name, history, 2)]
    assert find_leaks(rule_subject(name), history, cuts) == []
    assert find_leaks(setup_subject(name), history, cuts, setup_definition(name)) == []


@pytest.mark.parametrize("name", INDICATORS)
def test_indicator_on_synthetic_prefixes(name: str) -> None:
    assert find_leaks(*indicator_case(name)) == []


def indicator_case(name: str) -> tuple[Subject, History, list[int], Callable[[History], Any]]:
    stream, batch, n = INDICATORS[name]
    history = History(synthetic_bars(1000, 60, 9))

    def last(past: History) -> Any:
        value = float(batch(past.bars, n)[-1])
        return None if np.isnan(value) else value

    return lambda past: stream(past.bars, n), history, some_cuts(len(history), 6), last


def test_regime_on_synthetic_prefixes() -> None:
    history = History(synthetic_bars(1600, 60, 3))
    assert (
        find_leaks(regime_subject, history, some_cuts(len(history), 6), regime_definition(regime_subject))
        == []
    )


def regime_definition(subject: Subject) -> Callable[[History], Any]:
    """Own label and features of the last bar by definition; the label in force is taken from the prefix."""

    def last(past: History) -> Any:
        frame = oracles.regimes(past.bars)
        said = list(subject(past))[-1]
        if frame.empty or frame.index[-1] != len(past) - 1:
            return said
        row = frame.iloc[-1]
        numbers = [float(row[k]) for k in ("atr", "adx", "slope", "volatility", "rank", "log_return")]
        fall = float(row["close"] / row["highest"] - 1)
        daily = float(row["volatility"]) * 24**0.5
        return (said[0], RegimeLabel(row["label"]), *numbers, fall, daily, True)

    return last


REAL_HISTORIES: dict[str, Callable[[Path], History]] = {
    "breakout_4h": lambda folder: History(
        resample(read_bars(folder / "perp_1h" / "SOLUSDT-PERP.BINANCE.1h.parquet", 60), 60, 240).take(
            slice(0, 1500)
        )
    ),
    "volatility_expansion_15m": lambda folder: History(
        read_bars(folder / "spot_15m" / "SOLUSDT.BINANCE.15m.parquet", 15).take(slice(0, 2500))
    ),
    "range_reversion_5m": lambda folder: History(
        read_bars(folder / "spot_5m" / "ETHUSDT.BINANCE.5m.parquet", 5).take(slice(0, 2500))
    ),
    "funding_reversion": lambda folder: short(read_funding_history(folder, "BTC"), 8000, 3000),
}


def short(history: History, first: int, count: int) -> History:
    """A part of a long history, with all its earlier funding and references."""
    return History(history.bars.take(slice(first, first + count)), history.funding, history.references)


@pytest.mark.data
@pytest.mark.parametrize("name", REGISTRY)
def test_rule_on_real_prefixes(name: str, market_dir: Path) -> None:
    history = REAL_HISTORIES[name](market_dir)
    cuts = [*some_cuts(len(history), 3), *around_setups(name, history, 2)]
    assert find_leaks(rule_subject(name), history, cuts) == []


@pytest.mark.data
def test_regime_on_real_prefixes(market_dir: Path) -> None:
    bars = read_bars(market_dir / "perp_1h" / "BTCUSDT-PERP.BINANCE.1h.parquet", 60)
    history = History(bars.take(slice(9000, 11_500)))
    assert (
        find_leaks(regime_subject, history, some_cuts(len(history), 5), regime_definition(regime_subject))
        == []
    )


# --- mutants: each looks one bar too far, and the same check finds it -------------------------------------


class ChannelWithCurrentBar(Donchian):
    __slots__ = ()

    def update(self, high: float, low: float) -> None:
        super().update(high, low)
        if self.high is not None and self.low is not None:
            self.high, self.low = max(self.high, high), min(self.low, low)


def rank_with_the_current_bar(row: NDArray[np.float64]) -> float:
    """The window ends with the current value: what it pushed out is not counted."""
    count, values = int(row[0]), row[steps.WINDOW_FLOATS :]
    if count <= len(values):
        return float("nan")
    return int(np.count_nonzero(values < values[(count - 1) % len(values)])) / len(values)


def test_channel_that_includes_the_current_bar_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "breakout_4h"
    history = synthetic_history(name, 1800, seed=21)
    cuts = around_setups(name, history, 3)
    monkeypatch.setattr(breakout_4h, "Donchian", ChannelWithCurrentBar)
    assert "definition" in kinds(find_leaks(setup_subject(name), history, cuts, setup_definition(name)))


def test_rank_that_includes_the_current_bar_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "volatility_expansion_15m"
    history = synthetic_history(name, 1800, seed=21)
    cuts = around_setups(name, history, 6)
    monkeypatch.setattr(volatility_kernel, "step", volatility_kernel.step.py_func)  # type: ignore[attr-defined]
    monkeypatch.setattr(volatility_kernel, "rank", rank_with_the_current_bar)
    assert "definition" in kinds(find_leaks(setup_subject(name), history, cuts, setup_definition(name)))


def inclusive_channel(past: History) -> list[float | None]:
    channel, out = ChannelWithCurrentBar(20), []
    for bar in past.bars.bars(NAME, 60):
        channel.update(bar.high, bar.low)
        out.append(channel.high)
    return out


def inclusive_sorted_rank(past: History) -> list[float | None]:
    window, out = SortedWindow(720), []
    for x in past.bars.volume.tolist():
        full = window.count == 720
        window.update(x)
        out.append(sum(y < x for y in window.ordered) / 720 if full else None)
    return out


def bands_of_next_close(past: History) -> list[float | None]:
    bollinger, out = Bollinger(20), []
    closes = past.bars.close.tolist()
    for close in [*closes[1:], closes[-1]]:
        bollinger.push(close)
        bands = bollinger.bands()
        out.append(None if bands is None else bands.lower)
    return out


@pytest.mark.parametrize(
    ("indicator", "mutant", "caught_by"),
    [
        ("Donchian high", inclusive_channel, {"definition"}),
        ("rank, sorted", inclusive_sorted_rank, {"definition"}),
        ("lower band", bands_of_next_close, {"prefix", "future", "definition"}),
    ],
)
def test_indicator_one_bar_off_is_caught(indicator: str, mutant: Subject, caught_by: set[str]) -> None:
    _, history, cuts, definition = indicator_case(indicator)
    assert kinds(find_leaks(mutant, history, cuts, definition)) == caught_by


def with_next_close(bars: BarArrays) -> BarArrays:
    peeked = np.append(bars.close[1:], bars.close[-1])
    return BarArrays(bars.ts_event, bars.open, bars.high, bars.low, peeked, bars.volume)


@pytest.mark.parametrize("name", REGISTRY)
def test_rule_fed_with_the_next_close_is_caught(name: str) -> None:
    def mutant(past: History) -> list[Any]:
        peeking = History(with_next_close(past.bars), past.funding, past.references)
        return everything_said(get(name).rule(), peeking)

    history = synthetic_history(name, 1800, seed=21)
    leaks = find_leaks(mutant, history, some_cuts(len(history), 3))
    assert kinds(leaks) == {"prefix", "future"}


def test_unsettled_funding_is_caught() -> None:
    """The rate that will settle next (a predicted rate, perfectly predicted) is known 8 h too early."""

    def mutant(past: History) -> list[Any]:
        early = Rates(past.funding.ts_event[:-1], past.funding.rate[1:])
        return everything_said(get("funding_reversion").rule(), History(past.bars, early, past.references))

    history = synthetic_history("funding_reversion", 1800, seed=21)
    assert kinds(find_leaks(mutant, history, some_cuts(len(history), 3))) == {"prefix", "future"}


def test_reference_of_the_next_hour_is_caught() -> None:
    def mutant(past: History) -> list[Any]:
        early = Prices(past.references.ts_event[:-1], past.references.price[1:])
        return everything_said(get("funding_reversion").rule(), History(past.bars, past.funding, early))

    history = synthetic_history("funding_reversion", 1800, seed=21)
    assert kinds(find_leaks(mutant, history, some_cuts(len(history), 3))) == {"prefix", "future"}


def test_statistic_over_the_whole_sample_is_caught() -> None:
    def mutant(past: History) -> list[bool]:
        return (past.bars.volume > np.quantile(past.bars.volume, 0.8)).tolist()

    history = History(synthetic_bars(1000, 15, 4))
    assert kinds(find_leaks(mutant, history, some_cuts(len(history), 6))) == {"prefix", "future"}


def test_regime_that_waits_for_the_coming_bars_is_caught() -> None:
    """Hysteresis done backwards: a label counts when the next two bars confirm it."""

    def mutant(past: History) -> list[Any]:
        raw = [said[1] for said in regime_subject(past)]
        return [a if a == b == c else None for a, b, c in zip(raw, raw[1:], raw[2:], strict=False)] + raw[-2:]

    history = History(synthetic_bars(1600, 60, 3))
    raw = [said[1] for said in regime_subject(history)]
    changes = [i for i in range(1000, 1590) if raw[i] != raw[i + 1]]
    assert {"prefix"} <= kinds(find_leaks(mutant, history, changes[:4]))


def test_regime_fall_measured_from_the_current_close_too_is_caught() -> None:
    """Indices 1..24 of the highest close are the bars BEFORE the current one."""

    def mutant(past: History) -> list[Any]:
        rows = [list(said) for said in regime_subject(past)]
        for i, row in enumerate(rows[24:], start=24):
            row[8] = row[8] if row[1] is RegimeLabel.UNKNOWN else float(
                past.bars.close[i] / past.bars.close[i - 23 : i + 1].max() - 1
            )  # fmt: skip
        return [tuple(row) for row in rows]

    history = History(synthetic_bars(1600, 60, 3))
    closes = history.bars.close
    new_highs = [i for i in range(1000, 1600) if closes[i] > closes[i - 24 : i].max()][:4]
    leaks = find_leaks(mutant, history, new_highs, regime_definition(regime_subject))
    assert kinds(leaks) == {"definition"}


def test_check_refuses_a_subject_that_skips_bars() -> None:
    history = History(synthetic_bars(50, 15, 4))
    with pytest.raises(AssertionError, match="said 49 values on 50 bars"):
        find_leaks(lambda past: [None] * 49, history, [30])
