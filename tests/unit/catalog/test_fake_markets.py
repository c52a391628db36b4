from __future__ import annotations

from pathlib import Path

from risk.vocabulary import HOUR_NS, MINUTE_NS
from tests.fakes.markets import START_NS, from_closes, write_catalog

BTC = "BTC-USDT.BINGX"


def test_planted_market_is_read_back_as_scripted(tmp_path: Path) -> None:
    catalog = write_catalog(
        tmp_path / "catalog",
        {BTC: from_closes([100.0, 101.0, 99.5], wick=0.5)},
        5,
        funding={BTC: [(START_NS + 8 * HOUR_NS, 0.0005)]},
        references={BTC: [(START_NS + HOUR_NS, 100.2)]},
        marks={BTC: [(START_NS + HOUR_NS, 100.1)]},
    )

    bars = catalog.bars(BTC, 5)
    assert bars.ts_event.tolist() == [START_NS + k * 5 * MINUTE_NS for k in (1, 2, 3)]
    assert bars.close.tolist() == [100.0, 101.0, 99.5]
    assert bars.high.tolist() == [100.5, 101.5, 101.5]
    assert catalog.funding(BTC).ts_event.tolist() == [START_NS + 8 * HOUR_NS]
    assert catalog.references(BTC).price.tolist() == [100.2]
    assert catalog.references(BTC).ts_event.tolist() == [START_NS + HOUR_NS]
    assert catalog.marks(BTC).price.tolist() == [100.1]
    assert {source.label for source in catalog.sources(BTC)} == {"scripted"}
