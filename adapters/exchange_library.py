"""ccxt, imported sparingly: one exchange class without the hundred others.

`import ccxt.async_support` runs every exchange module: about 9 CPU seconds and 115 MB.  The class of one
exchange needs its own module, the base and a few names of the package, about 0.8 s.  Guarantee: the class is
the very one of the pinned package; a plain `import ccxt` in the same process works before and after; where
the package is built differently than expected, the plain import is used.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_PACKAGES = ("ccxt", "ccxt.async_support")
PINNED = "4.5.90"


def exchange_class(exchange_id: str) -> Any:
    """Return ccxt's asynchronous class of an exchange.

    Raises
    ------
    ModuleNotFoundError
        If ccxt knows no such exchange.
    """
    name = f"ccxt.async_support.{exchange_id}"
    if name in sys.modules:
        return getattr(sys.modules[name], exchange_id)
    if "ccxt" in sys.modules:
        return getattr(importlib.import_module(name), exchange_id)
    try:
        return getattr(_import_alone(name), exchange_id)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name:
            raise
        return getattr(importlib.import_module(name), exchange_id)


def _import_alone(name: str) -> ModuleType:
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
        _bare("ccxt.async_support", f"{root}/async_support")
        return importlib.import_module(name)
    finally:
        for package_name in _PACKAGES:
            sys.modules.pop(package_name, None)


def _bare(name: str, path: str) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = [path]
    vars(module)["__version__"] = PINNED
    sys.modules[name] = module
    return module
