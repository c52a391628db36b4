"""Run the exchange as a program: `python -m tests.fakes.bingx [--catalog DIR] [--port 0] [--speed 60]`.

Prints one JSON line with its addresses and made-up credentials, then serves until it is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from tests.fakes.bingx.contracts import LISTED, Contract, many
from tests.fakes.bingx.server import FakeBingx
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Replayed, Source, Waves


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.bingx", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="REST and WebSocket port, 0 for a free one")
    parser.add_argument("--control-port", type=int, default=0, help="control port, 0 for a free one")
    parser.add_argument("--catalog", type=Path, help="replay the bars of this catalog; default: seeded waves")
    parser.add_argument("--start-ms", type=int, help="venue time at the start, ms; default: wall clock")
    parser.add_argument("--speed", type=float, default=1.0, help="venue ms for a wall ms, 0 to stand still")
    parser.add_argument("--seed", type=int, default=7, help="of the waves")
    parser.add_argument("--balance", type=Decimal, default=Decimal(100_000), help="VST at the start")
    parser.add_argument("--extra-symbols", type=int, default=0, help="add T0000-USDT, T0001-USDT, ...")
    parser.add_argument("--one-way", action="store_true", help="one-way account; default: hedge, as VST is")
    arguments = parser.parse_args()
    contracts: tuple[Contract, ...] = LISTED + many(arguments.extra_symbols)
    source: Source = Waves(arguments.seed)
    start_ms = arguments.start_ms
    if arguments.catalog is not None:
        source, contracts, first_ms = replayed(arguments.catalog)
        start_ms = first_ms if start_ms is None else start_ms
    settings = Settings(
        contracts=contracts,
        start_ms=start_ms,
        speed=arguments.speed,
        balance=arguments.balance,
        hedge=not arguments.one_way,
    )
    asyncio.run(_serve(FakeBingx(settings, source), arguments.port, arguments.control_port))


def replayed(path: Path) -> tuple[Source, tuple[Contract, ...], int]:
    """Return a catalog as a source, the contracts it can drive, and where the last day of it starts."""
    from catalog.store import Catalog

    held = Catalog(path)
    names: dict[str, str] = {}
    contracts: list[Contract] = []
    last_ns = 0
    known = {contract.symbol: contract for contract in LISTED}
    for name in held.instruments():
        base = name.split(".")[0].removesuffix("-PERP").removesuffix("USDT").removesuffix("-")
        symbol = f"{base}-USDT"
        if symbol in names:
            continue
        source = next(s for s in held.sources(name) if s.kind == "ohlcv")
        names[symbol] = name
        last_ns = max(last_ns, source.last_ns)
        template = known.get(symbol) or many(1)[0]
        contracts.append(
            replace(
                template,
                symbol=symbol,
                price_precision=source.price_digits,
                quantity_precision=min(source.size_digits, template.quantity_precision),
            )
        )
    return Replayed(path, names), tuple(contracts), last_ns // 10**6 - 86_400_000


async def _serve(fake: FakeBingx, port: int, control_port: int) -> None:
    await fake.start(port, control_port)
    where = {
        "rest": fake.rest_url,
        "ws": fake.ws_url,
        "control": fake.control_url,
        "api_key": fake.settings.api_key,
        "api_secret": fake.settings.api_secret,
        "speed": fake.settings.speed,
        "time_ms": fake.clock.now_ms(),
    }
    print(json.dumps(where), flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with contextlib.suppress(asyncio.CancelledError):
        await stopped.wait()
    await fake.stop()


if __name__ == "__main__":
    main()
