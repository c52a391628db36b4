"""The options of `crupto paper`, in groups: what is traded, on which feed, for how long, under which name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from crupto_nautilus.cli.options import Amount, Names, When, window_options
from crupto_nautilus.errors import UsageError

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

Body = Callable[..., Any]


class Duration(click.ParamType[float]):
    """A length of time on the command line, such as 8h, 90m, 30s or 1h30m, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; a number without a unit means seconds."""
        if isinstance(value, float):
            return value
        text = str(value).strip().lower()
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
        if re.fullmatch(r"\d+(?:\.\d+)?", text):
            seconds = float(text)
        elif parts and "".join(a + b for a, b in parts) == text:
            seconds = sum(float(a) * _UNITS_S[b] for a, b in parts)
        else:
            seconds = 0.0
        if seconds <= 0.0:
            name = param.opts[0] if param else "the duration"
            raise UsageError(
                f"{name} is no length of time", found=repr(value), expected="8h, 90m, 30s or 1h30m, above 0",
                remedy=f"{name} 8h",
            )  # fmt: skip
        return seconds


def together(*options: Callable[[Body], Body]) -> Callable[[Body], Body]:
    """Return one decorator of several; `--help` shows the options in this order."""

    def decorate(body: Body) -> Body:
        for option in reversed(options):
            body = option(body)
        return body

    return decorate


class FeedName(click.ParamType[str]):
    """A feed on the command line: replay, bingx, or ccxt:EXCHANGE."""

    name = "feed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of the feed."""
        text = str(value).strip().lower()
        if text in {"replay", "bingx"} or re.fullmatch(r"ccxt:[a-z0-9]+", text):
            return "bingx" if text == "ccxt:bingx" else text
        raise UsageError(
            "there is no such feed", found=repr(value), expected="replay, bingx, or an exchange of ccxt",
            remedy="--feed bingx, or --feed ccxt:bybit",
        )  # fmt: skip


feed_options = together(
    click.option(
        "--feed",
        "--venue",
        "feed",
        type=FeedName(),
        default="replay",
        show_default=True,
        metavar="FEED",
        help="Where market data comes from: replay (a catalog), bingx, or any exchange of ccxt such as "
        "ccxt:bybit (no key needed; live data).",
    ),
    click.option(
        "--execution",
        type=click.Choice(["sandbox", "vst"]),
        default="sandbox",
        show_default=True,
        help="Where orders go: the simulated venue, or BingX's demo account (BINGX_API_KEY, _SECRET).",
    ),
    click.option(
        "--catalog",
        "catalog_dir",
        type=click.Path(path_type=Path),
        envvar="CRUPTO_CATALOG",
        show_envvar=True,
        metavar="DIR",
        help="Catalog that is replayed, or that takes up the history of a live feed.",
    ),
    click.option(
        "--use-mock-feed",
        is_flag=True,
        help="Replay the embedded sample market, which is SYNTHETIC; no catalog is needed.",
    ),
    click.option(
        "--speed",
        type=Amount(min=0),
        default=0.0,
        show_default=True,
        help="Replay: event seconds a second; 1 is real time, 0 as fast as the desk allows.",
    ),
    click.option(
        "--skip-feed-check",
        is_flag=True,
        help="Start although the feed is not healthy (a replay is always healthy).",
    ),
    click.option(
        "--record",
        "record_dir",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Catalog to which the feed is recorded, so that the run can be replayed; a live feed is "
        "recorded to its --catalog unless you name another.",
    ),
)

market_options = together(
    click.option(
        "--symbols", type=Names(), help="Instrument ids or coins, separated by commas; default: all."
    ),
    click.option("--strategies", type=Names(), help="Strategies, separated by commas; default: all."),
    window_options,
    click.option(
        "--equity",
        type=Amount(min=0, min_open=True, max=1e9),
        help="Starting equity, USDT; default: 300, in virtual mode VIRTUAL_EQUITY.",
    ),
)

length_options = together(
    click.option(
        "--duration", type=Duration(), metavar="TIME", help="Stop after this wall time: 8h, 90m, 30s."
    ),
    click.option("--max-seconds", type=Amount(min=0, min_open=True), help="The same in seconds."),
    click.option("--max-cycles", type=click.IntRange(min=1), help="Stop after so many instants."),
    click.option(
        "--until",
        "until_ns",
        type=When(),
        metavar="TIME",
        help="Stop at this moment, UTC: of the data in a replay, of the clock on a live feed.",
    ),
)

run_options = together(
    click.option(
        "--profile",
        type=click.Choice(["paper", "vst"]),
        default="paper",
        show_default=True,
        help="vst: virtual trading (VIRTUAL_ASSET VST, VIRTUAL_EQUITY 300 unless the environment says more).",
    ),
    click.option(
        "--unlock-after-hours",
        type=Amount(min=0),
        default=0.0,
        show_default=True,
        help="Replay: a simulated operator unlocks a kill switch after so many hours of desk time; 0: never.",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=Path("runs"),
        show_default=True,
        metavar="DIR",
        help="Folder of the runs.",
    ),
    click.option("--run-id", metavar="NAME", help="Name of the run; default: from the time of the start."),
    click.option(
        "--status-every",
        "status_every_s",
        type=Duration(),
        default=30.0,
        metavar="TIME",
        help="Where there is no terminal: time between two lines of status; default 30s.",
    ),
)


def wall_limit_s(duration: float | None, max_seconds: float | None) -> float | None:
    """Return the wall time that a run may take: the shorter of the two."""
    given = [value for value in (duration, max_seconds) if value is not None]
    return min(given) if given else None
