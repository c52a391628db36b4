"""A document over whole columns.

Guarantees: a value at row t depends on rows 0..t; a missing operand makes a missing number and a false
comparison; the values are, bit for bit, those that the streaming form gives bar by bar.  Values are shared
between documents through a `Memo` of bounded size.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from research import kernels, ordered
from research.dsl.document import Document
from research.dsl.program import Program, Step, compile_document
from research.market import Frame
from strategies.compiled import as_one_type

Value = Any  # a column of float64 or bool, or a number for a constant

_WINDOWED: dict[str, Callable[..., Any]] = {
    "sma": kernels.sma,
    "ema": kernels.ema,
    "highest": kernels.highest,
    "lowest": kernels.lowest,
    "std": kernels.std,
    "zscore": kernels.zscore,
    "rank": ordered.rank,
    "median": ordered.median,
    "rsi": kernels.rsi,
}
_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "neg": operator.neg,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "larger": np.maximum,
    "smaller": np.minimum,
}
_LOGIC: dict[str, Callable[..., Any]] = {"and": np.logical_and, "or": np.logical_or}


class Memo:
    """Columns by what they are, least recently used first out.

    Parameters
    ----------
    max_bytes : int
        Memory that the kept columns may take.
    """

    def __init__(self, max_bytes: int = 512 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: OrderedDict[tuple[Any, ...], Value] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> Value | None:
        """Return a kept column, or None."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: tuple[Any, ...], value: Value) -> None:
        """Keep a column, and let go of others where there is no room."""
        before = self._values.pop(key, None)
        self._bytes += value.nbytes - (0 if before is None else before.nbytes)
        self._values[key] = value
        while self._bytes > self._max_bytes and len(self._values) > 1:
            _, dropped = self._values.popitem(last=False)
            self._bytes -= dropped.nbytes


class Evaluation(NamedTuple):
    """A document on a frame, a row a bar; `values` are those of the program's steps, in order."""

    program: Program
    entry: NDArray[np.int8]  # +1, -1 or 0
    exit_long: NDArray[np.bool_]
    exit_short: NDArray[np.bool_]
    target: NDArray[np.float64]  # NaN where the document has no target price
    atr: NDArray[np.float64]
    values: tuple[Value, ...]


def evaluate(document: Document, frame: Frame, memo: Memo | None = None) -> Evaluation:
    """Return the entries and exits of a document on every bar, and the value of every step."""
    program = compile_document(document)
    memo = memo if memo is not None else Memo()
    values = step_values(program, frame, memo)
    size = len(frame)

    def part(at: int) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = (
            values[at] if at >= 0 else _kept(memo, frame, "false", lambda: np.zeros(size, bool))
        )
        return found

    atr = values[program.atr]
    entry = kernels.speaking(
        as_one_type(part(program.entry_long)),
        as_one_type(part(program.entry_short)),
        as_one_type(atr),
        program.ready_bars,
    )
    if program.target >= 0:
        target = np.ascontiguousarray(np.broadcast_to(values[program.target], size))
        entry[~((target - frame.close) * entry > 0.0)] = 0  # beyond the close, or there is nothing to gain
    else:
        target = _kept(memo, frame, "missing", lambda: np.full(size, np.nan))
    if not document.trades(frame.coin):
        entry[:] = 0
    if document.once_per_settlement:
        entry = _first_of_settlement(entry, frame)
    return Evaluation(program, entry, part(program.exit_long), part(program.exit_short), target, atr, values)


def _kept(memo: Memo, frame: Frame, name: str, make: Callable[[], Value]) -> Value:
    """Return a column of the memo, made where it is not there; it is read-only."""
    found = memo.get((frame.token, name))
    if found is None:
        found = make()
        found.flags.writeable = False
        memo.put((frame.token, name), found)
    return found


def _first_of_settlement(entry: NDArray[np.int8], frame: Frame) -> NDArray[np.int8]:
    """Keep the first entry after each settlement; before the first settlement there is none."""
    rows = np.flatnonzero(entry)
    settlement = frame.funding_row[rows]
    first = np.concatenate(([True], settlement[1:] != settlement[:-1])) if len(rows) else np.empty(0, bool)
    kept = np.zeros_like(entry)
    chosen = rows[first & (settlement >= 0)]
    kept[chosen] = entry[chosen]
    return kept


def step_values(program: Program, frame: Frame, memo: Memo) -> tuple[Value, ...]:
    """Return the value of every step: columns of its own frame, or a number for a constant."""
    values: list[Value] = []
    with np.errstate(all="ignore"):
        for step in program.steps:
            if step.op == "const":
                values.append(step.value)
                continue
            values.append(_kept(memo, frame, step.key, partial(_step_column, step, values, frame)))
    return tuple(values)


def _step_column(step: Step, values: list[Value], frame: Frame) -> Value:
    own = frame.higher(step.frame)[0] if step.frame else frame
    return np.ascontiguousarray(compute(step, [values[arg] for arg in step.args], own, frame))


def compute(step: Step, args: list[Value], own: Frame, base: Frame) -> Value:
    """Return one step's column from its operands; `own` is the frame of the step, `base` the document's."""
    op, size = step.op, len(own)
    if op in _WINDOWED:
        return skipping(_WINDOWED[op], _column(args[0], size), step.n)
    if op in _ELEMENTWISE:
        return _column(_ELEMENTWISE[op](*args), size)
    if op in _LOGIC:
        return reduce(_LOGIC[op], args)
    special = _SPECIAL.get(op)
    return getattr(own, op) if special is None else special(step, args, own, base)


def skipping(kernel: Callable[..., Any], x: NDArray[np.float64], *arguments: Any) -> NDArray[np.float64]:
    """Apply a kernel to the values that exist; a row without one has no answer and leaves no trace."""
    missing = np.isnan(x)
    if not missing.any():
        return kernel(as_one_type(x), *arguments)  # type: ignore[no-any-return]
    out = np.full(len(x), np.nan)
    first = int(np.argmin(missing))
    if missing[first]:
        return out
    if not missing[first:].any():
        out[first:] = kernel(as_one_type(np.ascontiguousarray(x[first:])), *arguments)
    else:
        out[~missing] = kernel(as_one_type(x[~missing]), *arguments)
    return out


def _column(value: Value, size: int) -> NDArray[Any]:
    """Return a column; a number, the value of constants alone, is the same on every row."""
    return np.full(size, value) if np.ndim(value) == 0 else value


def _divided(a: Value, b: Value, size: int) -> NDArray[np.float64]:
    quotient = np.divide(_column(a, size), b)
    quotient[np.broadcast_to(np.equal(b, 0.0), size)] = np.nan
    return quotient  # type: ignore[no-any-return]


def _lagged(x: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    out = np.full(len(x), np.nan)
    out[n:] = x[:-n] if n < len(x) else x[:0]
    return out


def _crossed(a: Value, b: Value, size: int) -> NDArray[np.bool_]:
    return kernels.crossed(as_one_type(_column(a, size)), as_one_type(_column(b, size)))


def _change(step: Step, args: list[Value], own: Frame) -> NDArray[np.float64]:
    x = _column(args[0], len(own))
    return _divided(x, _lagged(x, step.n), len(own)) - 1.0


def _closed(step: Step, args: list[Value], base: Frame) -> NDArray[np.float64]:
    higher, rows = base.higher(step.n)
    return kernels.taken(as_one_type(_column(args[0], len(higher))), as_one_type(rows))


_SPECIAL: dict[str, Callable[[Step, list[Value], Frame, Frame], Value]] = {
    "lag": lambda step, args, own, _: _lagged(_column(args[0], len(own)), step.n),
    "roc": lambda step, args, own, _: _change(step, args, own),
    "div": lambda _, args, own, __: _divided(args[0], args[1], len(own)),
    "quantile": lambda step, args, own, _: skipping(
        ordered.quantile, _column(args[0], len(own)), step.n, step.value
    ),
    "atr": lambda step, _, own, __: kernels.wilder(kernels.true_range(own.high, own.low, own.close), step.n),
    "adx": lambda step, _, own, __: kernels.directional_index(own.high, own.low, step.n),
    "cross_up": lambda _, args, own, __: _crossed(args[0], args[1], len(own)),
    "cross_down": lambda _, args, own, __: _crossed(args[1], args[0], len(own)),
    "higher": lambda step, args, _, base: _closed(step, args, base),
    "funding_quantile": lambda step, _, own, __: own.funding_quantile(step.n, step.value, step.days),
}
