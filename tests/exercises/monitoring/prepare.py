"""Prepares the nodes as the stack file's head says, and deploys the stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.parallel import each_tried
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.stacks import Stack, Stacks
from pytest_swarmlab.waiting.conditions import EngineIs
from pytest_swarmlab.waiting.waiter import Waiter

from ..stack_on_nfs import labelled
from .setting import NAME

FILE = STACKS / "monitoring-stack.yml"
SHOP_FILE = STACKS / "monitoring-shop.yml"
PARTS = STACKS / "monitoring"
DAEMON = "/etc/docker/daemon.json"
UNITS = "/etc/systemd/system"
FACTS = "/usr/local/sbin/swarm-textfile"
TIMER, SERVICE = "swarm-textfile.timer", "swarm-textfile.service"
WRITTEN = "/var/lib/node-exporter"
BACKUPS = "/var/backups/swarm"
LABEL, VALUE = "monitoring", "true"
DISABLE = ("systemctl", "disable", "--now", TIMER)
REMOVE = ("rm", "-rf", DAEMON, FACTS, f"{UNITS}/{TIMER}", f"{UNITS}/{SERVICE}", WRITTEN)
RELOAD = ("systemctl", "daemon-reload")
RESTART = ("systemctl", "restart", "docker.service")

BACK_S = 120
READY_S = 180


@contextmanager
def prepared(swarm: Swarm, home: Node, wait: Waiter) -> Iterator[None]:
    """Engines export metrics, and nodes their facts; the block's end undoes it.

    `home`: where Prometheus keeps its data.
    """
    with ExitStack() as prepared:
        for node in swarm.nodes:
            # A restart disturbs what other timers remove: it comes after them.
            prepared.enter_context(
                Guard.undone_after(
                    [(node, [DISABLE, REMOVE, RELOAD, RESTART])], "monitoring", Undoes.EXPORT,
                    undo=partial(_as_before, swarm, node, wait),
                )
            )  # fmt: skip
            _prepare(swarm, node, wait)
        prepared.enter_context(labelled(swarm, [home], LABEL, VALUE))
        # Managers that are away could not undo it.
        prepared.callback(wait, swarm.all_nodes_ready(), within=BACK_S)
        yield


def _prepare(swarm: Swarm, node: Node, wait: Waiter) -> None:
    node.put((PARTS / "daemon.json").read_bytes(), DAEMON)
    node.put((PARTS / "swarm-textfile").read_bytes(), FACTS)
    node.run("chmod", "0755", FACTS)
    for unit in (TIMER, SERVICE):
        node.put((PARTS / unit).read_bytes(), f"{UNITS}/{unit}")
    node.run("mkdir", "-p", WRITTEN)
    node.run(*RELOAD)
    node.run("systemctl", "enable", "--now", TIMER)
    _restart(swarm, node, wait)


def _as_before(swarm: Swarm, node: Node, wait: Waiter) -> None:
    each_tried(
        [
            partial(_disable, node),
            partial(node.run, *REMOVE),
            partial(node.run, *RELOAD),
            partial(_restart, swarm, node, wait),
        ]
    )


def _disable(node: Node) -> None:
    if node.host.file(f"{UNITS}/{TIMER}").exists:
        node.run(*DISABLE)


def _restart(swarm: Swarm, node: Node, wait: Waiter) -> None:
    """The engine reads its configuration; returns when every node is ready again."""
    node.run(*RESTART)
    node.forget_connections()
    wait(EngineIs(node, up=True), within=BACK_S)
    wait(swarm.has_leader(), within=BACK_S)
    wait(swarm.all_nodes_ready(), within=BACK_S)


def back_up(node: Node, when: str) -> str:
    """An empty directory with the name that `swarm-backup` gives at that moment."""
    place = f"{BACKUPS}/swarm-{when}-{node.name}"
    node.run("mkdir", "-p", place)
    return place


def write_facts(*nodes: Node) -> None:
    """Do now what the timer does each minute."""
    for node in nodes:
        node.run("systemctl", "start", SERVICE)


def deploy(stack: Stacks) -> Stack:
    """`docker stack deploy -c monitoring-stack.yml monitoring`."""
    return stack.deploy(FILE, name=NAME, keep_volumes=False, title="The monitoring is deployed")


def deploy_beside_the_shop(stack: Stacks) -> Stack:
    """`docker stack deploy -c monitoring-stack.yml -c monitoring-shop.yml monitoring`."""
    return stack.deploy(
        FILE, SHOP_FILE, name=NAME, keep_volumes=False, title="The monitoring watches the shop too"
    )
