"""Research of strategies: not built yet (see README.md)."""
