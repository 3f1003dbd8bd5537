"""Criteria "Cluster HA" and "Test failover", as far as what is there shows them."""

from __future__ import annotations

from collections import defaultdict

from pytest_swarmlab.marking.state.basis import Look, exercise, judged
from pytest_swarmlab.model import Judgement, tolerance

WORKERS = 2
"""Beside the three managers of the lab's picture."""

HOSTS = 3
"""Nodes that must take tasks: when one is lost, replicas still run on two machines."""


@exercise.claim(
    "cluster-ha",
    "managers",
    title="Three managers, or another odd number from three on",
    expected="3, 5 or 7 managers: an odd number, of which at least one may be lost",
    hint="Exercise 2.1: `docker node promote` a worker, or join another machine as manager."
    " An even number bears no more losses than the odd one below it.",
)
def managers(look: Look) -> Judgement:
    """Rows with the role of a manager, those of machines that are gone left out."""
    there = [row for row in look.nodes if row.role == "manager" and not row.leftover]
    seen = (
        f"{len(there)} managers: {', '.join(row.machine or row.name for row in there) or 'none'};"
        f" {max(0, tolerance(len(there)))} may be lost"
    )
    good = len(there) in {3, 5, 7}
    return judged(seen, wrong=[] if good else ["the lab asks for 3, 5 or 7"])


@exercise.claim(
    "cluster-ha",
    "reachable",
    title="One manager leads, all are ready and reachable",
    expected="exactly 1 leader; each manager is ready and reachable",
    hint="`docker node ls`: the columns STATUS and MANAGER STATUS.",
)
def reachable(look: Look) -> Judgement:
    """By one manager's word."""
    there = [row for row in look.nodes if row.role == "manager" and not row.leftover]
    leaders = [row.machine or row.name for row in there if row.leader]
    wrong = [
        f"{row.machine or row.name} is {row.state} and {row.reachability or 'without a vote'}"
        for row in there
        if row.state != "ready" or row.reachability != "reachable"
    ]
    if len(leaders) != 1:
        wrong.append(f"{len(leaders)} lead")
    return judged(f"leader: {', '.join(leaders) or 'none'}", wrong=wrong)


@exercise.claim(
    "cluster-ha",
    "one-swarm",
    title="Every machine belongs to the same swarm",
    expected="every machine is active in it, and every manager tells the same swarm",
    hint="`docker info` on each machine: Swarm, NodeID, ClusterID. A machine of another swarm:"
    " `docker swarm leave`, then join this one.",
)
def one_swarm(look: Look) -> Judgement:
    """What each engine says of itself, and the list of nodes."""
    ids = {row.id for row in look.nodes}
    told, wrong, missing = defaultdict(list), [], []
    for machine in look.members("engine"):
        engine = machine.engine
        if engine is None:
            missing.append(f"{machine.name}: {machine.errors.get('engine', 'not seen')}")
        elif engine.state != "active":
            wrong.append(f"{machine.name} is {engine.state or 'in no swarm'}")
        elif engine.node_id not in ids:
            wrong.append(f"{machine.name} is a node that the managers don't list")
        if engine and engine.cluster:
            told[engine.cluster].append(machine.name)
    if len(told) > 1:
        wrong += [f"{', '.join(names)} of the swarm {id_}" for id_, names in told.items()]
    return judged(
        f"{len(look.members('engine'))} machines, {len(told)} swarm", wrong=wrong, missing=missing
    )


@exercise.claim(
    "cluster-ha",
    "workers",
    title="There are two workers besides the managers",
    expected="at least two ready workers, as in the lab's picture",
    hint="Exercise 2.1: the target picture has two workers; the lab's text promotes one of them,"
    " and another machine must take its place.",
)
def workers(look: Look) -> Judgement:
    """Rows with the role of a worker."""
    there = [row.machine or row.name for row in look.nodes if row.role == "worker"]
    ready = [row for row in look.nodes if row.role == "worker" and row.state == "ready"]
    seen = f"workers: {', '.join(there) or 'none'}; {len(ready)} ready"
    return judged(seen, wrong=[] if len(ready) >= WORKERS else [f"the lab has {WORKERS}"])


@exercise.claim(
    "cluster-ha",
    "no-dead-row",
    title="No row of a machine that is gone is left",
    expected="every node in the list is one that is there",
    hint="`docker node rm ID` removes the row of a machine that is gone or has joined anew"
    " (`docker node demote ID` first, where it was a manager).",
)
def no_dead_row(look: Look) -> Judgement:
    """A row that is down and no machine's, or whose machine is there under another id."""
    dead = [
        f"{row.name} ({row.id}) is {row.state}"
        for row in look.nodes
        if row.leftover or (row.state == "down" and not row.machine)
    ]
    return judged(f"{len(look.nodes)} rows", wrong=dead)


@exercise.claim(
    "cluster-ha",
    "take-tasks",
    title="Enough nodes take tasks",
    expected="at least three nodes are active, none is paused",
    hint="`docker node update --availability active NODE`. With all managers drained, two workers"
    " carry everything, and one of them may be lost.",
)
def take_tasks(look: Look) -> Judgement:
    """What was set; whether they are ready is another check's business."""
    rows = [row for row in look.nodes if not row.leftover]
    active = [row for row in rows if row.availability == "active"]
    wrong = [f"{r.machine or r.name} is set to pause" for r in rows if r.availability == "pause"]
    if len(active) < HOSTS:
        away = [row.machine or row.name for row in rows if row.availability == "drain"]
        wrong.append(f"drained: {', '.join(away) or 'none'}")
    return judged(f"{len(active)} of {len(rows)} nodes are active", wrong=wrong)


@exercise.claim(
    "failover",
    "engine-comes-back",
    title="A machine that is started again brings its engine back",
    expected="docker.service or docker.socket is enabled on every machine",
    hint="`systemctl enable docker` on each machine: a lost leader must return by itself.",
)
def engine_comes_back(look: Look) -> Judgement:
    """By systemd's word."""
    there, missing = look.systems("units")
    wrong = []
    for machine, system in there:
        units = [system.unit(name) for name in ("docker.service", "docker.socket")]
        if not any(unit and unit.comes_back for unit in units):
            wrong.append(f"on {machine.name} it is not enabled")
    return judged(f"looked at on {len(there)} machines", wrong=wrong, missing=missing)


@exercise.claim(
    "failover",
    "spread",
    title="A service outlives the loss of any one machine",
    expected="a service of several replicas runs on at least two machines",
    hint="Exercise 2.2: `docker service create --replicas 5`, then stop the leader's engine.",
)
def spread(look: Look) -> Judgement:
    """Where its tasks run now."""
    best = ("none has several replicas", 0)
    for service in look.services:
        if service.wanted is not None and service.wanted < 2:
            continue
        running = look.running(service)
        hosts = {task.node_id for task in running}
        if len(hosts) >= best[1]:
            best = (
                f"{service.name} has {len(running)} replicas on {len(hosts)} machines",
                len(hosts),
            )
    return judged(best[0], wrong=[] if best[1] >= 2 else ["one machine's loss takes it all"])
