"""Campaigns: candidates from a generator, judged by every gate, recorded in the ledger."""
