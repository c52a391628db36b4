"""One decorator for numeric kernels: compiled once a machine, free of the interpreter's lock.

Guarantees: no fast-math and no reordering, so a kernel gives the same bits on every run; a division by zero
gives infinity or NaN as in numpy.  The compiled code is kept in the user's cache folder (`NUMBA_CACHE_DIR`
wins), never beside the sources.

Import kernels only where bars are about to flow: numba takes longer to import than `crupto --help` may take.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np


def _cache_folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return str(Path(base) / "crupto_nautilus" / "numba")


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined] # set from the environment


def as_one_type[A: np.ndarray[Any, Any]](array: A) -> A:
    """Return a read-only view: the compiler makes one machine code for each combination of read-only and
    writable arguments, seconds each, so kernels are always called with the same.
    """
    view = array.view()
    view.flags.writeable = False
    return view


def compiled[F: Callable[..., Any]](function: F) -> F:
    """Compile a function of numbers and arrays on its first call."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
