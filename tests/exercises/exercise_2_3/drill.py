"""The database is moved, and after each step its data are looked for."""

from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.waiting.waiter import Waiter

from .. import volumes
from ..postgres import READY_S, running
from . import events, perform
from .setting import SERVICE, STAYS_S, VOLUME

SETTLED_S = 1
"""Seconds without a move before a change."""
WATCHED_S = STAYS_S + 1
"""Seconds of watching that no task moves."""


def see_the_literal_command_fail(
    swarm: Swarm, on: Node, *, wait: Waiter, evidence: Evidence
) -> None:
    """Wait until a task of the lab's own command has failed, and note what it said."""
    with volumes.named(VOLUME, [on]), perform.literal_service(swarm, on) as service:
        task = wait(service.task_failed(), within=READY_S)
        said = on.log_of(task.container)
        evidence.write(events.LiteralEnded(said, task.exit_code, task.error))


def move_the_database(
    swarm: Swarm,
    home: Node,
    other: Node,
    *,
    secret: Secrets,
    wait: Waiter,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """Write on one node, take the constraint away, force it to another, bring it back."""
    with (
        volumes.named(VOLUME, [home, other]),
        perform.db_local(swarm, secret, home) as service,
    ):
        container = running(service, home, wait)
        perform.create_database(home, container)
        _note(evidence, "written", home, container)

        with observe([swarm.leader()], service=SERVICE):
            wait(service.watched(for_s=SETTLED_S), within=READY_S)
            perform.remove_constraint(service, home)
            wait(service.watched(for_s=WATCHED_S), within=READY_S)

        service.move(to=other)
        _note(evidence, "moved", other, running(service, other, wait))
        _note_volume(evidence, home)

        service.move(to=home, origin=other)
        _note(evidence, "back", home, running(service, home, wait))


def _note(evidence: Evidence, step: str, node: Node, container: str) -> None:
    names = perform.databases(node, container, f"On {node}: the databases ({step})")
    evidence.write(events.Databases(step, node.name, container, tuple(names)))


def _note_volume(evidence: Evidence, node: Node) -> None:
    listed = node.look(
        "docker", "volume", "ls", "--filter", f"name={VOLUME}",
        title=f"On {node}: the volume that stayed behind",
    ).stdout  # fmt: skip
    place = node.look("docker", "volume", "inspect", "--format", "{{.Mountpoint}}", VOLUME)
    held = node.look("find", place.stdout.strip(), "-maxdepth", "1", "-name", "PG_VERSION")
    evidence.write(events.Volume(node.name, listed, holds_data=bool(held.stdout.strip())))
