from __future__ import annotations

from risk.vocabulary import LONG, SHORT
from strategies.batch import raw_signals, replay
from strategies.registry import get
from strategies.rule import Condition, Rule, above, at_least, at_most, below, signal_of
from tests.unit.strategies.subjects import NAME, synthetic_history


def test_signal_carries_the_setup_and_the_bar() -> None:
    spec = get("breakout_4h")
    history = synthetic_history(spec.name, 500, seed=8)
    rule = spec.rule()
    pairs = [(bar, setup) for bar, setup in replay(rule, NAME, history.bars) if setup is not None]
    signals = raw_signals(spec, NAME, history.bars)
    assert len(signals) == len(pairs) > 0
    for signal, (bar, setup) in zip(signals, pairs, strict=True):
        assert signal.trace_id == f"breakout_4h/{NAME}/{bar.ts_event}"
        assert (signal.strategy, signal.instrument, signal.minutes) == ("breakout_4h", NAME, 240)
        assert (signal.reference_price, signal.ts_event) == (bar.close, bar.ts_event)
        assert (signal.side, signal.exits, signal.confidence) == (setup.side, setup.exits, setup.confidence)
        assert (signal.atr, signal.entry_style, signal.indicators) == setup[3:]
        assert (signal.reference_price - signal.stop_price) * signal.side > 0


def test_signal_of_a_class_equals_that_of_its_instance() -> None:
    spec = get("range_reversion_5m")
    history = synthetic_history(spec.name, 400, seed=8)
    rule = spec.rule()
    bar, setup = next((bar, setup) for bar, setup in replay(rule, NAME, history.bars) if setup is not None)
    assert signal_of(rule, bar, setup) == signal_of(spec.rule, bar, setup)


def test_same_history_twice_gives_the_same_signals() -> None:
    spec = get("volatility_expansion_15m")
    history = synthetic_history(spec.name, 900, seed=8)
    assert raw_signals(spec, NAME, history.bars) == raw_signals(spec, NAME, history.bars)


def test_no_bars_no_signals() -> None:
    spec = get("funding_reversion")
    history = synthetic_history(spec.name, 10, seed=8)
    assert raw_signals(spec, NAME, history.bars.take(slice(0, 0)), history.funding, history.references) == []


def test_conditions_tell_how_far_they_are() -> None:
    assert above("x", 1.0, 3.0, LONG) == Condition("x", 1.0, 3.0, False, 2.0, LONG)
    assert below("x", 5.0, 3.0, SHORT) == Condition("x", 5.0, 3.0, False, 2.0, SHORT)
    assert at_least("x", 3.0, 3.0) == Condition("x", 3.0, 3.0, True, 0.0, 0)
    assert at_most("x", 3.0, 3.0) == Condition("x", 3.0, 3.0, True, 0.0, 0)
    assert [c.met for c in (above("x", 3.0, 3.0), below("x", 3.0, 3.0))] == [False, False]


def test_every_setup_meets_every_condition_of_its_side() -> None:
    """What `crupto why` prints agrees with what the rule did, on every bar."""
    for name in ("breakout_4h", "volatility_expansion_15m", "range_reversion_5m"):
        history = synthetic_history(name, 1500, seed=12)
        rule: Rule = get(name).rule()
        for _, setup in replay(rule, NAME, history.bars):
            conditions = rule.waiting()
            sides = {
                side
                for side in (LONG, SHORT)
                if conditions and all(c.met for c in conditions if c.side in (0, side))
            }
            assert sides == ({setup.side} if setup is not None else set())
