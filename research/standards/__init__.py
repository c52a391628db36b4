"""What research is held to: the gate file as settings, and the form of a gate's verdict."""

from research.standards.outcome import Check, GateResult, Status
from research.standards.spec import GateSpec, load_spec

__all__ = ["Check", "GateResult", "GateSpec", "Status", "load_spec"]
