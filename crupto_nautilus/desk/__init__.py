"""The desk put together: the same agents and strategies for backtest and paper, only the edges differ."""
