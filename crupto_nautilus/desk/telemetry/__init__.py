"""A desk seen from outside: what it says as metrics, graph, page and `telemetry.csv` (paper runs only)."""
