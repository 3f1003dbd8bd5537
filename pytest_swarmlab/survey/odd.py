"""Lists oddities of a survey for an operator: sentences, the worst first. Pure.

They are no judgement: an even number of managers, or a local volume, may be intended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from pytest_swarmlab.model import tolerance
from pytest_swarmlab.survey import readings
from pytest_swarmlab.survey.events import OF_MACHINE, OF_SWARM
from pytest_swarmlab.survey.machine import Machine
from pytest_swarmlab.survey.seen import Service, Survey

FULL = 0.9
"""The used share from which a file system is nearly full."""

LEFT = 0.2
"""Of a certificate's life: Swarm renews it when 50 to 80 % of it are over (swarmkit's renewer)."""

DATABASE_PORTS = {3306, 5432, 6379, 27017, 5672}


class Weight(IntEnum):
    """The weight of an oddity: a fault, a risk, or a note."""

    BROKEN = 0
    RISK = 1
    NOTE = 2


@dataclass(frozen=True)
class Oddity:
    """One sentence about one thing, and what can be done."""

    weight: Weight
    what: str
    remedy: str = ""


Finder = Callable[[Survey], Iterator[Oddity]]


def oddities(survey: Survey) -> list[Oddity]:
    """All oddities, the worst first."""
    found = [each for find in FINDERS for each in find(survey)]
    return sorted(found, key=lambda each: each.weight)


def _unseen(survey: Survey) -> Iterator[Oddity]:
    for machine in survey.machines:
        if set(machine.errors) >= set(OF_MACHINE):
            yield Oddity(
                Weight.BROKEN, f"{machine.name} could not be asked: {machine.errors['engine']}"
            )
            continue
        for part, why in machine.errors.items():
            yield Oddity(Weight.BROKEN, f"the {part} of {machine.name} could not be read: {why}")
    hidden: dict[tuple[str, str], list[str]] = {}
    for machine in survey.machines:
        for lack in (machine.system.lacks if machine.system else {}).items():
            hidden.setdefault(lack, []).append(machine.name)
    for (part, why), names in hidden.items():
        yield Oddity(Weight.RISK, f"the {part} of {', '.join(names)} could not be read: {why}")
    for why in dict.fromkeys(survey.errors.values()):
        parts = [part for part, each in survey.errors.items() if each == why]
        what = "the swarm" if len(parts) == len(OF_SWARM) else f"the {', '.join(parts)}"
        yield Oddity(Weight.BROKEN, f"no manager could list {what}: {why}")


def _managers(survey: Survey) -> Iterator[Oddity]:
    rows = [row for row in survey.nodes or () if row.role == "manager" and not row.leftover]
    if not rows:
        return
    count = len(rows)
    if count % 2 == 0:
        yield Oddity(
            Weight.RISK,
            f"{count} managers tolerate no more failures ({tolerance(count)}) than {count - 1}",
            "promote one more, or demote one",
        )
    elif count == 1:
        yield Oddity(Weight.RISK, "the loss of the only manager loses the swarm", "promote two")
    if not any(row.leader for row in rows):
        yield Oddity(Weight.BROKEN, "there is no leader")
    for row in rows:
        if row.reachability != "reachable":
            name = row.machine or row.name
            yield Oddity(Weight.BROKEN, f"the manager {name} is {row.reachability or 'no member'}")
    working = [row.machine or row.name for row in rows if row.availability == "active"]
    if working:
        yield Oddity(Weight.NOTE, f"managers that run tasks like workers: {', '.join(working)}")


def _rows(survey: Survey) -> Iterator[Oddity]:
    for row in survey.nodes or ():
        name = row.machine or row.name
        if row.leftover or (row.state == "down" and not row.machine):
            yield Oddity(
                Weight.RISK,
                f"the row {row.id} of {row.name} is of a machine that has left or joined again",
                f"docker node rm {row.id}",
            )
        elif row.state != "ready":
            yield Oddity(Weight.BROKEN, f"{name} is {row.state} {row.message}".strip())
        if row.availability != "active" and not row.leftover:
            yield Oddity(Weight.NOTE, f"{name} is set to {row.availability}")
    versions = {m.engine.version for m in survey.machines if m.engine} - {""}
    if len(versions) > 1:
        yield Oddity(Weight.NOTE, f"engines of several versions: {', '.join(sorted(versions))}")


def _machines(survey: Survey) -> Iterator[Oddity]:
    life = survey.settings.certificate_s if survey.settings else 0.0
    for machine in survey.machines:
        yield from _units(machine)
        system = machine.system
        if system is None:
            continue
        for disk in system.disks or ():
            if disk.full >= FULL:
                yield Oddity(Weight.RISK, f"{disk.mount} of {machine.name} is {disk.full:.0%} full")
        left = system.certificate.left_s if system.certificate else None
        if left is not None and left <= 0:
            yield Oddity(Weight.BROKEN, f"the certificate of {machine.name} has ended")
        elif left is not None and life and left < LEFT * life:
            yield Oddity(
                Weight.RISK,
                f"the certificate of {machine.name} ends in {left / 86_400:.1f} days and was not"
                " renewed",
                "docker swarm ca --rotate, or look at the managers' journals",
            )


def _units(machine: Machine) -> Iterator[Oddity]:
    docker = machine.system.unit("docker.service") if machine.system else None
    if docker and not docker.comes_back:
        yield Oddity(
            Weight.RISK,
            f"docker is not enabled on {machine.name}: it does not start at boot",
            "systemctl enable docker",
        )


def _shares(survey: Survey) -> Iterator[Oddity]:
    """A node that has not mounted what others have."""
    by_source: dict[str, set[str]] = {}
    serving, known = set(), set()
    for machine in survey.machines:
        if machine.system is None or machine.system.mounts is None:
            continue
        known.add(machine.name)
        if machine.system.exports:
            serving.add(machine.name)
        for mount in machine.shares:
            by_source.setdefault(mount.source, set()).add(machine.name)
    for source, names in by_source.items():
        if without := known - names - serving:
            yield Oddity(
                Weight.RISK, f"{source} is mounted on others, not on {', '.join(sorted(without))}"
            )


def _services(survey: Survey) -> Iterator[Oddity]:
    looping = {service.name for service in readings.loops(survey)}
    for service in survey.services or ():
        wanted = readings.wanted(survey, service)
        running = len(survey.running(service))
        if service.lasting and survey.tasks is not None and wanted is not None and running < wanted:
            yield Oddity(Weight.BROKEN, f"{service.name}: {running} of {wanted} replicas run")
        if service.name in looping:
            yield Oddity(
                Weight.BROKEN,
                f"{service.name} fails repeatedly: {_last_error(survey, service)}",
                f"docker service ps --no-trunc {service.name}",
            )
        if service.update_state in {"paused", "rollback_paused"}:
            yield Oddity(Weight.BROKEN, f"the update of {service.name} has paused half-way")
        if service.tag in {"", "latest"} and service.image:
            yield Oddity(Weight.NOTE, f"{service.name} has the image {_short(service.image)}")
        yield from _exposed(service)
        yield from _volatile(survey, service)


def _short(image: str) -> str:
    return image.partition("@")[0]


def _last_error(survey: Survey, service: Service) -> str:
    failed = [task for task in survey.tasks_of(service) if task.error]
    failed.sort(key=lambda task: task.age_s if task.age_s is not None else float("inf"))
    return failed[0].error if failed else "it ends"


def _exposed(service: Service) -> Iterator[Oddity]:
    for variable in service.variables:
        if variable.plain_secret:
            yield Oddity(
                Weight.RISK,
                f"the definition of {service.name} shows a secret: {variable.name}",
                "use a secret, and a variable that names its file",
            )
    plain = service.command.plain + service.labels.plain
    plain += service.health.test.plain if service.health else 0
    if plain:
        yield Oddity(
            Weight.RISK, f"{service.name} shows a secret in its command, health check or labels"
        )
    for port in service.ports:
        if port.target in DATABASE_PORTS:
            yield Oddity(
                Weight.RISK,
                f"{service.name} publishes its port {port.target} as {port.published}: every host"
                " that reaches a node reaches it",
            )


def _volatile(survey: Survey, service: Service) -> Iterator[Oddity]:
    """A database whose data stays behind when it moves."""
    if not readings.is_a(service, readings.DATABASES):
        return
    data = readings.data_of(service)
    if data is None:
        yield Oddity(Weight.RISK, f"{service.name} keeps its data only in the container")
    elif not readings.distributed(survey, data) and not readings.pinned(service):
        yield Oddity(
            Weight.RISK,
            f"{service.name} keeps its data in the {data.kind} {data.source}, which stays on its"
            " node when the task moves",
            "a volume on NFS, or a constraint to one node",
        )


def _containers(survey: Survey) -> Iterator[Oddity]:
    for machine in survey.machines:
        for container in machine.containers or ():
            if container.health == "unhealthy":
                name = container.service or container.name
                yield Oddity(Weight.BROKEN, f"{name} on {machine.name} is unhealthy")


def _configs(survey: Survey) -> Iterator[Oddity]:
    for config in survey.configs or ():
        if config.plain:
            yield Oddity(Weight.RISK, f"the config {config.name} shows a secret")


def _settings(survey: Survey) -> Iterator[Oddity]:
    if survey.settings and not survey.settings.autolock:
        yield Oddity(
            Weight.NOTE,
            "autolock is off: a manager's disk, or a backup of it, gives away every secret",
            "docker swarm update --autolock=true",
        )
    if survey.settings and survey.settings.root_rotation:
        yield Oddity(Weight.NOTE, "the swarm's root certificate is being rotated")


FINDERS: tuple[Finder, ...] = (
    _unseen, _managers, _rows, _machines, _shares, _services, _containers, _configs, _settings,
)  # fmt: skip
