"""Settings of the adapter: where to connect, with which key, and how careful to be.

Guarantees: a key is a secret type and appears in no representation; execution is possible on VST hosts and on
loopback only; an address that is neither is refused when the settings are made.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from adapters.bingx.constants import (
    DATA_HOSTS,
    LIVE_REST,
    LIVE_STREAM,
    LOOPBACK,
    PING_SECONDS,
    SUBSCRIBES_PER_SECOND,
    TOPICS_PER_SOCKET,
    VST_HOSTS,
    VST_REST,
    VST_STREAM,
)
from adapters.bingx.errors import BingxError, SafetyStop
from adapters.live.source import FeedSettings
from adapters.live.timebase import Timebase, WallTime


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The base address of the REST interface and the address of the stream."""

    rest: str
    stream: str

    @property
    def hosts(self) -> tuple[str, str]:
        """Return both host names."""
        return _host(self.rest), _host(self.stream)

    @property
    def is_loopback(self) -> bool:
        """Whether both are on this machine (a fake exchange)."""
        return set(self.hosts) <= LOOPBACK

    def require_data(self) -> None:
        """Refuse an address that is not BingX's or loopback."""
        self._require(DATA_HOSTS, "market data")

    def require_virtual(self) -> None:
        """Refuse an address that could trade real money.

        Raises
        ------
        SafetyStop
            A host is neither one of BingX's VST hosts nor loopback.
        """
        self._require(VST_HOSTS, "execution")

    def _require(self, allowed: frozenset[str], purpose: str) -> None:
        for address, host in zip((self.rest, self.stream), self.hosts, strict=True):
            scheme = urlsplit(address).scheme
            encrypted = scheme in {"https", "wss"}
            if host in LOOPBACK and scheme in {"http", "ws", "https", "wss"}:
                continue
            if host not in allowed or not encrypted:
                raise SafetyStop(
                    f"{purpose} may not connect to {host or address}",
                    found=f"{scheme}://{host}",
                    expected=", ".join(sorted(allowed)),
                    remedy="leave the addresses of BingX unset: the right ones are built in",
                )
        if "swap" not in urlsplit(self.stream).path:
            raise SafetyStop(
                "the address of the stream is not one of perpetuals",
                found=urlsplit(self.stream).path,
                expected="a path with the word swap",
            )


LIVE_DATA = Endpoints(LIVE_REST, LIVE_STREAM)
VST = Endpoints(VST_REST, VST_STREAM)


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key and its secret."""

    key: SecretStr
    secret: SecretStr

    @classmethod
    def of(cls, key: str, secret: str) -> Credentials:
        """Return credentials from plain text; line breaks of a pasted key are dropped.

        Raises
        ------
        BingxError
            One of them is empty or holds blanks.
        """
        pair = [part.strip() for part in (key, secret)]
        if not all(pair) or any(any(c.isspace() for c in part) for part in pair):
            raise BingxError(
                "the BingX key or its secret is not one word",
                found="a value that is not shown",
                expected="the key and the secret as BingX shows them",
                remedy="set BINGX_API_KEY and BINGX_API_SECRET",
            )
        return cls(SecretStr(pair[0]), SecretStr(pair[1]))

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Credentials:
        """Return the credentials of BINGX_API_KEY and BINGX_API_SECRET, or of the file in BINGX_KEY_FILE.

        Raises
        ------
        BingxError
            None is set, or the file is not one.
        """
        if env.get("BINGX_KEY_FILE"):
            return cls.from_file(Path(env["BINGX_KEY_FILE"]))
        if not env.get("BINGX_API_KEY", "").strip() or not env.get("BINGX_API_SECRET", "").strip():
            raise BingxError(
                "there is no BingX key",
                found="BINGX_API_KEY or BINGX_API_SECRET is not set",
                expected="both, of a demo (VST) account",
                remedy="set both, or BINGX_KEY_FILE to a file of mode 0600 with key and secret in two lines",
            )
        return cls.of(env.get("BINGX_API_KEY", ""), env.get("BINGX_API_SECRET", ""))

    @classmethod
    def from_file(cls, path: Path) -> Credentials:
        """Return the credentials of a file of two lines, key and secret, that only its owner can read."""
        try:
            mode = path.stat().st_mode
            lines = path.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise BingxError(
                "the key file cannot be read", found=f"{path}: {type(error).__name__}", expected="two lines"
            ) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SafetyStop(
                "others can read the key file",
                found=f"{path} with mode {stat.S_IMODE(mode):04o}",
                expected="mode 0600",
                remedy=f"chmod 600 {path}",
            )
        if len(lines) != 2:
            raise BingxError(
                "the key file is not one",
                found=f"{path} with {len(lines)} words",
                expected="two lines: the key and the secret",
            )
        return cls.of(*lines)


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How the sockets behave, in real seconds."""

    topics_per_socket: int = TOPICS_PER_SOCKET
    subscribes_per_second: float = SUBSCRIBES_PER_SECOND
    ack_timeout_s: float = 5.0
    silence_s: float = 2.4 * PING_SECONDS  # without any frame; noticed a fifth later, so within 15 s
    first_backoff_s: float = 0.5
    last_backoff_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings(FeedSettings):
    """Market data of BingX.

    Parameters
    ----------
    confirm_bars : bool
        False is for hundreds of instruments: a confirmation costs a request a bar.
    depth_levels : int
        Levels of the book that quotes and depth are made of: 5, 10, 20, 50 or 100.
    """

    endpoints: Endpoints = LIVE_DATA
    depth_levels: int = 5
    stream: StreamSettings = StreamSettings()

    def __post_init__(self) -> None:
        """Refuse an address that is not BingX's."""
        self.endpoints.require_data()


@dataclass(frozen=True, slots=True)
class Takeover:
    """What is to be taken over.

    Parameters
    ----------
    positions : mapping of str to Decimal
        Average price by the client id of the order that stands for a position.
    orders : frozenset of str
        Client ids of the orders that rested or were under way.
    """

    positions: Mapping[str, Decimal] = field(default_factory=dict)
    orders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ExecutionSettings:
    """Execution on a VST account.

    Parameters
    ----------
    leverage : int
        Set and verified for every traded instrument before anything is sent.
    isolated : bool
        Margin mode, likewise.
    convert_hedge_mode : bool
        A fresh VST account is in hedge mode: switch it to one-way (only possible while it is flat) instead of
        refusing to start.
    dead_man_seconds : int
        The venue cancels resting entries when nothing was heard from us for so long (10 to 120; 0: off).  It
        would cancel protective stops too, so it is armed only while no stop rests or comes with an entry.
    entry_patience_s : float
        An entry that could not be sent for so long (a rate limit, a block) is refused: its moment has passed.
    order_journal : Path or None
        File that remembers the client ids of stop orders, which the venue may not echo, across a restart.
    takeover : Takeover or None
        What an earlier process left at the venue and the strategies will submit again.
    """

    credentials: Credentials
    endpoints: Endpoints = VST
    symbols: tuple[str, ...] = ()
    leverage: int = 5
    isolated: bool = True
    convert_hedge_mode: bool = True
    dead_man_seconds: int = 60
    virtual_asset: str = "VST"
    account: str = "VST-001"
    timeout_s: float = 10.0
    fill_patience_s: float = 1.0
    entry_patience_s: float = 15.0
    order_window_s: float = 7.0  # real seconds after which the venue cannot accept a request any more
    reconcile_s: float = 30.0
    key_renewal_s: float = 20 * 60.0
    order_journal: Path | None = None
    takeover: Takeover | None = None
    stream: StreamSettings = StreamSettings()
    timebase: Timebase = field(default_factory=WallTime)

    def __post_init__(self) -> None:
        """Refuse a host with real money and settings out of range."""
        self.endpoints.require_virtual()
        if (
            not 1 <= self.leverage <= 150
            or (self.dead_man_seconds != 0 and not 10 <= self.dead_man_seconds <= 120)
            or not self.entry_patience_s > 0
        ):
            raise BingxError(
                "execution settings are out of range",
                found=f"leverage {self.leverage}, dead_man_seconds {self.dead_man_seconds}, "
                f"entry_patience_s {self.entry_patience_s:g}",
                expected="leverage 1..150, dead_man_seconds 0 or 10..120, entry_patience_s above 0",
            )


def at(endpoints: Endpoints, *, rest: str | None, stream: str | None) -> Endpoints:
    """Return endpoints with other addresses, such as those of a fake exchange on loopback."""
    return replace(endpoints, rest=rest or endpoints.rest, stream=stream or endpoints.stream)


def data_endpoints(env: Mapping[str, str]) -> Endpoints:
    """Return where market data comes from: BingX, or what BINGX_REST_URL and BINGX_STREAM_URL name.

    Raises
    ------
    SafetyStop
        An address is neither BingX's nor on this machine.
    """
    found = at(LIVE_DATA, rest=env.get("BINGX_REST_URL"), stream=env.get("BINGX_STREAM_URL"))
    found.require_data()
    return found


def virtual_endpoints(env: Mapping[str, str]) -> Endpoints:
    """Return where VST orders go: BingX's demo hosts, or what the same variables name on this machine.

    Raises
    ------
    SafetyStop
        An address could trade real money.
    """
    found = at(VST, rest=env.get("BINGX_REST_URL"), stream=env.get("BINGX_STREAM_URL"))
    found.require_virtual()
    return found
