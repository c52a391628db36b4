"""The dashboard as a service of a paper run: telemetry, server, `telemetry.csv`.

Guarantees: a server that cannot start ends nothing: the run goes on and says so in its notes; the address is
printed, and recorded in `dashboard.json` of the run's folder while the run lasts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from crupto_nautilus.desk.services import PaperContext
from crupto_nautilus.desk.telemetry.board import History, LiveBoard
from crupto_nautilus.desk.telemetry.desk import DeskTelemetry
from crupto_nautilus.desk.telemetry.earlier import take_over
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.journal.queries import newest_decisions
from dashboards.server import DashboardServer, ServerError
from dashboards.telemetry_csv import TelemetryExporter

TOKEN_VARIABLE = "CRUPTO_DASHBOARD_TOKEN"  # noqa: S105 - the name of a variable, not a secret
ADDRESS_FILE = "dashboard.json"


class DashboardService:
    """Shows a run while it runs.

    Parameters
    ----------
    host : str
        Address to bind.
    port : int
        Wanted port; 0 in the configuration means no server, so the caller leaves the service out.
    announce : Callable
        Told the address, or why there is none.
    """

    name = "dashboard"

    def __init__(
        self, host: str = "127.0.0.1", port: int = 9108, announce: Callable[[str], None] = lambda _: None
    ) -> None:
        self._host, self._port, self._announce = host, port, announce
        self.server: DashboardServer | None = None
        self.telemetry: DeskTelemetry | None = None
        self.board: LiveBoard | None = None
        self._csv: TelemetryExporter | None = None
        self._journal: Journal | None = None

    def start(self, context: PaperContext) -> None:
        """Attach the telemetry to the monitor and serve."""
        desk, options = context.desk, context.options
        telemetry = DeskTelemetry(
            desk.risk_desk, desk.tools, tuple(context.plan.specs), tuple(sorted(context.plan.rules))
        )
        for strategy in desk.strategies:
            telemetry.know_class(type(strategy).__name__, strategy.spec.name)
        base_minutes = context.plan.base_minutes
        minutes = min(base_minutes.values())
        if minutes != max(base_minutes.values()):
            telemetry.base_minutes = base_minutes
        telemetry.pulse.interval_s = 60.0 * minutes / options.speed if options.speed > 0.0 else 0.0
        telemetry.pulse.journal = context.journal
        telemetry.read_state = lambda: desk.brain.desk_state
        telemetry.read_flags = lambda: frozenset(desk.flags)
        if context.earlier is not None:
            take_over(telemetry, context.earlier)
        facts = {
            "run_id": options.run_id,
            "mode": "paper",
            "command": options.command,
            "feed": options.feed,
            "execution": options.execution,
            "version": _version(),
            "speed": options.speed,
            "base_minutes": minutes,
            "instruments": len(context.plan.rules),
            "finished": False,
        }
        if options.journal_url is not None:
            self._journal = Journal(options.journal_url)
        board = LiveBoard(
            telemetry, context.plan.config.governance, facts, context.folder, self._history(options.run_id)
        )
        self.telemetry, self.board = telemetry, board
        self._csv = TelemetryExporter(context.folder, board.sample)
        telemetry.log = self._csv
        self._csv.start()
        desk.monitor.attach(telemetry)
        self._serve(board, context)

    def _serve(self, board: LiveBoard, context: PaperContext) -> None:
        server = DashboardServer(board, self._host, self._port, os.environ.get(TOKEN_VARIABLE, ""))
        try:
            server.start()
        except ServerError as error:
            text = f"no dashboard: {error.message} ({error.found})"
            context.notes.append(text)
            self._announce(text)
            return
        self.server, context.page = server, server.url
        taken = "" if server.port == self._port else f" (port {self._port} is taken)"
        self._announce(f"dashboard {server.url}{taken}")
        address = {"url": server.url, "host": self._host, "port": server.port, "pid": os.getpid()}
        (context.folder / ADDRESS_FILE).write_text(json.dumps(address) + "\n", encoding="utf-8")

    def _history(self, run_id: str) -> History | None:
        """Return where decisions come from that memory no longer holds."""
        journal = self._journal
        if journal is None:
            return None
        return lambda query: newest_decisions(journal, run_id, query)

    def stop(self, reason: str) -> None:
        """Show the end, write what waits, close the server."""
        if self.telemetry is not None:
            self.telemetry.catch_up()
            self.telemetry.pulse.end(reason)
        if self._csv is not None:
            self._csv.stop()
        if self.server is not None:
            self.server.stop()
        if self._journal is not None:
            self._journal.close()


def _version() -> str:
    try:
        return version("crupto-nautilus")
    except PackageNotFoundError:
        return "unknown"
