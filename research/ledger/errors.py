"""Errors of evidence: what a record, a campaign or a promotion may not be.

ResearchError
├── LedgerBroken     the record was edited, cut or reordered
├── LedgerBusy       another process holds the ledger
├── HoldoutSpent     this stretch of this market was looked at before
├── CampaignChanged  gate file, data or code differ from what the campaign registered
└── NotPromotable    the evidence a promotion needs is not in the ledger
"""

from __future__ import annotations

from research.errors import ResearchError


class LedgerBroken(ResearchError):
    """A line of the ledger does not follow from the one before it, or differs from the mirror."""

    exit_code = 1


class LedgerBusy(ResearchError):
    """Another process holds the lock of the ledger for longer than anybody should."""

    exit_code = 3


class HoldoutSpent(ResearchError):
    """The holdout of this market was opened before; only time makes a new one."""

    exit_code = 4


class CampaignChanged(ResearchError):
    """What a campaign registered before it began is no longer what is there."""

    exit_code = 4


class NotPromotable(ResearchError):
    """A promotion was asked for that the ledger does not prove."""

    exit_code = 4
