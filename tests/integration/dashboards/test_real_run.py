"""A real paper run under a real Prometheus: all of the table is seen, every expression has an answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from crupto_nautilus.cli.main import run
from dashboards.expressions import ask, board_expressions, rule_expressions
from dashboards.metrics import METRICS, Kind
from tests.fakes.observers import answers, free_port, prometheus, wait_for


@pytest.fixture(scope="module")
def paper_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Yield the port of a paper run on the sample market, and the folder of its runs."""
    folder = tmp_path_factory.mktemp("paper")
    assert run(["catalog", "sample", "--catalog", str(folder / "market")]) == 0
    port = free_port()
    command = [
        sys.executable, "-m", "crupto_nautilus.cli", "paper", "--catalog", str(folder / "market"), "--equity",
        "10000", "--speed", "30000", "--max-seconds", "90", "--out", str(folder / "runs"), "--run-id", "seen",
    ]  # fmt: skip
    environment = os.environ | {"PROMETHEUS_PORT": str(port)}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process,
    ):
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/readyz"), 60, "a desk that decides")
            yield port, folder / "runs"
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def server(
    paper_run: tuple[int, Path], prometheus_program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with prometheus(prometheus_program, tmp_path_factory.mktemp("prometheus"), paper_run[0]) as url:
        # the rate over 10 s needs two scrapes; alerts need one evaluation
        wait_for(lambda: ask(url, "rate(crupto_instants_total[10s]) > 0"), 20, "instants that count")
        yield url


@pytest.mark.prometheus
def test_every_metric_of_the_table_is_seen_by_prometheus(server: str) -> None:
    silent = []
    for metric in METRICS.values():
        name = f"{metric.name}_bucket" if metric.kind is Kind.HISTOGRAM else metric.name
        if not ask(server, name):
            silent.append(name)
    assert silent == []


@pytest.mark.prometheus
def test_no_metric_is_undocumented(server: str) -> None:
    with urllib.request.urlopen(f"{server}/api/v1/label/__name__/values", timeout=5) as reply:
        seen = json.load(reply)["data"]
    own = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in METRICS else name
           for name in seen if name.startswith("crupto_")}  # fmt: skip
    assert own == set(METRICS)


@pytest.mark.prometheus
def test_every_expression_of_every_panel_and_rule_has_a_result(server: str) -> None:
    expressions = [*board_expressions(), *rule_expressions()]
    silent = [found.place for found in expressions if not ask(server, found.as_question())]
    assert silent == []
    assert run(["dashboards", "check", "--prometheus", server]) == 0


@pytest.mark.prometheus
def test_the_desk_decides_and_its_figures_move(server: str, paper_run: tuple[int, Path]) -> None:
    assert wait_for(lambda: ask(server, "sum(crupto_signals_total) > 0"), 40, "a signal")
    assert float(ask(server, "crupto_equity_usdt")[0]["value"][1]) > 0
    assert ask(server, 'crupto_stage_duration_seconds_count{stage="decision"} > 0')
    assert ask(server, 'sum(crupto_tool_calls_total{outcome="ok"}) > 0')
    partial = paper_run[1] / ".seen.partial"
    address = json.loads((partial / "dashboard.json").read_text())
    assert address["port"] == paper_run[0]
    assert wait_for(lambda: (partial / "telemetry.csv").is_file(), 10, "telemetry.csv")
