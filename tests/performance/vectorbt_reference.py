"""Run by the Python of an environment that has vectorbt: the same signals through its simulator.

Usage: python vectorbt_reference.py signals.npz -> one JSON line with seconds of processor and wall time.
"""

import json
import sys
import time

import numpy as np
import vectorbt as vbt

data = np.load(sys.argv[1])
columns = {name: data[name][:, None] for name in ("open", "high", "low", "close")}
entries, exits, stops = data["entries"].astype(bool), data["exits"].astype(bool), data["stops"]


def run(first: int, last: int) -> float:
    """Simulate candidates and ask for the figures that the screen reports."""
    wide = slice(first, last)
    portfolio = vbt.Portfolio.from_signals(
        columns["close"],
        entries[:, wide],
        exits[:, wide],
        open=columns["open"],
        high=columns["high"],
        low=columns["low"],
        sl_stop=stops[:, wide],
        fees=0.0007,
        freq="1h",
    )
    portfolio.sharpe_ratio()
    portfolio.max_drawdown()
    portfolio.trades.profit_factor()
    return float(np.sum(portfolio.total_return()))


run(0, 2)  # compiles
began, used = time.perf_counter(), time.process_time()
total = run(0, entries.shape[1])
print(
    json.dumps(
        {"wall": time.perf_counter() - began, "cpu": time.process_time() - used, "total": total,
         "version": vbt.__version__}
    )
)  # fmt: skip
