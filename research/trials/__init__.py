"""Trials: how a history is cut, and what the screen says of one document in it."""
