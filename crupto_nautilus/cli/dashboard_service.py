"""Dashboard and daily archive of a paper run as its settings want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crupto_nautilus.config import DeskConfig
    from crupto_nautilus.desk.services import RunService


def dashboard_services(config: DeskConfig, host: str = "127.0.0.1") -> list[RunService]:
    """Return the dashboard's service (none when PROMETHEUS_PORT is 0) and the daily archive.

    The dashboard's address goes to stderr.
    """
    port, keep_days = config.runtime.prometheus_port, config.runtime.retention_days
    found: list[RunService] = []
    if keep_days > 0:
        from crupto_nautilus.desk.retention import DailyRetention

        found.append(DailyRetention(keep_days))
    if port != 0:
        from crupto_nautilus.desk.telemetry.service import DashboardService

        found.append(DashboardService(host, port, lambda text: click.echo(text, err=True)))
    return found
