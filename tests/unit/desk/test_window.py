"""What a run looks at: window, finest bars, rules, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.instants import RunWindow
from catalog.schema import LABEL_SPOT_AS_PERP
from catalog.store import Catalog
from crupto_nautilus.config import DeskConfig, load_config
from crupto_nautilus.desk.window import MarketChoice, choose_market, chunk_span_ns, funding_expected
from crupto_nautilus.errors import UsageError
from risk.vocabulary import DAY_NS, HOUR_NS, MINUTE_NS
from tests.fakes.markets import START_NS, from_closes, write_catalog

BTC, ETH = "BTCUSDT-PERP.BINANCE", "ETHUSDT-PERP.BINANCE"
FINE_START = START_NS + 10 * HOUR_NS


@pytest.fixture(scope="module")
def config() -> DeskConfig:
    return load_config(None, env={})


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """BTC: 30 hours of 1h bars, fine bars from hour 10 to 20; ETH: 1h bars from hour 5 to 25 only."""
    folder = tmp_path_factory.mktemp("catalog")
    hours = [100.0 + k % 3 for k in range(30)]
    write_catalog(folder, {BTC: from_closes(hours)}, 60)
    # The fine bars of each hour close where the hour does: sources that disagree would be refused.
    fine = [
        hours[9 + k // 12] + (hours[10 + k // 12] - hours[9 + k // 12]) * (k % 12 + 1) / 12
        for k in range(120)
    ]
    rows = from_closes([round(x, 4) for x in fine], volume=1000.0 / 12)
    write_catalog(folder, {BTC: rows}, 5, start_ns=FINE_START, label=LABEL_SPOT_AS_PERP)
    return write_catalog(folder, {ETH: from_closes([10.0] * 20)}, 60, start_ns=START_NS + 5 * HOUR_NS)


def choose(
    held: Catalog, config: DeskConfig, *names: str, start: int | None = None, end: int | None = None,
    base: int | None = None,
) -> MarketChoice:  # fmt: skip
    return choose_market(held, names or (BTC,), start, end, base, config)


def test_without_bounds_the_window_spans_the_finest_bars_from_open_to_close(
    held: Catalog, config: DeskConfig
) -> None:
    window = choose(held, config).window
    assert (window.start_ns, window.end_ns) == (FINE_START, FINE_START + 10 * HOUR_NS)
    assert window.base_minutes == {BTC: 5}
    assert len(held.bars(BTC, 5, window.start_ns, window.end_ns)) == 120  # the first bar is in it


def test_the_window_of_several_instruments_spans_all_of_them(held: Catalog, config: DeskConfig) -> None:
    window = choose(held, config, BTC, ETH).window
    assert (window.start_ns, window.end_ns) == (START_NS + 5 * HOUR_NS, START_NS + 25 * HOUR_NS)
    assert window.base_minutes == {BTC: 5, ETH: 60}
    assert window.instruments == (BTC, ETH)


def test_a_coarser_base_can_be_asked_for(held: Catalog, config: DeskConfig) -> None:
    window = choose(held, config, base=60).window
    assert window.base_minutes == {BTC: 60}
    assert (window.start_ns, window.end_ns) == (START_NS, START_NS + 30 * HOUR_NS)


def test_coarse_bars_drive_a_window_without_fine_ones(held: Catalog, config: DeskConfig) -> None:
    window = choose(held, config, start=START_NS, end=FINE_START).window
    assert window.base_minutes == {BTC: 60}


def test_fine_bars_that_cover_a_part_of_the_window_drive_it(held: Catalog, config: DeskConfig) -> None:
    window = choose(held, config, start=START_NS, end=FINE_START + HOUR_NS).window
    assert window.base_minutes == {BTC: 5}


def test_rules_labels_and_fingerprint_tell_where_they_come_from(held: Catalog, config: DeskConfig) -> None:
    choice = choose(held, config, BTC, ETH)
    assert choice.labels == {BTC: "scripted, spot-as-perp", ETH: "scripted"}
    assert choice.rules[BTC].tick == 0.0001  # the data has four decimals, the table one
    assert "data: 4 decimals" in choice.rules_source[BTC]
    assert choice.rules[ETH].tick == 0.01
    assert "instruments.yaml" in choice.rules_source[ETH]
    assert choice.fingerprint != choose(held, config).fingerprint


@pytest.mark.parametrize(
    ("names", "start", "end", "base", "word"),
    [
        ((BTC, "BTC-USDT.BINGX"), None, None, None, "BINANCE, BINGX"),
        ((BTC,), START_NS + HOUR_NS, START_NS + HOUR_NS, None, "end after the start"),
        ((BTC,), START_NS + 2 * HOUR_NS, START_NS + HOUR_NS, None, "end after the start"),
        ((BTC,), START_NS + 50 * HOUR_NS, START_NS + 60 * HOUR_NS, None, "bars in"),
        ((ETH,), START_NS, START_NS + 5 * HOUR_NS, None, "bars in"),
        ((BTC,), None, None, 240, "240 minutes or more"),
    ],
)
def test_what_cannot_be_run_is_refused_with_what_was_found(
    held: Catalog, config: DeskConfig, names: tuple[str, ...], start: int | None, end: int | None,
    base: int | None, word: str,
) -> None:  # fmt: skip
    with pytest.raises(UsageError) as caught:
        choose(held, config, *names, start=start, end=end, base=base)
    assert word in f"{caught.value.message} {caught.value.found} {caught.value.expected}"


def test_an_empty_catalog_names_the_commands_that_fill_it(tmp_path: Path, config: DeskConfig) -> None:
    with pytest.raises(UsageError) as caught:
        choose_market(Catalog.create(tmp_path), (), None, None, None, config)
    assert "crupto catalog import" in caught.value.remedy


def test_an_instrument_with_funding_alone_cannot_be_traded(tmp_path: Path, config: DeskConfig) -> None:
    held = write_catalog(tmp_path, {}, 60, funding={BTC: [(START_NS, 0.0001)]})
    with pytest.raises(UsageError) as caught:
        choose_market(held, (BTC,), None, None, None, config)
    assert "has no bars" in caught.value.message


def test_expected_settlements_lie_on_the_eight_hour_schedule() -> None:
    def expected(start: int, end: int) -> int:
        return funding_expected(RunWindow({BTC: 60}, START_NS + start, START_NS + end))

    assert expected(0, DAY_NS) == 3  # the one at the start was before the window
    assert expected(0, 8 * HOUR_NS) == 1
    assert expected(0, 8 * HOUR_NS - 1) == 0
    assert expected(HOUR_NS, 7 * HOUR_NS) == 0
    assert expected(-1, 0) == 1


def test_chunks_shrink_as_bars_grow_in_number_and_never_below_a_day() -> None:
    def days(instruments: int, minutes: int) -> int:
        names = {f"C{k}USDT-PERP.BINANCE": minutes for k in range(instruments)}
        return chunk_span_ns(RunWindow(names, 0, DAY_NS)) // DAY_NS

    assert days(1, 60) > days(10, 60) > days(10, 5) >= days(200, 1) == 1
    mixed = RunWindow({BTC: 1, ETH: 60}, 0, DAY_NS)
    assert chunk_span_ns(mixed) == chunk_span_ns(RunWindow({BTC: 1, ETH: 1}, 0, MINUTE_NS))
