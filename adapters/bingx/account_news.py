"""The balance of the account as the engine is told of it.

Guarantees: the wallet balance, what of it is bound and what is free, always from the venue; what is told last
was asked for last, however slow an answer is, and nothing is told by a client that has fallen silent; an
account that is no demo account any more stops trading; a balance that could not be read stays due.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from nautilus_trader.model import AccountBalance, Money

from adapters.bingx.account_guard import free_margin, virtual_balance
from adapters.bingx.account_rows import BalanceRow
from adapters.bingx.config import ExecutionSettings
from adapters.bingx.errors import BingxError, SafetyStop
from adapters.bingx.rest import BingxRest
from adapters.live import engine_rows as engine

MS = 1_000_000


class Client(Protocol):
    """What the news need of the execution client."""

    rest: BingxRest
    settings: ExecutionSettings
    fatal: str
    is_silent: bool

    def now_ms(self) -> int:
        """Return the venue's time."""

    def problem(self, text: str) -> None:
        """Tell what went wrong."""

    def generate_account_state(
        self,
        *,
        balances: list[Any],
        margins: list[Any],
        reported: bool,
        ts_event: int,
        info: dict[str, object] | None = None,
    ) -> None:
        """Tell the engine."""


class AccountNews:
    """Tells the engine of the balance; `due` while it has changed and was not read yet."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.due = False
        self._lock = asyncio.Lock()

    def tell(self, row: BalanceRow) -> None:
        """Tell a balance that was read."""
        total, locked, free = (round(float(part), 8) for part in free_margin(row))
        money = AccountBalance(
            Money(total, engine.USDT), Money(locked, engine.USDT), Money(free, engine.USDT)
        )
        self._client.generate_account_state(
            balances=[money],
            margins=[],
            reported=True,
            ts_event=self._client.now_ms() * MS,
            info={"asset": row.asset},
        )

    async def refresh(self) -> bool:
        """Read the balance and tell it; returns whether that worked."""
        async with self._lock:  # an answer that is late must not follow one that was asked for after it
            return await self._refresh()

    async def _refresh(self) -> bool:
        client = self._client
        self.due = False
        try:
            row = await virtual_balance(client.rest, client.settings.virtual_asset)
            if not client.is_silent:
                self.tell(row)
        except SafetyStop as stop:
            client.fatal = str(stop)
            client.problem(client.fatal)
            return False
        except BingxError as error:
            self.due = True  # asked again in a moment
            client.problem(f"balance: {error}")
            return False
        return True
