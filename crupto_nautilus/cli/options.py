"""Options that several commands share, and the parsing of times and instruments.

Times are UTC.  A window covers the bars that open at or after `--start` and before `--end` (exclusive).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from catalog.store import Catalog

_EXAMPLES = "2023-01-31, 2023-01-31T08:00 or 2023-01-31T08:00:00Z (UTC)"
_SHOWN = 30  # names listed in an error


class When(click.ParamType[int]):
    """A moment on the command line, as nanoseconds UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the nanoseconds of a date or an ISO time; times without a zone are UTC."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        try:
            if len(text) < len("2023-01-31"):  # `fromisoformat` also takes short forms that nobody means
                raise ValueError(text)
            moment = datetime.fromisoformat(text)
        except ValueError:
            name = param.opts[0] if param else "the time"
            raise UsageError(
                f"{name} is no date or time",
                found=repr(text),
                expected=_EXAMPLES,
                remedy=f"{name} 2023-01-31",
            ) from None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000


class Names(click.ParamType[tuple[str, ...]]):
    """Names separated by commas."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names without repeats, in the order given."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(word.strip() for word in str(value).split(",") if word.strip()))
        if not names:
            name = param.opts[0] if param else "the list"
            raise UsageError(f"{name} is empty", found=repr(value), expected="names separated by commas")
        return names


class Amount(click.FloatRange):
    """A number in a range; NaN, which click lets pass, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not in the range {self._describe_range()}.", param, ctx)
        return float(number)


def iso(ts_ns: int) -> str:
    """Return `2023-01-31T08:00:00Z` for nanoseconds UTC."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_window(start_ns: int | None, end_ns: int | None) -> None:
    """Raise unless the window has a length."""
    if start_ns is not None and end_ns is not None and end_ns <= start_ns:
        raise UsageError(
            "the window is empty",
            found=f"--start {iso(start_ns)} --end {iso(end_ns)}",
            expected="--end after --start (exclusive)",
            remedy="swap the two, or leave one out",
        )


def resolve_symbols(asked: Sequence[str], held: Sequence[str]) -> tuple[str, ...]:
    """Return the instrument ids meant by full ids, pairs (`BTCUSDT`) or coins (`BTC`).

    A coin or pair means its perpetual where the catalog holds one and otherwise what else fits, if that is
    one instrument.

    Raises
    ------
    UsageError
        Nothing fits, or more than one instrument does.
    """
    return tuple(dict.fromkeys(_resolve(name, held) for name in asked))


def _resolve(asked: str, held: Sequence[str]) -> str:
    from catalog.symbols import parse_instrument

    name = asked.upper()
    if name in held:
        return name
    fits = []
    for instrument in held:
        parts = parse_instrument(instrument)
        pair = parts.base + parts.quote
        if name in {parts.base, pair, f"{parts.base}-{parts.quote}", instrument.partition(".")[0]}:
            fits.append((parts.kind, instrument))
    perpetuals = [instrument for kind, instrument in fits if kind == "perp"]
    chosen = perpetuals or [instrument for _, instrument in fits]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise UsageError(
            f"the symbol {asked} is ambiguous",
            found=asked,
            expected=f"one of {', '.join(chosen)}",
            remedy="give the full instrument id",
        )
    listed = ", ".join(held[:_SHOWN]) + (f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else "")
    raise UsageError(
        f"the catalog has no symbol {asked}",
        found=asked,
        expected=f"one of {listed}" if held else "a catalog that holds an instrument",
        remedy="`crupto catalog info --catalog DIR` lists what is there; `crupto catalog import` adds to it",
    )


def catalog_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--catalog DIR` (or the variable CRUPTO_CATALOG) as a required option."""
    return _option(
        "--catalog",
        "catalog_dir",
        type=click.Path(path_type=Path),
        required=True,
        envvar="CRUPTO_CATALOG",
        show_envvar=True,
        metavar="DIR",
        help="Folder of the catalog.",
    )(body)


def config_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config DIR`."""
    return _option(
        "--config",
        "config_dir",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder with YAML files that replace the built-in ones.",
    )(body)


def window_options(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--start` and `--end`."""
    end = _option("--end", "end_ns", type=When(), metavar="TIME", help="Exclusive end, UTC.")
    start = _option("--start", "start_ns", type=When(), metavar="TIME", help="First moment, UTC: 2023-01-31.")
    return start(end(body))


def runs_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--runs DIR`, the folder in which a run id is looked up."""
    return _option(
        "--runs",
        "runs_dir",
        type=click.Path(path_type=Path),
        default=Path("runs"),
        show_default=True,
        metavar="DIR",
        help="Folder of the runs.",
    )(body)


def open_catalog(catalog_dir: Path) -> Catalog:
    """Return the catalog at a folder.

    Raises
    ------
    UsageError
        There is none.
    """
    from catalog.store import Catalog

    if not catalog_dir.is_dir():
        raise UsageError(
            f"there is no catalog at {catalog_dir}",
            found="no such folder",
            expected="a folder made by `crupto catalog import`, `download` or `sample`",
            remedy=f"crupto catalog sample --catalog {catalog_dir}",
        )
    return Catalog(catalog_dir)


def _option(*names: str, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return cast(Callable[[Callable[..., Any]], Callable[..., Any]], click.option(*names, **settings))
