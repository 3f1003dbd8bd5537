"""The members and their roles, by every manager's list."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence.events import Info, each
from pytest_swarmlab.evidence.readings import NodesSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import another_cluster, judged, members_of, not_each
from pytest_swarmlab.model import Judgement

from .declared import MANAGERS, exercise
from .seen import first_lists, listed_managers, managers_of, not_before_the_fault


@exercise.check(
    "membership",
    phases=tuple(MANAGERS),
    title="One manager is the leader, and all managers are reachable and ready",
    expected="in each manager's list exactly 1 leader, and as many managers as the phase's name"
    " says",
    hint="`docker node ls` on a manager: the column MANAGER STATUS.",
)
def membership(record: Record) -> Judgement:
    """The node list of every manager, with every machine that started in the swarm."""
    wanted, lists = managers_of(record), first_lists(record)
    told = {_members(sample): sample for sample in lists}
    wrong = [
        f"{sample.seen_from} has another list: {seen}" for seen, sample in list(told.items())[1:]
    ]
    first = lists[0]
    managers = [n for n in first.nodes if n.reachability]
    unfit = [n for n in first.nodes if n.state != "ready" or n.reachability == "unreachable"]
    leaders = [n for n in managers if n.leader]
    return judged(
        _members(first),
        holds=len(managers) == wanted and len(leaders) == 1 and not unfit,
        wrong=wrong,
        missing=[
            *not_each({s.seen_from for s in lists}, listed_managers(record), "asked"),
            *not_each({node.name for node in first.nodes}, members_of(record), "found in the list"),
            *not_before_the_fault(record, "the last node list", lists[-1].t),
            *another_cluster(lists),
        ],
    )


def _members(sample: NodesSample) -> str:
    managers = [n for n in sample.nodes if n.reachability]
    leaders = [n.name for n in managers if n.leader]
    unfit = [n.name for n in sample.nodes if n.state != "ready" or n.reachability == "unreachable"]
    return (
        f"managers: {', '.join(n.name for n in managers)}; leader: {', '.join(leaders) or 'none'};"
        f" not ready: {', '.join(unfit) or 'none'}"
    )


@exercise.check(
    "one-view",
    phases=tuple(MANAGERS),
    title="Every manager reports the same swarm",
    expected="the same cluster id and the same number of managers from each manager",
    hint="`docker info` on each manager: Swarm, ClusterID and Managers.",
)
def one_view(record: Record) -> Judgement:
    """What `docker info` says on each machine that the managers list as one, and on no other."""
    views = {view.node: view for view in each(record, Info)}
    telling = {name: view for name, view in views.items() if view.control}
    if not telling:
        return unknown("no manager's view was recorded")
    stories = {(view.cluster, view.managers) for view in telling.values()}
    seen = f"by {len(telling)} managers: " + ", ".join(
        f"cluster {cluster[:8]}, managers: {managers}" for cluster, managers in stories
    )
    wanted, listed = managers_of(record), listed_managers(record)
    same = len(stories) == 1 and {managers for _, managers in stories} == {wanted}
    return judged(
        seen,
        holds=same,
        wrong=[
            f"{name} says that it is no manager"
            for name in sorted(listed & set(views) - set(telling))
        ],
        missing=[
            *not_each(telling, listed, "asked"),
            *not_before_the_fault(record, "the last view", max(v.t for v in telling.values())),
            *another_cluster(first_lists(record)),
            *("a manager gave no cluster id" for cluster, _ in stories if not cluster),
        ],
    )
