"""Does anything that is said at a bar depend on what came after it, or on where the history began?

Guarantees: every value of every node is compared, at random cuts and at the cuts around each trade; a check
that could not be made is inconclusive, and inconclusive is not passed.  The two tools of freqtrade (bias at
trades, sensitivity to the start-up length) are contained in these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from research.dsl.document import Document
from research.dsl.program import compile_document
from research.dsl.rule import rule_of
from research.lookahead.compare import first_differences
from research.lookahead.histories import since, with_other_future
from research.lookahead.report import FUTURE, PREFIX, STARTUP, STREAM, Leak, LookaheadReport
from research.lookahead.subjects import Column, DocumentSubject, RuleSubject, Subject
from research.market import Frame
from risk.vocabulary import HOUR_NS, MINUTE_NS

RANDOM_CUTS = 8
TRADE_CUTS = 20
FUTURES = 4
MIN_TRADES = 3
STARTUPS = 3
STARTUP_BARS = 300
STREAM_BARS = 2_000
EARLY_CUTS = (3, 12, 50, 120)  # inside the warm-up, where a value filled backwards shows
FLIPS = 2  # bars on which each condition turns true, to cut at


def check_document(
    document: Document,
    frame: Frame,
    trade_rows: NDArray[np.int64] | None = None,
    *,
    seed: int = 0,
    random_cuts: int = RANDOM_CUTS,
    trade_cuts: int = TRADE_CUTS,
    futures: int = FUTURES,
    stream_bars: int = STREAM_BARS,
    min_trades: int = MIN_TRADES,
) -> LookaheadReport:
    """Check a document on one instrument.

    Parameters
    ----------
    trade_rows : Ints or None
        Bars at which its trades open and close; None: its entries and the bars after them.
    min_trades : int
        Fewer entries make the check inconclusive; 0 where the caller counts them over many instruments.
    """
    subject = DocumentSubject(document, compile_document(document).settle_bars)
    report = check_subject(
        subject,
        frame,
        trade_rows,
        seed=seed,
        random_cuts=random_cuts,
        trade_cuts=trade_cuts,
        futures=futures,
        min_trades=min_trades,
    )
    report.add(_stream_leaks(document, frame.until(min(stream_bars, len(frame)) - 1), report))
    return report


def check_subject(
    subject: Subject,
    frame: Frame,
    trade_rows: NDArray[np.int64] | None = None,
    *,
    seed: int = 0,
    random_cuts: int = RANDOM_CUTS,
    trade_cuts: int = TRADE_CUTS,
    futures: int = FUTURES,
    min_trades: int = MIN_TRADES,
) -> LookaheadReport:
    """Check anything that says something on every bar of a history.

    Fewer than `min_trades` entries in the history make the check inconclusive.
    """
    report = LookaheadReport(subject.name, frame.instrument, len(frame))
    if len(frame) < 50:
        report.inconclusive.append(f"the history has {len(frame)} bars, at least 50 are needed")
        return report
    whole = subject.said(frame)
    entries = _entries(whole)
    report.entries = len(entries)
    if len(entries) < min_trades:
        report.inconclusive.append(f"{len(entries)} entries in the history, at least {min_trades} are needed")
    cuts = _cuts(frame, entries if trade_rows is None else trade_rows, seed, random_cuts, trade_cuts, report)
    cuts = list(dict.fromkeys([*cuts, *_flip_cuts(whole, frame, seed), *EARLY_CUTS]))
    for number, cut in enumerate(cuts):
        ts = int(frame.ts_event[cut])
        _tell(report, first_differences(PREFIX, cut, ts, subject.said(frame.until(cut)), whole))
        if number < futures:
            other = subject.said(with_other_future(frame, cut, seed + number))
            _tell(report, first_differences(FUTURE, cut, ts, other, whole))
    _check_startup(subject, frame, seed, report)
    return report


def _entries(said: dict[str, Column]) -> NDArray[np.int64]:
    """Return the bars on which the subject wants to enter."""
    rows = [
        np.flatnonzero(np.asarray(column.values, dtype=float))
        for name, column in said.items()
        if column.decides and name.startswith("ent")
    ]
    return np.unique(np.concatenate(rows)) if rows else np.empty(0, np.int64)


def _cuts(
    frame: Frame,
    trade_rows: NDArray[np.int64],
    seed: int,
    random_cuts: int,
    trade_cuts: int,
    report: LookaheadReport,
) -> list[int]:
    """Return random cuts and the first trades' bars with the bars before them, the random ones first."""
    rng = np.random.default_rng(seed)
    last = len(frame) - 1
    drawn = [int(cut) for cut in rng.integers(last // 4, last, random_cuts)]
    rows = np.unique(np.asarray(trade_rows, np.int64))
    rows = rows[(rows > 0) & (rows < last)][:trade_cuts]
    at_trades = sorted({int(cut) for row in rows for cut in (row - 1, row)})
    report.cuts, report.trade_cuts = len(drawn), len(at_trades)
    return list(dict.fromkeys([*drawn, *at_trades]))


def _flip_cuts(said: dict[str, Column], frame: Frame, seed: int) -> list[int]:
    """Return cuts at bars on which a condition is true, and just before: an event known too early is
    missing on the history that ends there.
    """
    rng, found = np.random.default_rng(seed + 2), set()
    for column in said.values():
        values = column.values
        if isinstance(values, np.ndarray) and values.dtype.kind == "b" and len(values) == len(frame):
            rows = np.flatnonzero(values[1:-1] & ~values[:-2]) + 1
            for row in rng.permutation(rows)[:FLIPS].tolist():
                found |= {row - 1, row}
    return sorted(found)


def _tell(report: LookaheadReport, compared: tuple[list[Leak], int]) -> None:
    leaks, count = compared
    report.add(leaks)
    report.values += count


def _check_startup(subject: Subject, frame: Frame, seed: int, report: LookaheadReport) -> None:
    """Compare the decisions after one and after two warm-ups."""
    warm = subject.warmup_bars
    room = len(frame) - 2 * warm
    if room < 50:
        needed = 2 * warm + 50
        report.inconclusive.append(f"start-up length: {len(frame)} bars, {needed} are needed")
        return
    rng = np.random.default_rng(seed + 1)
    for begin in rng.integers(0, max(1, room - STARTUP_BARS), STARTUPS).tolist():
        last = min(len(frame), begin + 2 * warm + STARTUP_BARS) - 1
        # What was said of the settlement in force is known only to the longer history.
        first = begin + 2 * warm + -(-8 * HOUR_NS // (frame.minutes * MINUTE_NS))
        if first >= last:
            continue
        known = frame.until(last)
        short, long = subject.said(since(known, begin + warm)), subject.said(since(known, begin))
        ts, since_ts = int(frame.ts_event[last]), int(frame.ts_event[first])
        _tell(
            report,
            first_differences(STARTUP, last, ts, _decisions(short), _decisions(long), since_ts),
        )


def _decisions(said: dict[str, Column]) -> dict[str, Column]:
    return {name: column for name, column in said.items() if column.decides}


def _stream_leaks(document: Document, frame: Frame, report: LookaheadReport) -> list[Leak]:
    """Compare the document bar by bar with the document over columns."""
    said = DocumentSubject(document, 0).said(frame)
    streamed = RuleSubject(rule_of(document), document.name, 0).said(frame)
    streamed = {
        name: Column(column.ts_event, [bool(value) for value in column.values])
        if name.startswith("exit")
        else column
        for name, column in streamed.items()
    }
    names = ("entry", "exit long", "exit short")
    row = len(frame) - 1
    leaks, count = first_differences(
        STREAM,
        row,
        int(frame.ts_event[row]),
        {name: streamed[name] for name in names},
        {name: said[name] for name in names},
    )
    report.values += count
    return leaks
