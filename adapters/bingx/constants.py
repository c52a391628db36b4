"""Names and numbers of BingX (USDT-M perpetuals), with where they come from in the vendor's documentation."""

from __future__ import annotations

from typing import Final

VENUE: Final = "BINGX"
QUOTE: Final = "USDT"
VIRTUAL_ASSET: Final = "VST"

LIVE_REST: Final = "https://open-api.bingx.com"
LIVE_STREAM: Final = "wss://open-api-swap.bingx.com/swap-market"
VST_REST: Final = "https://open-api-vst.bingx.com"
VST_STREAM: Final = "wss://vst-open-api-ws.bingx.com/swap-market"

# Hosts that execution may talk to.  A live trading host is not among them and no setting adds one.
VST_HOSTS: Final = frozenset(
    {"open-api-vst.bingx.com", "open-api-vst.bingx.pro", "vst-open-api-ws.bingx.com"}
)
# Hosts for market data, which carries no key.
DATA_HOSTS: Final = VST_HOSTS | {
    "open-api.bingx.com",
    "open-api.bingx.pro",
    "open-api-swap.bingx.com",
}
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

# A page of klines; the vendor writes 1440, the venue was seen to cap at 1000.
KLINES_PAGE: Final = 1000
FUNDING_PAGE: Final = 1000
FILLS_PAGE: Final = 500
# `allOrders` and `fillHistory` refuse wider windows.
HISTORY_WINDOW_MS: Final = 7 * 86_400_000
# How long 1m klines and others are kept, in days (seen in 2026).
RETENTION_DAYS: Final = {1: 632, 5: 90, 15: 240, 60: 820, 240: 820, 1440: 1900}

# A signed request is refused when its time stamp is older than this.
RECEIVE_WINDOW_MS: Final = 5_000
MAX_TOPICS: Final = 200
TOPICS_PER_SOCKET: Final = 180
SUBSCRIBES_PER_SECOND: Final = 9.0
PING_SECONDS: Final = 5.0
CLIENT_ID_LENGTH: Final = 40
BATCH_CANCEL: Final = 10

INTERVALS: Final = {1: "1m", 3: "3m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d"}
DEPTH_LEVELS: Final = (5, 10, 20, 50, 100)
