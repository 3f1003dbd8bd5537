"""What is broken on purpose, and mended."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_swarmlab.evidence.events.kind import Seconds, Seen


@dataclass(frozen=True)
class _OfFault(Seen):
    fault: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class _Over(_OfFault):
    seconds: Seconds


class FaultInjecting(_OfFault, kind="fault.injecting"):
    """A fault is about to be injected."""


class FaultInjected(_Over, kind="fault.injected"):
    """A fault is injected."""


class FaultHealing(_OfFault, kind="fault.healing"):
    """A fault is about to be healed."""


class FaultHealed(_Over, kind="fault.healed"):
    """A fault is healed."""
