"""ccxt, imported sparingly: one exchange class without the hundred others.

`import ccxt.async_support` or `ccxt.pro` runs every exchange module: about 9 CPU seconds and 115 MB.  The
class of one exchange needs its own module, the base and a few names of the package, about 0.8 s.  Guarantee:
the class is the very one of the pinned package; a plain `import ccxt` in the same process works before and
after; where the package is built differently than expected, the plain import is used.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Literal

PINNED = "4.5.90"

Kind = Literal["ccxt", "ccxt.async_support", "ccxt.pro"]
"""Blocking, with coroutines, with coroutines and streams."""

# What a kind's modules expect above them, in the order of inheritance.
_ABOVE: dict[Kind, tuple[Kind, ...]] = {
    "ccxt": (),
    "ccxt.async_support": ("ccxt.async_support",),
    "ccxt.pro": ("ccxt.async_support", "ccxt.pro"),
}


def exchange_class(exchange_id: str, kind: Kind = "ccxt.async_support") -> Any:
    """Return ccxt's class of an exchange.

    Raises
    ------
    ModuleNotFoundError
        If ccxt knows no such exchange.
    """
    name = f"{kind}.{exchange_id}"
    if name in sys.modules:
        return getattr(sys.modules[name], exchange_id)
    if "ccxt" in sys.modules:
        return getattr(importlib.import_module(name), exchange_id)
    try:
        return getattr(_import_alone(exchange_id, kind), exchange_id)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name in {
            name,
            f"ccxt.async_support.{exchange_id}",
        }:
            raise
        return getattr(importlib.import_module(name), exchange_id)


def _import_alone(exchange_id: str, kind: Kind) -> ModuleType:
    """Import a module of ccxt with bare packages above it, which are taken away again afterwards."""
    spec = find_spec("ccxt")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("ccxt is not installed")
    root = next(iter(spec.submodule_search_locations))
    try:
        package = _bare("ccxt", root)
        errors = importlib.import_module("ccxt.base.errors")
        vars(package).update({key: value for key, value in vars(errors).items() if key[0].isupper()})
        vars(package)["Exchange"] = importlib.import_module("ccxt.base.exchange").Exchange
        for above in _ABOVE[kind]:
            folder = above.removeprefix("ccxt.")
            held = vars(package)[folder] = _bare(above, f"{root}/{folder}")
            if above != kind:  # a class with streams is derived from the package's attribute
                module = importlib.import_module(f"{above}.{exchange_id}")
                vars(held)[exchange_id] = getattr(module, exchange_id)
        return importlib.import_module(f"{kind}.{exchange_id}")
    finally:
        for name in ("ccxt", "ccxt.async_support", "ccxt.pro"):
            sys.modules.pop(name, None)


def _bare(name: str, path: str) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = [path]
    vars(module)["__version__"] = PINNED
    sys.modules[name] = module
    return module
