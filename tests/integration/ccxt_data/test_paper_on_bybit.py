"""The desk on an exchange that it knows only through ccxt: sandbox paper, verified books, parity."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.ccxt_data.config import CcxtSettings
from crupto_nautilus.cli import running
from crupto_nautilus.cli.main import run
from crupto_nautilus.cli.output import Result
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.reports.verify import verify_run
from strategies.registry import REGISTRY
from tests.fakes.bingx.minutes import MINUTE_MS
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx_soak import START_MS, settings
from tests.fakes.bybit import node
from tests.fakes.pulse_rule import SPEC, Pulse
from tests.fakes.recorded_paper import hurried, on_own_thread, paper_options, played_and_replayed

NAMES = ("BTCUSDT-PERP.BYBIT", "ETHUSDT-PERP.BYBIT")
SPEED = 50.0
SETTLEMENT_MS = START_MS + 480 * MINUTE_MS


@pytest.fixture(autouse=True)
def _pulse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(REGISTRY, SPEC.name, SPEC)
    yield
    Pulse.last_ns = 2**62
    gc.collect()  # a node that is still referred to keeps the next from being built


def test_a_run_on_bybit_verifies_and_its_replay_is_identical(tmp_path: Path) -> None:
    Pulse.last_ns = (SETTLEMENT_MS - 2 * MINUTE_MS) * 10**6  # the last entry is held over the settlement
    exchange = replace(settings(speed=SPEED), start_ms=SETTLEMENT_MS - 14 * MINUTE_MS, book_push_ms=5_000)
    with node.running(exchange, Waves(3)) as bybit:
        fake = bybit.fake
        options = paper_options(tmp_path, "ccxt:bybit", node.data_of(fake), NAMES, 17, "pulse_1m")
        with hurried(fake.clock, SPEED, lambda: fake.connects > 0):
            folder, found = on_own_thread(lambda: played_and_replayed(options))
    assert found.same, found
    assert list(verify_run(folder).violations) == []
    # A proof about nothing would be none.
    assert int((folder.table("entries")["filled"] > 0).sum()) >= 4
    assert len(folder.table("trades")) >= 2
    assert set(folder.table("funding")["instrument"]) == set(NAMES)
    feed = folder.read_json("summary.json")["feed"]
    assert feed["quotes"] > 0
    assert feed["refused"] == 0


def test_the_command_takes_the_feed_of_any_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[PaperOptions] = []

    def instead(options: PaperOptions, services: object, **more: object) -> Result:
        asked.append(options)
        return Result({}, ())

    monkeypatch.setattr(running, "run_paper_desk", instead)
    for option in ("--feed", "--venue"):
        assert run(["paper", option, "ccxt:bybit", "--symbols", "BTC,ETH", "--out", str(tmp_path)]) == 0
    for options in asked:
        assert (options.feed, options.symbols) == ("ccxt:bybit", NAMES)
        assert options.catalog == tmp_path / "bybit-market"  # recorded there too, so it can be replayed
        assert isinstance(options.data_settings, CcxtSettings)
        assert options.data_settings.rest is None  # the exchange's own addresses
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--feed", "bybit"), "there is no such feed"),
        (("--feed", "ccxt:by/bit"), "there is no such feed"),
        (("--feed", "ccxt:bybit", "--execution", "vst"), "needs BingX's data"),
        (("--feed", "ccxt:bybit", "--speed", "10"), "only a replay has a window and a speed"),
        (("--feed", "ccxt:bybit", "--symbols", "BTC-USDT.BINGX"), "is not traded at bybit"),
        (("--feed", "ccxt:nosuchexchange", "--symbols", "BTC", "--max-cycles", "1"), "ccxt has no exchange"),
    ],
)
def test_what_cannot_be_is_refused_before_a_run_begins(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["paper", *arguments, "--out", str(tmp_path / "runs")]) == 2
    assert said in capsys.readouterr().err
