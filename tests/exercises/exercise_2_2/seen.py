"""What the judges of 2.2 read from a record, and what keeps a claim from being shown."""

from __future__ import annotations

import math

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Fault
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    another_cluster,
    nodes_of,
    not_asked,
    not_away,
    not_sampled,
    not_the_leader,
)

from .. import whose
from .setting import REPLICAS, SERVICE

ROLE = "test-service"
COARSEST_S = 1.0
COARSEST_OF_THEIRS_S = 2.0
"""Of a cluster that has all of somebody's services at work: 1.2 s were seen, on two cores."""
RESTORED_S = 90.0
RESTORED_OF_THEIRS_S = 180.0
"""Where tasks of all of somebody's services move at once, most to one node: on two cores 59 to 93 s
were seen, and 130 s where the leader had had a third of nineteen services."""
LEAST_RATE = 10.0


def the_service(record: Record) -> str:
    """The service that clients ask."""
    return whose.named(record, ROLE, SERVICE)


def the_replicas(record: Record) -> int:
    """The number of its replicas."""
    return whose.replicas(record, ROLE, REPLICAS)


def replicas_lost(record: Record) -> int:
    """How many were last seen to run on the lost node before its loss; 0 where nobody saw any.

    Our own service has one on each node. Somebody's three may all run where the leader is.
    """
    fault = the_fault(record)
    seen = [s for s in readings.task_lists(record, the_service(record)) if s.t <= fault.began]
    return sum(task.running and task.node in fault.nodes for s in seen[-1:] for task in s.tasks)


def watched(fault: Fault) -> Window:
    """From a second before the fault until its healing: by then its outcome had to be known."""
    mended = math.inf if fault.heal_began is None else fault.heal_began
    return Window(fault.began - COARSEST_S, mended)


def restored_within_s(record: Record) -> float:
    """Within what time of the fault all replicas run again, seconds."""
    return RESTORED_OF_THEIRS_S if whose.is_somebodys(record, ROLE) else RESTORED_S


def coarsest_s(record: Record) -> float:
    """Longest pause between two node lists of one manager, seconds."""
    return COARSEST_OF_THEIRS_S if whose.is_somebodys(record, ROLE) else COARSEST_S


def the_fault(record: Record) -> Fault:
    """The fault of the leader; raises Unseen if there is none."""
    fault = readings.fault(record)
    if fault is None:
        raise Unseen("no fault hit the leader")
    return fault


def survivors(record: Record, fault: Fault, *, role: str = "") -> set[str]:
    """The nodes, of that role if given, in the last list before the fault without the faulted ones.

    A demotion takes no node away, but of the managers it leaves the others. Raises Unseen when
    nobody listed the nodes, or not all that the cluster has.
    """
    before = [s for s in readings.node_samples(record) if s.nodes and s.t <= fault.began]
    listed = before[-1].nodes if before else ()
    if missed := set(nodes_of(record)) - {node.name for node in listed}:
        raise Unseen(f"before the fault nobody listed {', '.join(sorted(missed))}")
    away = fault.nodes if fault.stops or role == "manager" else ()
    return {node.name for node in listed if node.name not in away and role in {"", node.role}}


def not_watched(record: Record, until: float | None) -> list[str]:
    """What keeps a claim about the leader's loss from being shown, up to its outcome.

    The fault did not hold the leader, the leader was not really lost, or a surviving manager was
    not asked all along from before the fault until `until` (None: until the healing).
    """
    fault = the_fault(record)
    samples = readings.node_samples(record)
    window = watched(fault)
    if until is not None:
        window = Window(window.began, until)
    lacks = not_sampled(
        samples,
        by=survivors(record, fault, role="manager"),
        window=window,
        pause=coarsest_s(record),
    )
    lacks += not_the_leader(record, fault, within=COARSEST_S)
    if fault.stops:
        lacks += not_away(record, fault, until=window.ended)
    return lacks + another_cluster(samples)


def outcome(began: float, seconds: float | None) -> float | None:
    """The moment that many seconds after the fault began; None without a number."""
    return None if seconds is None else began + seconds


def not_asked_all_along(record: Record) -> list[str]:
    """The surviving nodes through which no client came before the fault, or while it was on."""
    fault, asked = the_fault(record), readings.requests(record)
    through, window = survivors(record, fault), watched(fault)
    return not_asked(asked, through=through, window=window, rate=LEAST_RATE) + not_asked(
        asked, through=through, window=Window(fault.began, window.ended)
    )
