"""`crupto dashboards`: build and check the boards, serve a finished run."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, command
from crupto_nautilus.cli.options import runs_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.errors import EnvironmentProblem


@click.group("dashboards", context_settings=CONTEXT_SETTINGS)
def dashboards() -> None:
    """Grafana boards, alert rules, the page of a run."""


@command("build")
def build() -> Result:
    """Write the Grafana boards and METRICS.md from the code (needs the foundation SDK)."""
    from dashboards.expressions import BOARDS, DOCUMENT
    from dashboards.metrics import document

    written = []
    for name, text in _boards().items():
        (BOARDS / name).write_text(text, encoding="utf-8")
        written.append(str(BOARDS / name))
    DOCUMENT.write_text(document(), encoding="utf-8")
    written.append(str(DOCUMENT))
    return Result({"written": written}, tuple(f"wrote {path}" for path in written))


@command("check")
@click.option("--prometheus", "server", metavar="URL", help="Ask every expression of this Prometheus, too.")
def check(*, server: str | None) -> Result:
    """Check boards and rules: equal to the code, known metrics, promtool, and with --prometheus real answers.

    What cannot be checked on this machine (no SDK, no promtool) is named as skipped.
    """
    from dashboards.expressions import RULES

    rows = [
        ("boards are what the code builds", *_check_boards()),
        ("METRICS.md is the table", *_check_document()),
        ("expressions use known metrics", *_check_names()),
        ("promtool checks the rules", *_promtool("check", "rules", str(RULES))),
    ]
    for tests in ("alerts_test.yml", "alerts_slow_test.yml"):
        rows.append((f"promtool: {tests}", *_promtool("test", "rules", str(RULES.with_name(tests)))))
    if server is not None:
        rows.append(("every expression has an answer", *_check_answers(server)))
    failed = [row for row in rows if row[1] == "failed"]
    data = {"checks": [{"check": name, "state": state, "detail": detail} for name, state, detail in rows]}
    return Result(data, (Table("", ("check", "state", "detail"), tuple(rows)),), exit_code=1 if failed else 0)


@command("serve")
@click.argument("run")
@runs_option
@click.option("--port", type=click.IntRange(0, 65535), default=9108, show_default=True, help="Wanted port.")
@click.option("--bind", "host", default="127.0.0.1", show_default=True, help="Address; others need a token.")
@click.option("--max-seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this time.")
def serve(*, run: str, runs_dir: Path, port: int, host: str, max_seconds: float | None) -> Result:
    """Serve the page of a finished run until interrupted.

    Where others can connect (--bind), CRUPTO_DASHBOARD_TOKEN must hold a token.
    """
    import os

    from crupto_nautilus.desk.telemetry.finished import FinishedBoard
    from crupto_nautilus.desk.telemetry.service import TOKEN_VARIABLE
    from crupto_nautilus.reports.run_folder import RunFolder
    from dashboards.server import DashboardServer, ServerError

    folder = RunFolder.open(run, runs_dir)
    try:
        server = DashboardServer(FinishedBoard(folder), host, port, os.environ.get(TOKEN_VARIABLE, ""))
        server.start()
    except ServerError as error:
        raise EnvironmentProblem(
            error.message, found=error.found, expected=error.expected, remedy=error.remedy
        ) from error
    click.echo(f"run {folder.run_id}: {server.url} (interrupt to end)", err=True)
    try:
        threading.Event().wait(max_seconds)
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()
    return Result({"run": folder.run_id, "url": server.url}, (f"served {folder.run_id} at {server.url}",))


def _boards() -> dict[str, str]:
    try:
        from dashboards.grafana.boards import built
    except ModuleNotFoundError as error:
        raise EnvironmentProblem(
            "the Grafana foundation SDK is not installed",
            found=str(error),
            expected="grafana-foundation-sdk, a development dependency",
            remedy="make sync (the boards in dashboards/grafana are ready to use without it)",
        ) from error
    return built()


def _check_boards() -> tuple[str, str]:
    from dashboards.expressions import BOARDS

    try:
        boards = _boards()
    except EnvironmentProblem as problem:
        return "skipped", str(problem.found)
    different = [
        name
        for name, text in boards.items()
        if not (BOARDS / name).is_file() or (BOARDS / name).read_text(encoding="utf-8") != text
    ]
    return (
        ("failed", f"{', '.join(different)}: crupto dashboards build")
        if different
        else ("ok", f"{len(boards)}")
    )


def _check_document() -> tuple[str, str]:
    from dashboards.expressions import DOCUMENT
    from dashboards.metrics import METRICS, document

    same = DOCUMENT.is_file() and DOCUMENT.read_text(encoding="utf-8") == document()
    return ("ok", f"{len(METRICS)} metrics") if same else ("failed", "crupto dashboards build")


def _check_names() -> tuple[str, str]:
    from dashboards.expressions import board_expressions, rule_expressions, unknown_names

    expressions = [*board_expressions(), *rule_expressions()]
    unknown = unknown_names(iter(expressions))
    return ("failed", "; ".join(unknown)) if unknown else ("ok", f"{len(expressions)} expressions")


def _promtool(*arguments: str) -> tuple[str, str]:
    program = shutil.which("promtool")
    if program is None:
        return "skipped", "no promtool here (apt-get install prometheus)"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)
    said = (done.stdout + done.stderr).strip().splitlines()
    return ("ok", "") if done.returncode == 0 else ("failed", " ".join(said)[-400:])


def _check_answers(server: str) -> tuple[str, str]:
    from dashboards.expressions import ask, board_expressions, rule_expressions

    expressions = [*board_expressions(), *rule_expressions()]
    try:
        silent = [found.place for found in expressions if not ask(server, found.as_question())]
    except ValueError as error:
        return "failed", str(error)
    return (
        ("failed", f"no result: {'; '.join(silent)}") if silent else ("ok", f"{len(expressions)} expressions")
    )


for _part in (build, check, serve):
    dashboards.add_command(_part)
