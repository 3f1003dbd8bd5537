"""Surveys for tests: one of a real cluster with the repository's stacks, and edits of it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from pytest_swarmlab.evidence.events import RolesDecided, Seen
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.marking.state.basis import PHASE
from pytest_swarmlab.model import Event
from pytest_swarmlab.survey import events
from pytest_swarmlab.survey.machine import Container, Machine, System
from pytest_swarmlab.survey.seen import (
    Health,
    Network,
    NodeRow,
    Service,
    Survey,
    TaskRow,
    Update,
    Words,
)
from tests.unit.records.breaker import real

Edit = Callable[[Survey], Survey]

SHOP = (
    ("frontend", "ecommerce/frontend:1.0.0", 3),
    ("api-gateway", "nginx:1.27-alpine", 2),
    ("products-service", "ecommerce/products:1.0.0", 3),
    ("orders-service", "ecommerce/orders:1.0.0", 3),
    ("users-service", "ecommerce/users:1.0.0", 2),
    ("postgres", "postgres:15-alpine", 1),
    ("redis", "redis:7-alpine", 1),
    ("rabbitmq", "rabbitmq:3-management-alpine", 1),
)
"""Exercise 2.10's services, of which that cluster had none."""


@functools.cache
def seen() -> Survey:
    """A real cluster as the lab wants it, up to exercise 2.9."""
    return events.read(real("survey"))


@functools.cache
def good() -> Survey:
    """The same with the shop of exercise 2.10."""
    survey = seen()
    network = Network("net-shop", "shop_backend", "overlay", encrypted=True)
    services = [_shop(name, image, replicas) for name, image, replicas in SHOP]
    tasks = [
        TaskRow(f"{s.id}-{slot}", s.id, slot, "worker1", node("worker1").id, "running", "running")
        for s in services
        for slot in range(1, (s.wanted or 0) + 1)
    ]
    return replace(
        survey,
        services=(*(survey.services or ()), *services),
        tasks=(*(survey.tasks or ()), *tasks),
        networks=(*(survey.networks or ()), network),
    )


def _shop(name: str, image: str, replicas: int) -> Service:
    return Service(
        f"id-{name}",
        f"shop_{name}",
        "shop",
        image,
        wanted=replicas,
        health=Health(Words(("CMD", "curl", "-f", "http://127.0.0.1/")), start_period_s=20.0),
        update=Update(True, "start-first", "rollback") if replicas > 1 else Update(),
        networks=("shop_backend",),
        memory_limit=256 * 2**20,
    )


def node(name: str) -> NodeRow:
    """The real cluster's row of that name."""
    return next(row for row in seen().nodes or () if row.name == name)


class _Kept:
    """A recorder that keeps what it is given, as JSON would have it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, seen: Seen) -> None:
        self.record(seen.kind, **seen.data())

    def record(self, kind: str, **data: Any) -> None:
        seq = len(self.events)
        self.events.append(Event(seq, float(seq), "", kind, PHASE, json.loads(json.dumps(data))))


def recorded(survey: Survey, decided: dict[str, str] | None = None) -> Record:
    """The record of a look that saw just this."""
    kept = _Kept()
    writer = events.Writer(cast(Recorder, kept))
    if decided is not None:
        kept.write(RolesDecided(decided))
    writer.began(survey.cluster, list(survey.machines))
    for machine in survey.machines:
        for part in events.OF_MACHINE:
            if (value := getattr(machine, part)) is not None:
                writer.part(part, value, 0.1, node=machine.name)
            else:
                writer.unseen(part, machine.errors.get(part, "away"), node=machine.name)
    for part in events.OF_SWARM:
        if (value := getattr(survey, part)) is not None:
            writer.part(part, value, 0.1, seen_from="manager1")
        else:
            writer.unseen(part, survey.errors.get(part, "no leader"), seen_from="manager1")
    writer.ended(1.0)
    return Record(tuple(kept.events))


# -- edits --------------------------------------------------------------------------------------


def both(*edits: Edit) -> Edit:
    """One edit after the other."""
    return lambda survey: functools.reduce(lambda s, edit: edit(s), edits, survey)


def unseen(part: str) -> Edit:
    """No manager could tell that part."""
    return lambda survey: replace(survey, **{part: None})


def rows(change: Callable[[NodeRow], NodeRow | None]) -> Edit:
    """Rows of the node list changed, or left out."""

    def edit(survey: Survey) -> Survey:
        found = (change(row) for row in survey.nodes or ())
        return replace(survey, nodes=tuple(row for row in found if row))

    return edit


def row(name: str, **data: Any) -> Edit:
    """That node's row says something else."""
    return rows(lambda each: replace(each, **data) if each.name == name else each)


def services(change: Callable[[Service], Service | None]) -> Edit:
    """Services changed, or left out."""

    def edit(survey: Survey) -> Survey:
        found = (change(each) for each in survey.services or ())
        return replace(survey, services=tuple(each for each in found if each))

    return edit


def service(name: str, **data: Any) -> Edit:
    """That service's definition says something else; a callable gets what it says now."""

    def change(each: Service) -> Service:
        if each.name != name:
            return each
        new = {k: v(getattr(each, k)) if callable(v) else v for k, v in data.items()}
        return replace(each, **new)

    return services(change)


def gone(*names: str) -> Edit:
    """Those services are not there."""
    return services(lambda each: None if each.name in names else each)


def machines(change: Callable[[Machine], Machine]) -> Edit:
    """Machines changed."""
    return lambda survey: replace(survey, machines=tuple(change(m) for m in survey.machines))


def machine(name: str, **data: Any) -> Edit:
    """That machine is seen otherwise."""
    return machines(lambda each: replace(each, **data) if each.name == name else each)


def systems(change: Callable[[System], System], *names: str) -> Edit:
    """What is seen besides engines, on all machines or those."""
    return machines(
        lambda each: (
            replace(each, system=change(each.system))
            if each.system and (not names or each.name in names)
            else each
        )
    )


def system(*names: str, **data: Any) -> Edit:
    """The same: parts say something else; a callable gets each of what there is now."""

    def change(each: System) -> System:
        new = {k: tuple(v(getattr(each, k))) if callable(v) else v for k, v in data.items()}
        return replace(each, **new)

    return systems(change, *names)


def hidden(*parts: str) -> Edit:
    """On no machine these parts of the system could be seen."""
    why = dict.fromkeys(parts, "it may not be read")
    return systems(lambda each: replace(each, **dict.fromkeys(parts), lacks=why))


def containers(change: Callable[[Container], Container]) -> Edit:
    """Containers changed."""
    return machines(
        lambda each: replace(each, containers=tuple(change(c) for c in each.containers or ()))
    )


def tasks(change: Callable[[TaskRow], TaskRow]) -> Edit:
    """Tasks changed."""
    return lambda survey: replace(survey, tasks=tuple(change(t) for t in survey.tasks or ()))
