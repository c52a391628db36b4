"""`crupto catalog info, rebuild, sample`: what a catalog holds, its cache, and the embedded market."""

from __future__ import annotations

from pathlib import Path

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import (
    catalog_option,
    iso,
    open_catalog,
)
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.progress import progress
from crupto_nautilus.errors import UsageError


@command("info")
@catalog_option
def info(*, catalog_dir: Path) -> Result:
    """What a catalog holds, and where it is from."""
    from catalog.schema import interval_label

    held = open_catalog(catalog_dir)
    sources = held.sources()
    rows = tuple(
        (
            source.instrument,
            source.kind.value,
            interval_label(source.minutes),
            iso(source.first_ns),
            iso(source.last_ns),
            str(source.rows),
            source.label,
        )
        for source in sources
    )
    columns = ("instrument", "kind", "interval", "first", "last", "rows", "label")
    table = Table("", columns, rows, frozenset({"rows"}))
    fingerprint = held.fingerprint(held.instruments())
    data = {
        "catalog": catalog_dir,
        "instruments": held.instruments(),
        "sources": sources,
        "fingerprint": fingerprint,
    }
    tail = f"{len(held.instruments())} instruments with bars, fingerprint {fingerprint[:12]}"
    return Result(data, (table if rows else f"{catalog_dir} is empty", tail))


@command("rebuild")
@catalog_option
def rebuild(*, catalog_dir: Path) -> Result:
    """Build the Nautilus catalog beside the raw files again.

    For tools that read one; the desk itself does not need it.
    """
    held = open_catalog(catalog_dir)

    from catalog.nautilus_cache import rebuild as build

    with progress() as report:
        done = build(held, progress=report)
    text = f"{done.bars} bars and {done.prices} prices in {done.path}"
    return Result(
        {"path": done.path, "bars": done.bars, "prices": done.prices, "fingerprint": done.fingerprint},
        (text,),
    )


@command("sample")
@catalog_option
def sample(*, catalog_dir: Path) -> Result:
    """Write the embedded market: synthetic, labelled so.

    The same bytes every time.
    """
    from catalog.sample import INSTRUMENTS, write_sample
    from catalog.store import Catalog

    names = tuple(market.id for market in INSTRUMENTS)
    present = Catalog.create(catalog_dir).instruments()
    others = [name for name in present if name not in names]
    if others:
        raise UsageError(
            f"{catalog_dir} holds other data: the synthetic market does not go beside it",
            found=", ".join(others),
            expected="a new folder, or the sample's own",
            remedy="crupto catalog sample --catalog sample-market",
        )
    with progress() as report:
        held = write_sample(catalog_dir, progress=report)
    text = f"{len(names)} synthetic instruments in {catalog_dir}: {', '.join(names)}"
    return Result({"catalog": catalog_dir, "instruments": names, "sources": held.sources()}, (text,))
