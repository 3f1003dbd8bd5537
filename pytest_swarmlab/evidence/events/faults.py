"""What is broken on purpose, and mended."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_swarmlab.evidence.events.kind import Seconds, Seen


@dataclass(frozen=True)
class FaultInjecting(Seen, kind="fault.injecting"):
    """A fault is about to be made."""

    fault: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class FaultInjected(Seen, kind="fault.injected"):
    """A fault is made."""

    fault: str
    nodes: tuple[str, ...]
    seconds: Seconds


@dataclass(frozen=True)
class FaultHealing(Seen, kind="fault.healing"):
    """A fault is about to be mended."""

    fault: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class FaultHealed(Seen, kind="fault.healed"):
    """A fault is mended."""

    fault: str
    nodes: tuple[str, ...]
    seconds: Seconds
