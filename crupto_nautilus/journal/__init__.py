"""The journal: what a run said and where it stood, in SQLite or PostgreSQL, written off the decision path."""

from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.journal import Checkpoint, Entry, Journal, RunRecord, RunTaken
from crupto_nautilus.journal.writer import JournalWriter

__all__ = ["Checkpoint", "Entry", "Journal", "JournalWriter", "RunRecord", "RunTaken", "default_url"]
