"""Boards and rules as code: what is committed is what the code builds, and uses only known metrics."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.expressions import (
    BOARDS,
    ROOM,
    RULES,
    Expression,
    board_expressions,
    rule_expressions,
    unknown_names,
)
from dashboards.grafana.boards import FILES, built, round_trip
from dashboards.metrics import METRICS


@pytest.fixture(scope="module")
def boards() -> dict[str, str]:
    return built()


@pytest.mark.parametrize("name", FILES.values())
def test_the_committed_board_is_what_the_code_builds(name: str, boards: dict[str, str]) -> None:
    assert (BOARDS / name).read_text(encoding="utf-8") == boards[name]


@pytest.mark.parametrize("name", FILES.values())
def test_a_board_survives_the_sdks_own_model(name: str, boards: dict[str, str]) -> None:
    assert round_trip(boards[name]) == boards[name]


@pytest.mark.parametrize("name", FILES.values())
def test_every_panel_names_the_provisioned_source(name: str, boards: dict[str, str]) -> None:
    source = yaml.safe_load((BOARDS / "provisioning/datasources/crupto.yaml").read_text())["datasources"][0]
    board: dict[str, Any] = json.loads(boards[name])
    assert board.get("id") is None
    assert "__inputs" not in board
    for panel in board["panels"]:
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": source["uid"]}, panel["title"]


def test_every_expression_uses_metrics_of_the_table() -> None:
    assert unknown_names(board_expressions()) == []
    assert unknown_names(rule_expressions()) == []


def test_every_metric_of_the_table_is_seen_on_a_board_or_in_a_rule() -> None:
    used = set().union(*(e.names() for e in (*board_expressions(), *rule_expressions())))
    not_drawn = {  # shown by the page or needed by a person who asks, not by a board
        "crupto_run_info", "crupto_run_start_timestamp_seconds", "crupto_desk_timestamp_seconds",
        "crupto_cooling_until_timestamp_seconds", "crupto_safe_mode_correlation_ratio", "crupto_spread_bps",
    }  # fmt: skip
    assert set(METRICS) - used == not_drawn


def test_an_unknown_metric_is_found() -> None:
    assert unknown_names(iter([Expression("here", "rate(crupto_no_such_total[5m])")])) == [
        "here: crupto_no_such_total"
    ]


def test_a_rule_is_asked_so_that_it_has_a_result() -> None:
    rule = Expression("r", 'up{job!="a",x=~"b|c"} == 0 and crupto_positions >= 1', is_rule=True)
    assert rule.as_question() == 'up{job!="a",x=~"b|c"} == bool 0 and crupto_positions >= bool 1'


def test_a_folder_without_boards_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no board"):
        list(board_expressions(tmp_path))


def test_every_rule_says_what_to_do_and_has_a_unit_test() -> None:
    rules = [r for group in yaml.safe_load(RULES.read_text())["groups"] for r in group["rules"]]
    tested = {
        check["alertname"]
        for name in ("alerts_test.yml", "alerts_slow_test.yml")
        for case in yaml.safe_load(RULES.with_name(name).read_text())["tests"]
        for check in case["alert_rule_test"]
        if check["exp_alerts"]
    }
    assert {rule["alert"] for rule in rules} == tested
    assert all(rule["annotations"]["action"] and rule["labels"]["severity"] for rule in rules)


@pytest.mark.prometheus
def test_promtool_checks_rules_and_configuration(promtool: str) -> None:
    for arguments in (
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("test", "rules", "alerts_slow_test.yml"),
    ):
        done = subprocess.run(
            [promtool, *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_a_rule_that_is_altered_fails_its_unit_test(promtool: str, tmp_path: Path) -> None:
    text = RULES.read_text().replace("crupto_kill_switch == 1", "crupto_kill_switch == 2")
    (tmp_path / "alerts.yml").write_text(text)
    (tmp_path / "alerts_test.yml").write_text(RULES.with_name("alerts_test.yml").read_text())
    done = subprocess.run(
        [promtool, "test", "rules", "alerts_test.yml"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode != 0


def test_compose_mounts_files_that_exist() -> None:
    services = yaml.safe_load((ROOM / "compose.yaml").read_text())["services"]
    for service in services.values():
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert not source.startswith(".") or (ROOM / source).exists(), source
