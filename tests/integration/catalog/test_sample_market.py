"""The embedded sample: labelled, the same every time, and enough for every rule and regime of the desk."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from actors.regimes import RegimeClassifier
from catalog.quality import check
from catalog.sample import END_NS, FINE_START_NS, INSTRUMENTS, START_NS, write_sample
from catalog.schema import Kind
from catalog.store import Catalog
from risk.vocabulary import DAY_NS, HOUR_NS
from strategies.batch import raw_signals
from strategies.registry import REGISTRY

NAMES = tuple(instrument.id for instrument in INSTRUMENTS)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return write_sample(tmp_path_factory.mktemp("sample"))


def test_sample_is_the_same_every_time_and_writing_it_again_adds_nothing(
    sample: Catalog, tmp_path: Path
) -> None:
    steps: list[tuple[str, int, int]] = []
    files = [part.file for part in sample.manifest.parts]

    other = write_sample(tmp_path, progress=lambda *step: steps.append(step))

    assert other.fingerprint(NAMES) == sample.fingerprint(NAMES)
    assert [part.file for part in write_sample(sample.path).manifest.parts] == files
    assert steps[-1] == ("done", 5, 5)


def test_sample_is_labelled_synthetic_and_sound(sample: Catalog) -> None:
    assert sample.instruments() == tuple(sorted(NAMES))
    assert {source.label for source in sample.sources()} == {"synthetic"}
    report = check(sample)
    assert report.sound
    assert not [finding for finding in report.findings if finding.code != "outlier"]


@pytest.mark.parametrize("name", NAMES)
def test_sample_has_fine_bars_after_hourly_warm_up_and_funding_and_index_throughout(
    sample: Catalog, name: str
) -> None:
    held = {(source.kind, source.minutes): source for source in sample.sources(name)}

    assert held[Kind.OHLCV, 5].last_ns - FINE_START_NS == 45 * DAY_NS
    assert len(sample.bars(name, 5)) == 45 * 288
    assert len(sample.bars(name, 60)) == 185 * 24
    assert len(sample.bars(name, 240)) == 185 * 6
    assert sample.funding(name).ts_event.tolist() == list(
        range(START_NS + 8 * HOUR_NS, END_NS + 1, 8 * HOUR_NS)
    )
    assert (sample.references(name).ts_event == sample.bars(name, 60).ts_event).all()


def test_instruments_move_together_and_volume_follows_volatility(sample: Catalog) -> None:
    bars = [sample.bars(name, 5) for name in NAMES]
    moves = np.array([np.diff(np.log(b.close)) for b in bars])
    shared = np.corrcoef(moves)[np.triu_indices(len(NAMES), 1)]

    assert shared.min() > 0.5
    assert shared.max() < 0.99
    for b in bars:
        span = np.log(b.high / b.low)
        assert np.corrcoef(span, b.volume)[0, 1] > 0.4
        size = np.abs(np.diff(np.log(b.close)))
        assert np.corrcoef(size[:-288], size[288:])[0, 1] > 0.05  # volatility a day later
        kurtosis = np.mean(size**4) / np.mean(size**2) ** 2
        assert kurtosis > 4


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_every_strategy_finds_signals_on_both_sides(sample: Catalog, strategy: str) -> None:
    spec = REGISTRY[strategy]
    sides: Counter[int] = Counter()
    for name in NAMES:
        signals = raw_signals(
            spec, name, sample.bars(name, spec.minutes), sample.funding(name), sample.references(name)
        )
        sides.update(signal.side for signal in signals if signal.ts_event > FINE_START_NS)

    assert min(sides[1], sides[-1]) >= 3


def test_every_regime_occurs_in_the_fine_part(sample: Catalog) -> None:
    name = NAMES[0]
    classifier = RegimeClassifier()
    seen: Counter[str] = Counter()
    for bar in sample.bars(name, 60).bars(name, 60):
        classifier.update(bar)
        if bar.ts_event > FINE_START_NS:
            seen[str(classifier.label)] += 1

    assert set(seen) == {"trend_up", "trend_down", "range_lowvol", "range_highvol", "panic"}
