"""Look-ahead checks of documents and of any Python strategy class."""

from research.lookahead.checks import check_document, check_subject
from research.lookahead.loading import load_subject
from research.lookahead.report import Leak, LookaheadReport
from research.lookahead.subjects import DocumentSubject, RuleSubject, Subject, TableSubject

__all__ = [
    "DocumentSubject",
    "Leak",
    "LookaheadReport",
    "RuleSubject",
    "Subject",
    "TableSubject",
    "check_document",
    "check_subject",
    "load_subject",
]
