"""Metrics, graph and pages of the desk: not built yet (see README.md)."""
