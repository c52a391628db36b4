"""An exchange with the surface of ccxt that answers from a script: pages, caps, failures, a forming bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from catalog.schema import BAR_COLUMNS, TIME, Columns

MS = 1_000_000
BTC_MARKET = {
    "id": "BTC-USDT",
    "symbol": "BTC/USDT:USDT",
    "base": "BTC",
    "quote": "USDT",
    "swap": True,
    "inverse": False,
    "contractSize": 1,
}
SPOT_MARKET = BTC_MARKET | {"symbol": "BTC/USDT", "swap": False, "contractSize": None}


class ScriptedExchange:
    """Serves bars (open-stamped columns) and funding; `fail` is asked before each data request."""

    id = "bingx"

    def __init__(
        self,
        rows: Columns | None = None,
        *,
        funding: list[tuple[int, float]] | None = None,
        now_ns: int = 2**62,
        cap: int = 10_000,
        newest_first: bool = False,
        obeys_bounds: bool = True,
        fail: Callable[[int], None] = lambda n: None,
    ) -> None:
        self.timeframes = {"5m": "5m", "1h": "1h"}
        self.markets = {market["symbol"]: market for market in (BTC_MARKET, SPOT_MARKET)}
        self.now_ns = now_ns
        self.cap = cap
        self.newest_first = newest_first
        self.obeys_bounds = obeys_bounds
        self.fail = fail
        self.asked: list[tuple[int, int, dict[str, Any]]] = []
        self.loaded = 0
        self._bars: list[list[Any]] = []
        if rows is not None:
            columns = [rows[name].tolist() for name in BAR_COLUMNS]
            self._bars = [list(row) for row in zip((rows[TIME] // MS).tolist(), *columns, strict=True)]
        self._funding = [{"timestamp": ts // MS, "fundingRate": rate} for ts, rate in funding or []]

    def load_markets(self) -> Any:
        self.loaded += 1
        return self.markets

    def fetch_time(self) -> int:
        return self.now_ns // MS

    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int, params: dict[str, Any]) -> Any:
        return self._page(self._bars, lambda row: row[0], since, limit, params)

    def fetch_funding_rate_history(self, symbol: str, since: int, limit: int, params: dict[str, Any]) -> Any:
        return self._page(self._funding, lambda row: row["timestamp"], since, limit, params)

    def _page(
        self, rows: list[Any], time_of: Callable[[Any], int], since: int, limit: int, params: dict[str, Any]
    ) -> list[Any]:
        self.asked.append((since, params["until"], params))
        self.fail(len(self.asked))
        if not self.obeys_bounds:
            return rows
        inside = [row for row in rows if since <= time_of(row) <= params["until"]]
        count = min(limit, self.cap)
        return inside[-count:][::-1] if self.newest_first else inside[:count]
