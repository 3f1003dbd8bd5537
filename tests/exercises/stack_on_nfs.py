"""A stack whose database lies on NFS: what exercises 2.5 and 2.10 prepare, show and remove."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pytest_swarmlab.parallel import each_tried
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter

LABEL, VALUE = "storage", "nfs"

BACK_S = 240
"""Longest until all nodes are back, so that what runs there can be seen to go."""


@contextmanager
def labelled(
    swarm: Swarm, nodes: Sequence[Node], label: str = LABEL, value: str = VALUE
) -> Iterator[None]:
    """`docker node update --label-add storage=nfs`; the labels are as they were at the end."""
    before = _values(swarm, label)

    def as_before(node: Node) -> tuple[str, ...]:
        had = before[node]
        words = ("--label-rm", label) if had is None else ("--label-add", f"{label}={had}")
        return ("docker", "node", "update", *words, swarm.known_as(node))

    commands = [as_before(node) for node in nodes]

    def undo() -> None:
        # Also where a node before it can't be given its label back.
        each_tried(partial(swarm.leader().run, *command) for command in commands)

    with Guard.undone_after([(swarm.leader(), commands)], "labels", Undoes.DEPLOYMENT, undo=undo):
        for node in nodes:
            words = ("--label-add", f"{label}={value}", swarm.known_as(node))
            swarm.leader().run("docker", "node", "update", *words)
        yield


def labelled_nodes(swarm: Swarm) -> list[str]:
    """Which nodes have that label now, as the managers tell."""
    return [node.name for node, value in _values(swarm, LABEL).items() if value == VALUE]


def _values(swarm: Swarm, label: str) -> dict[Node, str | None]:
    """Each node and its value of that label. A machine may be called otherwise than its host."""
    rows = swarm.leader().engine.api.nodes()
    return {
        node: row["Spec"].get("Labels", {}).get(label)
        for row in rows
        if (node := swarm.with_id(row["ID"]))
    }


@contextmanager
def removed_at_end(stack: Stacks, name: str, swarm: Swarm, wait: Waiter) -> Iterator[None]:
    """`docker stack rm` at the block's end, and the volumes that it leaves on each node: they'd
    keep their options.
    """
    stack.guard_volumes(name)
    try:
        yield
    finally:
        each_tried(
            [
                # What runs on a node that is away could not be seen to go.
                partial(wait, swarm.all_nodes_ready(), within=BACK_S),
                # Its data go with it.
                partial(stack.remove, name, kill=True),
                partial(stack.remove_volumes, name),
            ]
        )


def listing(swarm: Swarm, when: str, stack: str) -> None:
    """`docker stack services` and `docker stack ps`, kept as the lab's screenshots."""
    leader = swarm.leader()
    for what in ("services", "ps"):
        leader.look("docker", "stack", what, stack, title=f"{when}: docker stack {what} {stack}")


def environments(swarm: Swarm, values: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """What every service's definition says: its variables, and which secret's value is in it."""
    return [
        {
            "service": service["Spec"]["Name"],
            "env": service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env", []),
            "shows": [k for k, v in values.items() if v.decode().strip() in json.dumps(service)],
        }
        for service in swarm.leader().engine.api.services()
    ]
