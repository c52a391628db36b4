"""`crupto live`: there is no live trading, and the command that would start it says so."""

from __future__ import annotations

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.output import Result
from crupto_nautilus.errors import SafetyRefusal


@command("live")
def live() -> Result:
    """Refused: this desk trades on paper only."""
    raise SafetyRefusal(
        "live trading is refused",
        found="a request to trade real money",
        expected="paper trading: no option, variable or setting turns live trading on",
        remedy="crupto backtest, or make demo",
    )
