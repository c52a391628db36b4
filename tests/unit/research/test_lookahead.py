"""No document leaks, every mutant of an operator is caught, and so are classes that peek."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from research import kernels, ordered
from research.dsl import vector
from research.dsl.builtin import BUILTIN, builtin_document
from research.dsl.document import Document
from research.dsl.program import Step, compile_document
from research.errors import ResearchError
from research.lookahead import LookaheadReport, TableSubject, check_document, check_subject, load_subject
from research.market import Frame
from strategies.registry import REGISTRY
from tests.fakes.research import document, frame_of, random_documents, traded_history, with_gaps

Floats = np.ndarray[Any, np.dtype[np.float64]]


@pytest.fixture(scope="module")
def frame() -> Frame:
    return frame_of(with_gaps(traded_history(5000, 31), 31))


@pytest.fixture(scope="module")
def short_frame() -> Frame:
    return frame_of(with_gaps(traded_history(900, 33), 33))


def quick(made: Document, frame: Frame) -> LookaheadReport:
    return check_document(made, frame, random_cuts=2, trade_cuts=1, futures=1, stream_bars=120)


# --- what does not leak -----------------------------------------------------------------------------------


def alarms(documents: list[Document], frame: Frame) -> tuple[list[str], int]:
    """Return the documents that are said to leak, and how many values were compared."""
    reports = [(made, quick(made, frame)) for made in documents]
    return [made.name for made, one in reports if one.leaks], sum(one.values for _, one in reports)


def test_no_false_alarm_on_random_documents(short_frame: Frame) -> None:
    """Sixty of those below."""
    wrong, values = alarms(random_documents(500, 5)[:60], short_frame)
    assert wrong == []
    assert values > 500_000


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_no_false_alarm_on_500_random_documents(part: int, short_frame: Frame) -> None:
    wrong, values = alarms(random_documents(500, 5)[part::4], short_frame)
    assert wrong == []
    assert values > 1_000_000


@pytest.mark.parametrize("strategy", BUILTIN)
def test_built_in_documents_and_rules_pass(strategy: str) -> None:
    made = builtin_document(strategy)
    frame = frame_of(traded_history(4000, 41, made.minutes), made.minutes)
    report = check_document(made, frame, random_cuts=3, trade_cuts=4, stream_bars=1500)
    assert report.ok, (report.leaks, report.inconclusive)
    rule, minutes = load_subject(strategy)
    assert minutes == made.minutes
    assert not isinstance(rule, Document)
    report = check_subject(rule, frame.until(2900), random_cuts=2, trade_cuts=2)
    assert report.ok, (report.leaks, report.inconclusive)


# --- mutants of the operators -----------------------------------------------------------------------------


def shifted(kernel: Callable[..., Floats], by: int) -> Callable[..., Floats]:
    """Return a kernel that answers `by` bars too early."""

    def mutant(x: Floats, *arguments: Any) -> Floats:
        out = kernel(x, *arguments)
        moved = np.full(len(out), np.nan)
        moved[:-by] = out[by:]
        return moved

    return mutant


def centred(kernel: Callable[..., Floats]) -> Callable[..., Floats]:
    return lambda x, n, *more: shifted(kernel, max(1, n // 2))(x, n, *more)


def whole_sample_std(x: Floats, n: int) -> Floats:
    return np.full(len(x), np.nanstd(x))


def whole_sample_zscore(x: Floats, n: int) -> Floats:
    return (x - x.mean()) / x.std()


def whole_sample_rank(x: Floats, n: int) -> Floats:
    return np.argsort(np.argsort(x)) / len(x)


def backfilled(x: Floats, n: int) -> Floats:
    out = kernels.sma(x, n)
    return np.asarray(pd.Series(out).bfill())


WINDOW_MUTANTS: dict[str, tuple[str, Callable[..., Floats]]] = {
    "sma of the next bar": ("sma", shifted(kernels.sma, 1)),
    "ema of the next bar": ("ema", shifted(kernels.ema, 1)),
    "centred highest": ("highest", centred(kernels.highest)),
    "centred lowest": ("lowest", centred(kernels.lowest)),
    "deviation of the whole sample": ("std", whole_sample_std),
    "z-score of the whole sample": ("zscore", whole_sample_zscore),
    "rank in the whole sample": ("rank", whole_sample_rank),
    "median one bar early": ("median", shifted(ordered.median, 1)),
    "rsi of the next bar": ("rsi", shifted(kernels.rsi, 1)),
    "sma filled backwards": ("sma", backfilled),
}


def uses(made: Document, op: str) -> bool:
    return any(step.op == op for step in compile_document(made).steps)


POOL = [
    *random_documents(150, 6),
    builtin_document("range_reversion_5m").model_copy(update={"timeframe": "1h"}),
]


@pytest.mark.parametrize("mutant", WINDOW_MUTANTS)
def test_every_document_with_a_leaking_window_is_caught(
    mutant: str, short_frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    op, kernel = WINDOW_MUTANTS[mutant]
    chosen = [made for made in POOL if uses(made, op)][:8]
    assert chosen
    monkeypatch.setitem(vector._WINDOWED, op, kernel)
    missed = [made.name for made in chosen if not quick(made, short_frame).leaks]
    assert missed == []


def happens(made: Document, op: str, frame: Frame) -> bool:
    """Whether an operator ever says anything: a cross that never comes can leak nothing."""
    said = vector.evaluate(made, frame)
    return any(
        np.asarray(values)[1:-1].any()
        for step, values in zip(said.program.steps, said.values, strict=True)
        if step.op == op
    )


def forming_bar(step: Step, args: list[Any], own: Frame, base: Frame) -> Any:
    """The bar of the higher timeframe that is still forming."""
    higher, rows = base.higher(step.n)
    return kernels.taken(np.asarray(args[0]), np.minimum(rows + 1, len(higher) - 1))


def early_lag(step: Step, args: list[Any], own: Frame, base: Frame) -> Any:
    out = np.full(len(own), np.nan)
    out[: -step.n] = args[0][step.n :]
    return out


def early_cross(step: Step, args: list[Any], own: Frame, base: Frame) -> Any:
    a, b = np.broadcast_arrays(*args)
    out = np.zeros(len(own), bool)
    out[:-1] = (a[1:] > b[1:]) & (a[:-1] <= b[:-1])
    return out


def atr_of_next(step: Step, args: list[Any], own: Frame, base: Frame) -> Any:
    return shifted(lambda x, n: kernels.wilder(x, n), 1)(
        kernels.true_range(own.high, own.low, own.close), step.n
    )


def next_settlement(step: Step, args: list[Any], own: Frame, base: Frame) -> Any:
    """A predicted rate, perfectly predicted: known eight hours early."""
    rows = np.minimum(own.funding_row + 1, len(own.settled) - 1)
    return own.settled.rate[rows]


def next_basis(step: Step, args: list[Any], own: Frame, base: Frame) -> Any:
    return np.append(own.basis[1:], np.nan)


SPECIAL_MUTANTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "higher timeframe while it forms": ("higher", forming_bar),
    "lag the wrong way": ("lag", early_lag),
    "cross of the next bar": ("cross_up", early_cross),
    "atr of the next bar": ("atr", atr_of_next),
    "funding before it settles": ("funding", next_settlement),
    "basis of the next bar": ("basis", next_basis),
}


@pytest.mark.parametrize("mutant", SPECIAL_MUTANTS)
def test_every_document_with_a_leaking_source_is_caught(
    mutant: str, short_frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    op, function = SPECIAL_MUTANTS[mutant]
    chosen = [made for made in POOL if uses(made, op) and happens(made, op, short_frame)][:8]
    assert chosen
    monkeypatch.setitem(vector._SPECIAL, op, function)
    missed = [made.name for made in chosen if not quick(made, short_frame).leaks]
    assert missed == []


# --- what the other checks find ---------------------------------------------------------------------------


def test_a_start_that_never_settles_is_caught(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running total since the first bar passes every prefix check and fails the start-up check."""
    monkeypatch.setitem(vector._WINDOWED, "sma", lambda x, n: np.cumsum(x) / np.arange(1, len(x) + 1))
    entry = {"op": "gt", "a": {"op": "close"}, "b": {"op": "sma", "x": {"op": "close"}, "n": 20}}
    report = check_document(document(entry={"long": entry}), frame, random_cuts=3, trade_cuts=3)
    assert {leak.check for leak in report.leaks} == {"startup", "stream"}


def test_a_streaming_form_that_differs_is_caught(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    def inclusive(x: Floats, n: int) -> Floats:
        out = np.full(len(x), np.nan)
        for t in range(n - 1, len(x)):
            out[t] = (x[t - n + 1 : t + 1] <= x[t]).sum() / n
        return out

    monkeypatch.setitem(vector._WINDOWED, "rank", inclusive)
    entry = {
        "op": "ge",
        "a": {"op": "rank", "x": {"op": "close"}, "n": 20},
        "b": {"op": "const", "value": 0.9},
    }
    report = check_document(document(entry={"long": entry}), frame, random_cuts=3, trade_cuts=3)
    assert {leak.check for leak in report.leaks} == {"stream"}


def test_too_few_trades_and_too_short_a_history_are_inconclusive(frame: Frame) -> None:
    never = {"op": "gt", "a": {"op": "low"}, "b": {"op": "high"}}
    report = check_document(document(entry={"long": never}), frame)
    assert (report.ok, report.leaks) == (False, [])
    assert "0 entries" in report.inconclusive[0]
    report = check_document(document(), frame.until(200))
    assert any("start-up length" in reason for reason in report.inconclusive)
    assert not check_document(document(), frame.until(20)).ok


# --- classes of a user ------------------------------------------------------------------------------------


class Honest:
    """Closes above the mean of 20, as a table strategy."""

    minutes = 60

    def compute(self, table: pd.DataFrame) -> pd.DataFrame:
        mean = table["close"].rolling(20).mean()
        return pd.DataFrame({"mean": mean, "enter_long": (table["close"] > mean).astype(int)})


class Peeking(Honest):
    def compute(self, table: pd.DataFrame) -> pd.DataFrame:
        made = super().compute(table)
        made["enter_long"] = (table["close"].shift(-1) > made["mean"]).astype(int)
        return made


class NormalisedByTheWhole(Honest):
    def compute(self, table: pd.DataFrame) -> pd.DataFrame:
        made = super().compute(table)
        made["score"] = (table["close"] - table["close"].mean()) / table["close"].std()
        return made


class Resampled(Honest):
    """The hourly bars of a day with the day's own close: the classic leak of a merged timeframe."""

    def compute(self, table: pd.DataFrame) -> pd.DataFrame:
        made = super().compute(table)
        made["day"] = table["close"].resample("1D").last().reindex(table.index, method="ffill")
        return made


@pytest.mark.parametrize(
    ("cls", "leaks"),
    [(Honest, set()), (Peeking, {"enter_long"}), (NormalisedByTheWhole, {"score"}), (Resampled, {"day"})],
)
def test_a_class_over_tables(cls: type[Honest], leaks: set[str], frame: Frame) -> None:
    report = check_subject(TableSubject(cls().compute, cls.__name__, 30), frame)
    assert {leak.what for leak in report.leaks} == leaks
    assert report.ok is (not leaks)


def test_a_table_of_another_length_is_refused(frame: Frame) -> None:
    subject = TableSubject(lambda table: table.iloc[:-1], "short", 30)
    with pytest.raises(ResearchError, match="one row a bar"):
        check_subject(subject, frame)


LEAKING_RULE = """
import numpy as np
from strategies.breakout_4h import Breakout4h
from risk.vocabulary import Bar

class Remembers(Breakout4h):
    '''Keeps what earlier runs saw: a rule that is not a function of its past.'''
    __slots__ = ()
    seen: dict[int, float] = {}
    def update(self, bar: Bar):
        self.seen[bar.ts_event] = bar.close
        setup = super().update(bar)
        later = self.seen.get(bar.ts_event + 240 * 60_000_000_000)
        return None if setup is None or (later is not None and later < bar.close) else setup
"""


def test_a_rule_of_a_file_that_remembers_the_future_is_caught(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(LEAKING_RULE)
    subject, minutes = load_subject(f"{file}:Remembers", 300)
    assert minutes == 240
    assert not isinstance(subject, Document)
    history = frame_of(traded_history(1500, 44, 240), 240)
    assert "setup" in {leak.what for leak in check_subject(subject, history).leaks}


@pytest.mark.parametrize(
    "text", ["nothing_like_it", "no.such.module:Class", "missing.yaml", "json:JSONDecoder"]
)
def test_a_name_that_fits_nothing_is_refused(text: str) -> None:
    with pytest.raises(ResearchError):
        load_subject(text)


def test_every_registered_strategy_can_be_loaded() -> None:
    assert [load_subject(name)[1] for name in REGISTRY] == [spec.minutes for spec in REGISTRY.values()]
