"""`download`: history from any ccxt exchange into a catalog, window by window.

Guarantees: every request has both bounds, so holes and newest-first venues cannot skip rows; only closed
bars are kept; what the catalog holds already is not asked for again, so a stopped download resumes; rows are
written in batches, each in one step.  Gaps of the venue stay gaps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from catalog.errors import CatalogError
from catalog.importers import Progress
from catalog.loading import iso
from catalog.schema import BAR_COLUMNS, TIME, Columns, Kind, interval_label, snap_settlements
from catalog.store import Catalog
from catalog.timeframes import Ints, label
from catalog.venues import Caller, Exchange, find_market
from risk.vocabulary import MINUTE_NS

MS = 1_000_000
PAGE_ROWS = 500
BATCH_ROWS = 20_000
# Venues still revise the last bar for some seconds after its close.
SETTLING_NS = 10 * 1_000_000_000

_PRICE_OF: dict[Kind, str] = {Kind.MARK: "mark", Kind.REFERENCE: "index"}


@dataclass(frozen=True, slots=True)
class Request:
    """What to download: rows with start <= raw stamp < end (bar opens, settlement times), ns UTC."""

    instrument: str
    minutes: int
    start_ns: int
    end_ns: int
    kind: Kind = Kind.OHLCV


@dataclass(slots=True)
class DownloadReport:
    """What became of a request; `held` rows were in the catalog before and not asked for."""

    request: Request
    pages: int = 0
    pages_held: int = 0
    pages_empty: int = 0
    rows: int = 0
    written: int = 0
    unclosed: int = 0
    outside: int = 0
    retries: int = 0
    clipped_ns: int = 0  # what the venue does not keep any more, from the start of the request
    missing: int = 0  # bars of the window that the catalog does not hold now: gaps of the venue
    gaps: int = 0  # runs of missing bars
    first_gap_ns: int = 0
    longest_gap: int = 0  # bars


@dataclass(slots=True)
class _Batch:
    """Rows fetched and not written yet, by stamp."""

    rows: dict[int, tuple[float, ...]] = field(default_factory=dict)


def download(
    catalog: Catalog,
    exchange: Exchange,
    request: Request,
    *,
    now_ns: int | None = None,
    page_rows: int = PAGE_ROWS,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress | None = None,
) -> DownloadReport:
    """Fetch what the catalog does not hold of the request.

    Parameters
    ----------
    exchange
        A synchronous ccxt exchange (`catalog.venues.open_exchange`) or something that behaves like one.
    now_ns : int, optional
        The moment up to which bars count as closed; the venue's clock unless given.

    Raises
    ------
    CatalogError
        If the window is empty, or the exchange refuses or does not offer this.
    CatalogIOError
        If the exchange cannot be reached; what was fetched before is kept and the same call resumes.
    """
    _require_window(request)
    caller = Caller(sleep)
    market = find_market(exchange, request.instrument, caller)
    if now_ns is None:
        now_ns = int(caller.call("fetch_time", exchange.fetch_time)) * MS
    report = DownloadReport(request)
    step = request.minutes * MINUTE_NS
    closed_by = now_ns - SETTLING_NS - (0 if request.kind is Kind.FUNDING else step)
    until = min(request.end_ns, closed_by + 1)
    request = _within_retention(exchange, request, now_ns, report)
    windows = list(_windows(request, step * page_rows, until))
    held = _held(catalog, request)
    batch = _Batch()
    try:
        for n, (begin, end) in enumerate(windows):
            if progress:
                progress(
                    f"{request.instrument} {request.kind} {interval_label(request.minutes)}", n, len(windows)
                )
            missing = _missing(request.kind, begin, end, step, held)
            if missing is None:
                report.pages_held += 1
                continue
            page = _Page(exchange, caller, market["symbol"], request, closed_by)
            _fetch_window(page, missing, batch, report)
            if len(batch.rows) >= BATCH_ROWS:
                _write(catalog, exchange, market, request, batch, report)
    finally:
        # Whatever stops the download, complete pages are kept.
        _write(catalog, exchange, market, request, batch, report)
        report.retries = caller.retries
    _count_gaps(catalog, request, until, report)
    if progress:
        progress("done", len(windows), len(windows))
    return report


def _within_retention(exchange: Exchange, request: Request, now_ns: int, report: DownloadReport) -> Request:
    """Return the request without what the venue is known not to keep: it would be pages of nothing."""
    oldest_of = getattr(exchange, "oldest_ms", None)
    if oldest_of is None or request.kind is Kind.FUNDING:
        return request
    oldest = int(oldest_of(request.minutes, now_ns // MS)) * MS
    if oldest <= request.start_ns:
        return request
    report.clipped_ns = min(oldest, request.end_ns) - request.start_ns
    return replace(request, start_ns=min(oldest, request.end_ns))


def _count_gaps(catalog: Catalog, request: Request, until: int, report: DownloadReport) -> None:
    """Count the bars that the window has and the catalog does not hold, and the runs they form."""
    step = request.minutes * MINUTE_NS
    expected = np.arange(-(-request.start_ns // step) * step, until, step, dtype=np.int64)
    if request.kind is Kind.FUNDING or not len(expected):
        return  # the interval of settlements may change: `check` looks at them
    absent = expected[~np.isin(expected, _held(catalog, request))]
    report.missing = len(absent)
    if report.missing:
        runs = np.split(absent, np.flatnonzero(np.diff(absent) != step) + 1)
        report.gaps, report.first_gap_ns = len(runs), int(absent[0])
        report.longest_gap = max(len(run) for run in runs)


def _require_window(request: Request) -> None:
    if request.end_ns <= request.start_ns:
        raise CatalogError(
            "the window to download is empty",
            found=f"{iso(request.start_ns)} to {iso(request.end_ns)}",
            expected="an end after the start",
        )
    if request.kind is Kind.BASIS:
        raise CatalogError("basis is not downloaded", remedy="download the index price (reference) instead")
    if request.kind is not Kind.FUNDING:
        label(request.minutes)


def _windows(request: Request, span: int, until: int) -> Iterator[tuple[int, int]]:
    """Yield [begin, end) windows in time order."""
    begin = request.start_ns
    while begin < until:
        end = min(begin + span, until)
        yield begin, end
        begin = end


def _held(catalog: Catalog, request: Request) -> Ints:
    key = (request.kind, request.instrument, request.minutes)
    stamps = catalog.raw_stamps(key)
    return snap_settlements(stamps) if request.kind is Kind.FUNDING else stamps


def _missing(kind: Kind, begin: int, end: int, step: int, held: Ints) -> tuple[int, int] | None:
    """Return the part [first, last) of a window that is not held, or None."""
    expected = np.arange(-(-begin // step) * step, end, step, dtype=np.int64)
    absent = expected[~np.isin(expected, held)]
    if not len(absent):
        return None
    first = max(begin, int(absent[0]) - (MINUTE_NS if kind is Kind.FUNDING else 0))
    return first, min(end, int(absent[-1]) + (step if kind is not Kind.FUNDING else MINUTE_NS))


@dataclass(frozen=True, slots=True)
class _Page:
    """Whom to ask for what."""

    exchange: Exchange
    caller: Caller
    symbol: str
    request: Request
    closed_by: int  # newest raw stamp that counts as closed


def _fetch_window(page: _Page, window: tuple[int, int], batch: _Batch, report: DownloadReport) -> None:
    """Ask until the window is filled or nothing new comes: a venue may cap its answers below our limit."""
    kind, step = page.request.kind, page.request.minutes * MINUTE_NS
    missing: tuple[int, int] | None = window
    while missing is not None:
        before = len(batch.rows)
        _fetch_page(page, missing, batch, report)
        if len(batch.rows) == before:
            return
        stamps = np.array(sorted(batch.rows), np.int64)
        stamps = snap_settlements(stamps) if kind is Kind.FUNDING else stamps
        missing = _missing(kind, *missing, step, stamps)


def _fetch_page(page: _Page, window: tuple[int, int], batch: _Batch, report: DownloadReport) -> None:
    exchange, caller, symbol, request = page.exchange, page.caller, page.symbol, page.request
    begin, end = window
    since, until = begin // MS, end // MS - 1
    limit = (end - begin) // (request.minutes * MINUTE_NS) + 2
    params: dict[str, object] = {"until": until}
    what = f"{request.instrument} {request.kind} from {iso(begin)}"
    if request.kind is Kind.FUNDING:
        answer = caller.call(what, exchange.fetch_funding_rate_history, symbol, since, limit, params)
        rows = [(row["timestamp"], (row["fundingRate"],)) for row in answer]
    else:
        if request.kind in _PRICE_OF:
            params["price"] = _PRICE_OF[request.kind]
        answer = caller.call(what, exchange.fetch_ohlcv, symbol, label(request.minutes), since, limit, params)
        rows = [(row[0], tuple(row[1:6])) for row in answer]
    report.pages += 1
    report.pages_empty += not rows
    for ms, values in rows:
        stamp = int(ms) * MS
        if stamp > page.closed_by:
            report.unclosed += 1
        elif not begin <= stamp < end:
            report.outside += 1
        else:
            batch.rows[stamp] = _numbers(values, request, stamp)


def _numbers(values: tuple[object, ...], request: Request, stamp: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(str(value)) for value in values)
    except ValueError as error:
        raise CatalogError(
            f"{request.instrument}: the exchange sent a row without a number at {iso(stamp)}",
            found=str(values),
            expected="numbers",
            remedy="run the command again; if it stays so, download around that time",
        ) from error
    return numbers if len(numbers) != 4 else (*numbers, 0.0)  # mark and index bars may come without volume


def _write(
    catalog: Catalog,
    exchange: Exchange,
    market: dict[str, object],
    request: Request,
    batch: _Batch,
    report: DownloadReport,
) -> None:
    if not batch.rows:
        return
    stamps = sorted(batch.rows)
    table = np.array([batch.rows[stamp] for stamp in stamps], np.float64)
    names = ("funding_rate",) if request.kind is Kind.FUNDING else BAR_COLUMNS
    columns: Columns = {TIME: np.array(stamps, np.int64)}
    columns |= {name: table[:, k] for k, name in enumerate(names)}
    origin = {
        "exchange": exchange.id,
        "symbol": str(market["symbol"]),
        "market_id": str(market["id"]),
        "contract_size": str(market.get("contractSize") or 1),
    }
    batch.rows.clear()
    added = catalog.add(
        request.kind,
        request.instrument,
        request.minutes,
        columns,
        source=f"{exchange.id} through ccxt",
        origin=origin,
    )
    report.rows += added.rows
    report.written += added.written
