"""Research on this machine: campaigns over a catalog, the engine's part of the gates, promotion, pages."""
