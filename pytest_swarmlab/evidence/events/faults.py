"""What is broken on purpose, and mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_swarmlab.evidence.events.kind import Seconds, Seen
from pytest_swarmlab.text import line


@dataclass(frozen=True)
class KindOfFault:
    """What a kind of fault is called, and what it does.

    `said`: at the terminal; `flag`: behind its nodes' names in a report, and `healed` when it is
    over. `stops`: whether its nodes' containers stop, or nobody reaches them.
    """

    said: str
    flag: str
    healed: str
    stops: bool = True


KINDS_OF_FAULT: Mapping[str, KindOfFault] = {
    "stop-engine": KindOfFault("the engine is stopped", "engine stopped", "engine started again"),
    "stop-units": KindOfFault(
        "a server is stopped", "server stopped", "started again", stops=False
    ),
    "kill-engine": KindOfFault("the engine is killed", "engine killed", "engine started again"),
    "power-off": KindOfFault("the power is cut", "powered off", "powered on again"),
    "destroy": KindOfFault("lost with its disk", "destroyed", "replaced by new machines"),
    "pause": KindOfFault("the machine is paused", "paused", "resumed"),
    "link-down": KindOfFault("the link is down", "link down", "link up again"),
    "partition": KindOfFault("the network is cut", "cut off", "connected again"),
    "demote": KindOfFault("the manager is demoted", "demoted", "promoted again", stops=False),
    "disk-full": KindOfFault("a disk is full", "has a full disk", "has room again", stops=False),
}


def kind_of_fault(name: str) -> KindOfFault:
    """That kind; of one that a record alone names, its name in place of words."""
    shown = line(name, 40)
    return KINDS_OF_FAULT.get(name) or KindOfFault(shown, shown, "healed")


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
