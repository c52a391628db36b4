"""A panel says of all instruments what a rule says of each, whatever bars a moment brings."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from actors import regime_kernel
from actors.regimes import RegimeClassifier, RegimePanel, RegimeReading
from risk.vocabulary import Bar, RegimeLabel
from strategies import volatility_kernel
from strategies.columns import Columns, apart
from strategies.registry import REGISTRY, get
from strategies.rule import Setup
from strategies.volatility_expansion_15m import VolatilityExpansion15m
from tests.fakes.histories import synthetic_bars

NAMES = ("AAA-USDT.TEST", "BBB-USDT.TEST", "CCC-USDT.TEST")
OTHER = "ZZZ-USDT.TEST"


def moments(minutes: int, count: int) -> Iterator[tuple[Bar, ...]]:
    """Bars of four instruments, one of them unknown; some are missing, some come late beside the next one."""
    source = random.Random(4)
    series = [
        list(synthetic_bars(count, minutes, 30 + k).bars(name, minutes))
        for k, name in enumerate((*NAMES, OTHER))
    ]
    late: list[Bar] = []
    for row in zip(*series, strict=True):
        here = [bar for bar in row if source.random() > 0.05]
        here += late
        late = [bar for bar in row if bar not in here and source.random() < 0.5]
        yield tuple(sorted(here, key=lambda bar: (bar.ts_event, bar.instrument)))


@pytest.mark.parametrize("name", ["breakout_4h", "volatility_expansion_15m", "range_reversion_5m"])
def test_panel_says_what_single_rules_say(name: str) -> None:
    rule, said = get(name).rule, 0
    panel, alone = rule.panel(NAMES), {instrument: rule() for instrument in NAMES}
    for bars in moments(rule.minutes, 1500):
        known = [bar for bar in bars if bar.instrument in alone]
        wanted = [alone[bar.instrument].update(bar) for bar in known]
        assert list(panel.read(bars, NAMES)) == list(zip(known, wanted, strict=True))
        said += sum(setup is not None for setup in wanted)
        for instrument, one in alone.items():
            assert panel.rules[instrument].atr == one.atr
    assert said > 10
    for instrument, one in alone.items():
        assert panel.rules[instrument].waiting() == one.waiting() != ()


def test_regime_panel_says_what_single_classifiers_say() -> None:
    panel = RegimePanel(NAMES)
    alone = {instrument: RegimeClassifier() for instrument in NAMES}
    labels = set()
    for bars in moments(60, 900):
        for group in apart(bars):
            for bar, classifier in panel.update(group):
                assert classifier.reading == alone[bar.instrument].update(bar)
                labels.add(classifier.label)
    assert len(labels) > 2


def test_interpreted_kernels_say_what_the_compiled_ones_say(monkeypatch: pytest.MonkeyPatch) -> None:
    quarters = list(moments(15, 900))
    hours = [group for bars in moments(60, 840) for group in apart(bars)]

    def said() -> tuple[list[Setup | None], list[RegimeReading]]:
        panel, regimes = VolatilityExpansion15m.panel(NAMES[:1]), RegimePanel(NAMES[:1])
        setups = [setup for bars in quarters for _, setup in panel.read(bars, ())]
        return setups, [one.reading for bars in hours for _, one in regimes.update(bars)]

    wanted = said()
    for module in (volatility_kernel, regime_kernel):
        for name in ("step", "steps"):
            monkeypatch.setattr(module, name, getattr(module, name).py_func)
    assert said() == wanted
    assert any(wanted[0])
    assert wanted[1][-1].raw is not RegimeLabel.UNKNOWN


def test_every_rule_of_the_registry_makes_a_panel() -> None:
    for spec in REGISTRY.values():
        assert list(spec.rule.panel(NAMES).rules) == list(NAMES)


def test_atr_of_a_rule_in_a_panel_lies_in_its_row() -> None:
    one, other, _ = VolatilityExpansion15m.panel(NAMES).rules.values()
    one.atr = 2.5
    assert (one.atr, other.atr) == (2.5, None)


def test_columns_of_the_usual_bars_and_of_a_few() -> None:
    columns = Columns(NAMES)
    bars = tuple(Bar(name, 15, 9, 1.0 + k, 3.0, 0.5, 2.0, 7.0) for k, name in enumerate(NAMES))
    known, rows, numbers = columns.take(bars)
    assert (known, rows.tolist()) == (bars, [0, 1, 2])
    assert numbers[0].tolist() == [1.0, 2.0, 3.0]
    assert numbers[1:].T.tolist() == [[3.0, 0.5, 2.0, 7.0]] * 3
    known, rows, numbers = columns.take((bars[2], bars[0]._replace(instrument=OTHER), bars[1]))
    assert ([bar.instrument for bar in known], rows.tolist()) == ([NAMES[2], NAMES[1]], [2, 1])
    assert numbers[0].tolist() == [3.0, 2.0]
    assert numbers.flags.c_contiguous
    known, rows, numbers = columns.take(())
    assert (known, rows.shape, numbers.shape) == ((), (0,), (5, 0))


def test_bars_of_one_moment_stay_together_and_late_ones_go_alone() -> None:
    first, second = (Bar(NAMES[0], 15, ts, 1.0, 1.0, 1.0, 1.0, 1.0) for ts in (1, 2))
    third = second._replace(instrument=NAMES[1])
    assert list(apart((second, third))) == [(second, third)]
    assert list(apart((first, second, third))) == [(first,), (second,), (third,)]
    assert list(apart(())) == []
