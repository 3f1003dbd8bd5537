"""Readings that several judges of exercise 2.4 share."""

from __future__ import annotations

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Fault, TaskSeen
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window

from .events import Proof


def options(fstab: str) -> list[str]:
    """The options of a line of fstab or of /proc/mounts."""
    words = str(fstab).split()
    return words[3].split(",") if len(words) > 3 else []


def is_nfs4_hard(mount: str) -> bool:
    """Whether a line of /proc/mounts is NFS version 4, and hard."""
    set_ = options(mount)
    version = next((o for o in set_ if o.startswith("vers=")), "")
    return version.startswith("vers=4") and "hard" in set_


def server_fault(record: Record) -> Fault:
    """The server's loss. Raises Unseen when it was not taken away and brought back."""
    fault = readings.fault(record)
    if fault is None or fault.healed is None:
        raise Unseen("the server was not stopped and started again")
    return fault


def while_away(fault: Fault) -> Window:
    """From the server's stop until its return began."""
    return Window(fault.injected, fault.injected if fault.heal_began is None else fault.heal_began)


def tasks_later(record: Record, fault: Fault) -> tuple[TaskSeen, ...]:
    """The service's tasks as they were listed last, after the server's return."""
    back = fault.healed or 0.0
    seen = [s for s in readings.task_lists(record) if s.asked > back]
    if not seen:
        raise Unseen("the tasks were not listed after the server's return")
    return seen[-1].tasks


def both(first: Proof, then: Proof) -> str:
    """Both readings, in words."""
    return f"{short(first)} written on {first.node}, {short(then)} on {then.node}"


def short(proof: Proof) -> str:
    """A checksum in words."""
    return f"{proof.sha256[:12]}…" if proof.sha256 else "no file"
