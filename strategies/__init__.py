"""Strategies: pure signal rules, pure entry and exit machines, and the thin engine class that owns them."""
