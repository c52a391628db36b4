"""No test of this folder talks to another machine."""

from tests.fakes.loopback_only import loopback_only

__all__ = ["loopback_only"]
