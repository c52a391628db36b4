"""Statistics that decide whether a backtest is skill: pure functions, each with the paper it comes from."""
