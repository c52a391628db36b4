"""The table of metrics: bounded, documented, and what the exposition shows."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path

import pytest

from actors.tools import TOOLS
from crupto_nautilus.desk.telemetry.agent_graph import domain_of
from dashboards.exposition import Exposition
from dashboards.expressions import DOCUMENT
from dashboards.metrics import METRICS, Domain, Kind, document, label_sets, series_count
from dashboards.store import Histogram, MetricStore
from strategies.registry import REGISTRY

TWENTY = tuple(f"COIN{n}USDT-PERP.BINANCE" for n in range(20))


def domain(instruments: tuple[str, ...] = TWENTY) -> Domain:
    return domain_of(tuple(REGISTRY), instruments, TOOLS)


def series_of(text: bytes) -> list[str]:
    return [line for line in text.decode().splitlines() if line and not line.startswith("#")]


def test_a_desk_of_twenty_instruments_has_fewer_than_1000_series() -> None:
    shown = series_of(Exposition(MetricStore(domain())).text())
    assert len(shown) == series_count(domain())
    assert len(shown) < 1000


def test_every_label_set_is_there_before_anything_happened() -> None:
    store = MetricStore(domain())
    for metric in METRICS.values():
        if metric.kind not in {Kind.HISTOGRAM, Kind.INFO}:
            assert set(store[metric.name]) == set(label_sets(metric, domain()))


def test_each_metric_of_the_table_is_exposed_and_no_other() -> None:
    text = Exposition(MetricStore(domain())).text().decode()
    exposed = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    assert exposed == {metric.name for metric in METRICS.values()}


def test_the_document_is_made_of_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document()


def test_a_label_set_that_the_run_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError, match="domain of the run"):
        MetricStore(domain()).set("crupto_signals_total", 1.0, "unheard_of")


def test_one_state_is_one_and_the_others_zero() -> None:
    store = MetricStore(domain(("A.X", "B.X")))
    store.one_of("crupto_regime_label", "panic", "A.X")
    store.one_of("crupto_regime_label", "trend_up", "A.X")
    store.one_of("crupto_regime_label", "panic", "B.X")
    values = {labels: v for labels, v in store["crupto_regime_label"].items() if v}
    assert values == {("A.X", "trend_up"): 1.0, ("B.X", "panic"): 1.0}


def test_a_histogram_counts_up_to_and_with_its_bounds() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert histogram.cumulative() == [("1.0", 2.0), ("2.0", 3.0), ("+Inf", 4.0)]
    assert histogram.total == 12.0


def test_the_text_is_the_librarys_byte_for_byte() -> None:
    store = MetricStore(domain(("A.X", 'odd"name\\with\nall')))
    store.info = {"run_id": 'a "run"', "mode": "paper"}
    for number, values in enumerate(store.values.values()):
        for place, labels in enumerate(values):
            values[labels] = (0.0, 1.0, -2.5, 1e-9, 123_456.789, 1_750_000_000.25, 5e15, 7.0)[
                (number + place) % 8
            ]
    for histograms in store.histograms.values():
        for place, histogram in enumerate(histograms.values()):
            for value in (1e-5, 0.003, 0.4, 7.0, 1e3)[: place % 6]:
                histogram.observe(value)
    exposition = Exposition(store)
    assert exposition.text() == exposition.library_text()


def test_readers_in_a_row_cost_one_rendering() -> None:
    exposition = Exposition(MetricStore(domain()), keep_s=60.0)
    threads = [threading.Thread(target=exposition.text) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert exposition.renderings == 1


def test_what_is_not_bumped_is_brought_up_to_date_before_each_rendering() -> None:
    store = MetricStore(domain())
    exposition = Exposition(store, lambda: store.add("crupto_instants_total", 1.0), keep_s=0.0)
    exposition.text()
    assert "crupto_instants_total 2.0" in exposition.text().decode()


@pytest.mark.prometheus
def test_promtool_finds_nothing_wrong_with_the_names(promtool: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.txt").write_bytes(Exposition(MetricStore(domain())).text())
    with (tmp_path / "metrics.txt").open("rb") as text:
        done = subprocess.run([promtool, "check", "metrics"], stdin=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
