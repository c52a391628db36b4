"""The dashboard of a paper run as its settings want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crupto_nautilus.config import DeskConfig
    from crupto_nautilus.desk.services import RunService


def dashboard_services(config: DeskConfig, host: str = "127.0.0.1") -> list[RunService]:
    """Return the dashboard's service, or none when PROMETHEUS_PORT is 0; its address goes to stderr."""
    port = config.runtime.prometheus_port
    if port == 0:
        return []
    from crupto_nautilus.desk.telemetry.service import DashboardService

    return [DashboardService(host, port, lambda text: click.echo(text, err=True))]
