"""Criteria "Cluster HA" and "Test failover": the state checks."""

from __future__ import annotations

from collections import defaultdict

from pytest_swarmlab.marking.state.basis import Look, exercise, judged
from pytest_swarmlab.model import Judgement, tolerance

WORKERS = 2
"""The lab's picture has two workers beside three managers."""

HOSTS = 3
"""Nodes that must accept tasks: after the loss of one, replicas still run on two machines."""


@exercise.claim(
    "cluster-ha",
    "managers",
    title="The number of managers is odd, and at least three",
    expected="3, 5 or 7 managers, so that the quorum survives the loss of one",
    hint="Exercise 2.1: `docker node promote` a worker, or join another machine as manager."
    " Four managers tolerate no more failures than three.",
)
def managers(look: Look) -> Judgement:
    """Rows of managers, without those of machines that have left."""
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
    title="One manager is the leader, and all managers are ready and reachable",
    expected="exactly 1 leader; each manager is ready and reachable",
    hint="`docker node ls`: the columns STATUS and MANAGER STATUS.",
)
def reachable(look: Look) -> Judgement:
    """As one manager lists them."""
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
    expected="every machine is active in the swarm, and every manager reports the same swarm",
    hint="`docker info` on each machine: Swarm, NodeID, ClusterID. A machine of another swarm:"
    " `docker swarm leave`, then join this one.",
)
def one_swarm(look: Look) -> Judgement:
    """`docker info` of each machine against the list of nodes."""
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
    title="The swarm has two workers",
    expected="at least two ready workers, as in the lab's picture",
    hint="Exercise 2.1: the lab's picture has two workers. Its text promotes one of them, so"
    " another machine must join as worker.",
)
def workers(look: Look) -> Judgement:
    """Rows of workers."""
    there = [row.machine or row.name for row in look.nodes if row.role == "worker"]
    ready = [row for row in look.nodes if row.role == "worker" and row.state == "ready"]
    seen = f"workers: {', '.join(there) or 'none'}; {len(ready)} ready"
    return judged(seen, wrong=[] if len(ready) >= WORKERS else [f"the lab has {WORKERS}"])


@exercise.claim(
    "cluster-ha",
    "no-dead-row",
    title="`docker node ls` lists no machine that has left",
    expected="each row of the list belongs to a machine of the cluster",
    hint="`docker node rm ID` removes the row of a machine that has left or joined again"
    " (for a manager `docker node demote ID` first).",
)
def no_dead_row(look: Look) -> Judgement:
    """A dead row is down and belongs to no machine, or its machine now has another id."""
    dead = [
        f"{row.name} ({row.id}) is {row.state}"
        for row in look.nodes
        if row.leftover or (row.state == "down" and not row.machine)
    ]
    return judged(f"{len(look.nodes)} rows", wrong=dead)


@exercise.claim(
    "cluster-ha",
    "take-tasks",
    title="Enough nodes accept tasks",
    expected="at least three nodes are active, and no node is paused",
    hint="`docker node update --availability active NODE`. With all managers drained, only two"
    " workers run tasks, and one of them may fail.",
)
def take_tasks(look: Look) -> Judgement:
    """The availability of each node; its state is judged by another check."""
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
    title="The engine starts when its machine boots",
    expected="docker.service or docker.socket is enabled on every machine",
    hint="`systemctl enable docker` on each machine: a lost leader must return by itself.",
)
def engine_comes_back(look: Look) -> Judgement:
    """As systemd reports it."""
    there, missing = look.systems("units")
    wrong = []
    for machine, system in there:
        units = [system.unit(name) for name in ("docker.service", "docker.socket")]
        if not any(unit and unit.comes_back for unit in units):
            wrong.append(f"docker is not enabled on {machine.name}")
    return judged(f"the units of {len(there)} machines", wrong=wrong, missing=missing)


@exercise.claim(
    "failover",
    "spread",
    title="A service survives the loss of any one machine",
    expected="a service of several replicas runs on at least two machines",
    hint="Exercise 2.2: `docker service create --replicas 5`, then stop the leader's engine.",
)
def spread(look: Look) -> Judgement:
    """The nodes that run its tasks at the time of the survey."""
    best = ("no service has several replicas", 0)
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
    return judged(best[0], wrong=[] if best[1] >= 2 else ["no service runs on two machines"])
