"""How this exchange behaves: account, host and the spellings and quirks that differ between captures."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from tests.fakes.bingx.book import BookShape
from tests.fakes.bingx.contracts import MAJORS, Contract

# Made up: no account has them.  Long enough that a search for them in logs means something.
TEST_KEY = "fake-bingx-api-key-5c1f0d9b7e"
TEST_SECRET = "fake-bingx-secret-91b2d7aa40"  # pragma: allowlist secret


@dataclass(slots=True)
class Settings:
    """Choices of one exchange; a test sets what it needs."""

    host: Literal["vst", "live"] = "vst"
    allow_live: bool = False  # a live exchange starts only when a test asks for it
    api_key: str = TEST_KEY
    api_secret: str = TEST_SECRET
    contracts: tuple[Contract, ...] = MAJORS
    balance: Decimal = Decimal(100_000)
    hedge: bool = True  # as a fresh VST account is
    leverage: int = 20
    book: BookShape = field(default_factory=BookShape)

    # time
    start_ms: int | None = None  # None: the wall clock
    speed: float = 1.0  # venue ms for a wall ms; 0: the clock stands until it is advanced
    pump_s: float = 0.02  # wall seconds between two looks at the clock
    ping_s: float = 5.0  # venue time (a clock that stands still: wall time)
    pong_limit_s: float = 30.5  # silence after which the socket is dropped, likewise
    listen_key_ms: int = 3_600_000  # venue time
    clock_window_ms: int = 5_000  # of wall time: times `speed` in venue time
    config_update_s: float = 5.0  # between two ACCOUNT_CONFIG_UPDATE, likewise
    book_push_ms: int = 500  # venue ms between two pushes of depth, book ticker, mark price and ticker

    # limits
    topics_a_socket: int = 200
    sockets: int = 60
    open_orders: int = 200
    stops_a_symbol: int = 20
    enforce_rate_limits: bool = False

    # spellings and quirks
    balance_spelling: Literal["freezed", "frozen"] = "freezed"
    empty_amounts: bool = False  # "" instead of "0.0000" in the balance
    asks_worst_first: bool = True  # on the WebSocket
    short_order_answer: bool = False  # the documented subset instead of the recorded answer
    fill_fields: bool = True  # `l` and `L` in ORDER_TRADE_UPDATE
    text_ids: bool = False  # order ids in user events as text, as an old capture has them
    trade_update_name: Literal["ORDER_TRADE_UPDATE", "TRADE_UPDATE"] = "ORDER_TRADE_UPDATE"
    fee_asset: str | None = None  # `N`; None: the account's asset
    signed_one_way_amount: bool = True  # `pa` in one-way mode
    silent_triggers: bool = False  # no ORDER_TRADE_UPDATE of a triggered order (docs issue 36)
    triggered_keeps_id: bool = False  # a triggered order fills under its own id instead of a new one
    client_ids_on_stops: bool = False  # the documentation promises them for MARKET and LIMIT only
    cancel_stops_with_position: bool = True
    income_delay_ms: int = 0  # venue time until what moved the balance is shown as income
    events: Literal["before", "after", "never"] = "before"  # user events against the answer of a POST order
    same_listen_key: bool = False  # POST userDataStream gives the valid key again
    klines_start_only: Literal["newest", "oldest"] = (
        "newest"  # which rows an over-wide request without an end gets
    )
    klines_cap: int = 1_000  # observed; the documentation says 1440

    def wall_s(self, seconds: float) -> float:
        """Return how long a stretch of venue time takes on the wall."""
        return seconds / self.speed if self.speed else seconds

    @property
    def asset(self) -> str:
        return "VST" if self.host == "vst" else "USDT"
