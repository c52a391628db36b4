"""What code computed a campaign: a hash of the sources that decide anything in it."""

from __future__ import annotations

import hashlib
import importlib
from functools import lru_cache
from pathlib import Path

_ROOMS = ("research", "strategies", "risk", "catalog")


@lru_cache(maxsize=1)
def code_sha256() -> str:
    """Return the sha256 over every source file of the rooms below, and over numpy's and numba's versions."""
    import numba
    import numpy as np

    digest = hashlib.sha256(f"numpy {np.__version__} numba {numba.__version__}".encode())
    for room in _ROOMS:
        module = importlib.import_module(room)
        folder = Path(str(module.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
