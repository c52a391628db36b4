"""Edges of the desk: the simulated venue that backtest, sandbox and research share, and the venue clients."""
