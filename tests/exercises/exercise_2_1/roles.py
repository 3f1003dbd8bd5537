"""Which roles a machine may have, and has in the end."""

from __future__ import annotations

from pytest_swarmlab.evidence.events import need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import another_cluster, judged, not_each, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import exercise
from .events import Refusal
from .seen import first_lists, listed_managers, not_before_the_fault


@exercise.check(
    "last-manager-stays",
    phases=("one-manager",),
    title="The last manager can't be demoted",
    expected="HTTP 400, attempting to demote the last manager of the swarm",
    hint="Promote another node first.",
)
def last_manager_stays(record: Record) -> Judgement:
    """The engine's own words, while there is one."""
    refusal = need(record, Refusal, "it was not tried")
    listed = listed_managers(record)
    return judged(
        f"HTTP {refusal.code}: {refusal.said}",
        holds=refusal.code == 400 and "last manager" in refusal.said,
        missing=[
            *([] if len(listed) == 1 else [f"{len(listed)} managers were listed then"]),
            *out_of_order(
                ("the node list", first_lists(record)[0].t), ("the attempt to demote it", refusal.t)
            ),
            *not_before_the_fault(record, "the attempt to demote it", refusal.t),
        ],
    )


@exercise.check(
    "picture",
    phases=("target-picture", "as-found"),
    title="The cluster has the roles of the lab's picture",
    expected="manager1, manager2 and manager3 are managers, worker1 and worker2 are workers",
    hint="`docker node ls`; the lab's text leaves worker1 a manager, its picture does not.",
)
def picture(record: Record) -> Judgement:
    """Names and roles in the node list of every manager."""
    lists = first_lists(record)
    told = [{node.name: node.role for node in sample.nodes} for sample in lists]
    roles = told[-1]
    seen = ", ".join(f"{name} {role}" for name, role in sorted(roles.items()))
    wanted = {f"manager{n}": "manager" for n in (1, 2, 3)} | {
        f"worker{n}": "worker" for n in (1, 2)
    }
    return judged(
        seen,
        holds=all(each == wanted for each in told),
        missing=[
            *not_each({s.seen_from for s in lists}, listed_managers(record), "asked"),
            *another_cluster(lists),
        ],
    )
