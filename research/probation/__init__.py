"""Probation: what a survivor must show in shadow (G9) and as a canary (G10) before it may carry risk."""
