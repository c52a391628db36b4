"""ccxt costs nine seconds and 115 MB: nobody pays who does not talk to an exchange."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from adapters.exchange_library import PINNED

_PROBE = "import sys; sys.exit(1 if any(n.split('.')[0] == 'ccxt' for n in sys.modules) else 0)"


@pytest.mark.parametrize(
    "statements",
    [
        "import crupto_nautilus.cli.main",
        "import crupto_nautilus.cli.paper; import crupto_nautilus.cli.catalog_download",
        "import crupto_nautilus.desk.paper; import crupto_nautilus.desk.backtest",
        "import crupto_nautilus.desk.bingx_edges; import adapters.bingx.download",
        "import crupto_nautilus.desk.ccxt_edges; import adapters.ccxt_data.data",
    ],
)
def test_importing_it_does_not_import_ccxt(statements: str, project_dir: Path) -> None:
    done = subprocess.run([sys.executable, "-c", f"{statements}; {_PROBE}"], cwd=project_dir, check=False)
    assert done.returncode == 0


def test_a_backtest_does_not_import_ccxt(tmp_path: Path, project_dir: Path) -> None:
    script = (
        "from crupto_nautilus.cli.main import main\n"
        f"done = [main(['catalog', 'sample', '--catalog', {str(tmp_path / 'c')!r}]),\n"
        f"    main(['backtest', '--catalog', {str(tmp_path / 'c')!r}, '--out', {str(tmp_path / 'r')!r},\n"
        "    '--symbols', 'BTC', '--start', '2026-01-05', '--end', '2026-01-06'])]\n"
        f"assert done[0] == 0, done\n{_PROBE}"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project_dir, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_exchange_comes_without_the_others_and_leaves_the_package_to_be_imported_plainly() -> None:
    script = (
        "import sys\n"
        "from adapters.exchange_library import exchange_class\n"
        "alone = exchange_class('bingx')\n"
        "assert alone.__module__ == 'ccxt.async_support.bingx'\n"
        "assert 'ccxt.async_support.binance' not in sys.modules\n"
        "assert 'ccxt' not in sys.modules and 'ccxt.async_support' not in sys.modules\n"
        "assert exchange_class('bingx') is alone\n"
        "import ccxt.base.errors\n"
        "assert alone().describe()['id'] == 'bingx'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_pinned_version_is_the_installed_one() -> None:
    assert version("ccxt") == PINNED
