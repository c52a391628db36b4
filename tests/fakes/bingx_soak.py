"""A long run of the whole desk on the fake exchange under random faults, and the audit of what came of it."""

from __future__ import annotations

import json
import random
import secrets
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from adapters.bingx.config import Credentials, DataSettings, Endpoints, ExecutionSettings, StreamSettings
from crupto_nautilus.config import load_config
from crupto_nautilus.config.load import DEFAULTS
from crupto_nautilus.desk.edges import VENUES
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import run_paper
from crupto_nautilus.desk.services import PaperContext
from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.bingx.contracts import BTC, ETH
from tests.fakes.bingx.settings import TEST_KEY, Settings
from tests.fakes.bingx.threaded import ThreadedBingx
from tests.fakes.bingx_node import venue_time
from tests.fakes.pulse_rule import Pulse

START_MS = 1_767_225_600_000  # 2026-01-01
SYMBOLS = ("BTC-USDT", "ETH-USDT")
CONTRACTS = (BTC, ETH)
REST_FAULTS = (
    "drop_before", "drop_after", "truncate", "http_500", "http_502", "busy", "rate_109429", "rate_100410",
    "null_data", "empty_object", "hang",
)  # fmt: skip
FRAME_FAULTS = ("duplicate", "drop", "bad_gzip", "bad_json", "truncate")
REST_RATE, FRAME_RATE = 0.03, 0.01
INCIDENT_EVERY_S = 90.0  # venue time, on average
# Trades at random lose their costs: small beside the equity, a day of them ends above the daily lock.
EQUITY_USD, R_PCT = 10_000, 0.05
UNLOCK_AFTER_HOURS = 0.5  # trades at random lose: an operator ends each kill switch, or all would rest


def settings(speed: float) -> Settings:
    """Return the exchange of a soak: pings fit for its speed, an account of its own.

    Two desks on one account lock each other out, so the account of a run that goes on beside is another.
    """
    return Settings(
        api_key=f"{TEST_KEY}-{secrets.token_hex(4)}",
        contracts=CONTRACTS,
        start_ms=START_MS,
        speed=speed,
        ping_s=0.5 * speed,
        pong_limit_s=20.0 * speed,
        pump_s=0.01,
        income_delay_ms=45_000,  # funding is told by the stream, its row comes later
    )


@dataclass(slots=True)
class Chaos:
    """Random incidents beside the random faults of calls and frames, from one seed, in a thread."""

    venue: ThreadedBingx
    seed: int
    speed: float
    until_ms: int  # venue time: what happens at the end is seen without faults
    counts: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    name = "chaos"

    def start(self, context: PaperContext) -> None:
        """Begin once the desk is assembled."""
        self._thread = threading.Thread(target=self._run, name="chaos", daemon=True)
        self._thread.start()

    def stop(self, reason: str) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def _run(self) -> None:
        rng = random.Random(self.seed)
        if self._stop.wait(60.0 / self.speed + 2.0):  # the node connects without faults
            return
        do = self.venue.do
        do("random_rest_faults", seed=self.seed, rate=REST_RATE, names=REST_FAULTS, seconds=0.3)
        do("random_frame_faults", seed=self.seed, rate=FRAME_RATE, kinds=FRAME_FAULTS)
        while not self._stop.wait(rng.expovariate(1.0) * INCIDENT_EVERY_S / self.speed):
            if self.venue.fake.clock.now_ms() > self.until_ms:
                break
            self._incident(rng)
        do("random_rest_faults", seed=self.seed, rate=0.0, names=[])
        do("random_frame_faults", seed=self.seed, rate=0.0, kinds=[])

    def _incident(self, rng: random.Random) -> None:
        do = self.venue.do
        kind = rng.choice(
            ("close private", "close public", "reset all", "refused handshakes", "reorder", "delay",
             "silence", "expired key", "expired key silently", "muted klines", "no acks")
        )  # fmt: skip
        self.counts[kind] += 1
        match kind:
            case "close private":
                do("close_sockets", scope="private", code=1001)
            case "close public":
                do("close_sockets", scope="public", code=1001)
            case "reset all":
                do("close_sockets", scope="all", code=None)
            case "refused handshakes":
                do("stream", refuse_handshakes=[[503, 0], [401, 0]])
                do("close_sockets", scope="all", code=None)
            case "reorder":
                do("stream", reorder={"private": rng.randint(2, 5)})
            case "delay":
                self._for(0.3, {"delay_s": 0.05}, {"delay_s": 0.0})
            case "silence":
                self._for(0.8, {"data": False, "ping": False}, {"data": True, "ping": True})
            case "expired key":
                do("expire_listen_keys", tell=True)
            case "expired key silently":
                do("expire_listen_keys", tell=False)
                do("close_sockets", scope="private", code=None)
            case "muted klines":
                topics = [f"{symbol}@kline_1m" for symbol in SYMBOLS]
                self._for(0.8, {"muted_topics": topics}, {"muted_topics": []})
            case "no acks":
                do("stream", skip_acks=2)
                do("close_sockets", scope="public", code=None)

    def _for(self, seconds: float, on: dict[str, Any], off: dict[str, Any]) -> None:
        self.venue.do("stream", **on)
        self._stop.wait(seconds)
        self.venue.do("stream", **off)


@dataclass(slots=True)
class Witness:
    """Looks at the node when it has stopped."""

    positions: dict[str, float] = field(default_factory=dict)
    context: PaperContext | None = None
    balance: float = 0.0  # of the desk's books

    name = "witness"

    def start(self, context: PaperContext) -> None:
        self.context = context

    def stop(self, reason: str) -> None:
        assert self.context is not None
        self.balance = self.context.desk.risk_desk.books.balance
        for held in self.context.node.cache.positions_open():
            symbol = str(held.instrument_id).rpartition(".")[0]
            self.positions[symbol] = self.positions.get(symbol, 0.0) + held.signed_qty
        self.context = None  # it holds the node, and the engine allows one a thread


def write_config(folder: Path) -> Path:
    """Write a configuration in which the pulse strategy may trade in every regime, all day."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = yaml.safe_load((DEFAULTS / "enable_map.yaml").read_text())
    for regime in tree["regimes"].values():
        regime["pulse_1m"] = ["long", "short"]
    tree["cooldown_bars"], tree["cooldown_after_2_losses"] = 1, 1
    (folder / "enable_map.yaml").write_text(yaml.safe_dump(tree))
    limits = yaml.safe_load((DEFAULTS / "governance.yaml").read_text())
    limits |= {
        "max_daily_loss_pct": 9.9, "kill_switch_drawdown_72h": 9.9,
        "per_trade_r_pct_base": R_PCT, "min_r_pct_floor": R_PCT,
        "cooling_period_minutes": 0, "max_cost_r": 1.0,
    }  # fmt: skip
    (folder / "governance.yaml").write_text(yaml.safe_dump(limits))
    return folder


@dataclass(frozen=True, slots=True)
class Soak:
    """What a soak left behind."""

    folder: RunFolder
    books: dict[str, Any]  # the venue's
    opening: float  # balance at the venue before the run
    witness: Witness
    faults: Counter[str]
    names: dict[str, str]  # client id by venue id, where the venue keeps no client ids
    unexplained: dict[str, Any]
    problems: list[str]


def soak(venue: ThreadedBingx, tmp: Path, minutes: int, seed: int) -> Soak:
    """Run the desk for so many minutes of venue time under faults."""
    speed = venue.fake.settings.speed
    time = venue_time(venue)
    key, secret = venue.fake.settings.api_key, venue.fake.settings.api_secret
    where = Endpoints(venue.rest_url, venue.ws_url)
    stream = StreamSettings(
        subscribes_per_second=200.0,
        ack_timeout_s=1.0,
        silence_s=3.0,
        first_backoff_s=0.05,
        last_backoff_s=0.5,
    )
    journal = tmp / "orders.jsonl"
    options = PaperOptions(
        catalog=tmp / "market",
        config=load_config(
            write_config(tmp / "config"), env={"VIRTUAL_EQUITY": str(EQUITY_USD)}, profile="vst"
        ),
        equity=float(EQUITY_USD),
        out=tmp / "runs",
        run_id=f"soak-{seed}",
        symbols=tuple(f"{symbol}.BINGX" for symbol in SYMBOLS),
        strategies=("pulse_1m", "range_reversion_5m", "volatility_expansion_15m"),
        feed="bingx",
        execution="vst",
        max_cycles=minutes,
        unlock_after_hours=UNLOCK_AFTER_HOURS,
        data_settings=DataSettings(
            endpoints=where, timebase=time, stream=stream, timeout_s=2.0, poll_s=60.0, instant_grace_s=20.0
        ),
        execution_settings=ExecutionSettings(
            credentials=Credentials.of(key, secret),
            endpoints=where,
            timebase=time,
            stream=stream,
            timeout_s=2.0,
            fill_patience_s=0.3,
            order_window_s=1.5,
            entry_patience_s=15.0,  # of venue time: a quarter of a second here
            reconcile_s=120.0,
            dead_man_seconds=120,  # two seconds of wall time: a call that fails is repeated meanwhile
            order_journal=journal,
        ),
    )
    end_ms = time.now_ms() + minutes * 60_000
    Pulse.last_ns = (end_ms - 5 * 60_000) * 10**6
    opening = float(venue.do("books")["balance"]["balance"])
    chaos, witness = Chaos(venue, seed, speed, end_ms - 4 * 60_000), Witness()
    make_venue = VENUES["vst"]
    made: list[Any] = []

    def remembered(plan: Any, asked: PaperOptions) -> Any:
        made.append(make_venue(plan, asked))
        return made[-1]

    VENUES["vst"] = remembered
    try:
        # In a thread of its own: the engine allows one node a thread for as long as anything refers to it.
        with ThreadPoolExecutor(1) as pool:
            path = pool.submit(run_paper, options, (witness, chaos)).result()
    finally:
        VENUES["vst"] = make_venue
    client = made[0].client
    books = venue.do("books")
    (tmp / "venue.json").write_text(json.dumps(books))  # to look into what an audit names
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    return Soak(
        folder=RunFolder(path),
        books=books,
        opening=opening,
        witness=witness,
        faults=chaos.counts + Counter(venue.do("counts")["faults"]),
        names={row["venue_id"]: row["client_id"] for row in rows if "venue_id" in row},
        unexplained=dict(client.reconciler.unexplained),
        problems=list(client.problems),
    )
