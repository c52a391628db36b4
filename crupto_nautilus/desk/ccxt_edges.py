"""An exchange of ccxt as the feed of a paper run; orders go to the sandbox, no exchange is traded on."""

from __future__ import annotations

from dataclasses import replace

from nautilus_trader.live.clients import DataClientFactory

from adapters.ccxt_data.config import CcxtSettings
from adapters.ccxt_data.data import data_factory
from crupto_nautilus.desk.assembly import DeskPlan
from crupto_nautilus.desk.live_feed import LiveFeed
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.errors import UsageError


class CcxtFeed(LiveFeed):
    """Market data of one exchange as instants."""

    def __init__(self, prepared: Prepared, plan: DeskPlan, options: PaperOptions) -> None:
        settings = options.data_settings
        if not isinstance(settings, CcxtSettings):
            raise UsageError(f"the feed {options.feed} needs settings", found="none")
        self.place = settings.place
        symbols = tuple(name.rpartition(".")[0] for name in prepared.choice.window.instruments)
        self._settings = replace(settings, symbols=symbols)
        super().__init__(prepared, plan, options, settings)

    def _factory(self) -> type[DataClientFactory]:
        return data_factory(
            self._settings, self.instants, made=self._made, clock=self.clock, instruments=self.told
        )
