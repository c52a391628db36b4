"""The checks of `crupto report --verify`, one subject a file; each reads the run folder alone."""
