"""Readings of a survey that need several of its parts. Pure functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Set
from pathlib import PurePosixPath

from pytest_swarmlab.survey.machine import Attached
from pytest_swarmlab.survey.seen import Service, Survey, TaskRow

MYSQL = {"mysql", "mariadb", "percona"}
POSTGRES = {"postgres", "postgresql", "timescaledb", "postgis"}
DATABASES = MYSQL | POSTGRES | {"mongo", "mongodb"}
SITES = {"nginx", "httpd", "apache", "caddy"}
PROXIES = SITES | {"haproxy", "traefik", "envoy"}
CACHES = {"redis", "valkey"}
BROKERS = {"rabbitmq"}
INFRASTRUCTURE = DATABASES | CACHES | BROKERS
EXPORTER = "exporter"
WATCHERS = {"prometheus", "alertmanager", "grafana", "cadvisor", EXPORTER}
"""Repositories of images, by their last word."""

LOOP_S, LOOP = 600.0, 3
"""Failed tasks of one slot within ten minutes that make a crash loop."""

STEADY_S = 60.0
"""Seconds for which a task of a looping slot must run before it counts as running."""

FAILED = {"failed", "rejected"}

Place = tuple[str, int | str]
"""Where a task runs for a service: the service's id, and its slot, or its node."""


def is_a(service: Service, repositories: Iterable[str]) -> bool:
    """Whether its image is one of these, also as ``bitnami/postgresql`` or ``my-postgres``.

    ``postgres-exporter`` is an exporter and no PostgreSQL: it asks one, and keeps nothing.
    """
    words = re.split(r"[-_.]", service.repository)
    if EXPORTER in words:
        return EXPORTER in repositories
    return service.repository in repositories or any(word in repositories for word in words)


# -- where data is kept -------------------------------------------------------------------------


def distributed(survey: Survey, attached: Attached) -> str:
    """How every node reaches the mount's data, in words: NFS, another network file system, or a
    volume plugin; "" if a node does not, as far as the survey shows.
    """
    if attached.kind == "volume":
        if attached.driver not in ("", "local"):
            return f"the volume {attached.source} is of the driver {attached.driver}"
        there = [volume.options for volume in survey.volumes(attached.source)]
        for options in [attached.options] if attached.options else there:
            if options.get("type", "").startswith("nfs"):
                return f"the volume {attached.source} is NFS ({options.get('device', '?')})"
    if attached.kind == "bind" and (target := share_of(survey, attached.source)):
        return f"{attached.source} lies on {survey.share_targets[target]}, mounted at {target}"
    return ""


def share_of(survey: Survey, path: str) -> str:
    """The mount point of the share in which a path lies; "" if it lies in none."""
    places = (path, *map(str, PurePosixPath(path).parents))
    return next((place for place in places if place in survey.share_targets), "")


def data_of(service: Service) -> Attached | None:
    """Where a database keeps its data; None where that is in the container alone."""
    places = ("/var/lib/mysql", "/var/lib/postgresql", "/data/db", "/bitnami")
    return next((a for a in service.attached if a.target.startswith(places)), None)


# -- what runs ----------------------------------------------------------------------------------


def loops(survey: Survey) -> list[Service]:
    """Services of which a task is replaced over and over."""
    ids = {service for service, _ in looping(survey)}
    return [service for service in survey.services or () if service.id in ids]


def steady(tasks: Iterable[TaskRow], looping: Set[Place]) -> list[TaskRow]:
    """The running tasks without those that will only run until they fail again."""
    return [
        task
        for task in tasks
        if (task.service_id, task.slot or task.node) not in looping
        or task.age_s is None
        or task.age_s >= STEADY_S
    ]


def looping(survey: Survey) -> set[Place]:
    """The places whose task is replaced over and over."""
    failed = Counter(
        (task.service_id, task.slot or task.node)
        for task in survey.tasks or ()
        if task.state in FAILED and task.age_s is not None and task.age_s < LOOP_S
    )
    return {place for place, count in failed.items() if count >= LOOP}


def wanted(survey: Survey, service: Service) -> int | None:
    """The wanted replicas; None if unknown."""
    if service.wanted is not None:
        return service.wanted
    return None if survey.nodes is None else sum(row.takes_tasks for row in survey.nodes)


def pinned(service: Service) -> bool:
    """Whether its constraints leave it one node, by name or id."""
    ones = ("node.hostname==", "node.id==")
    return any(each.replace(" ", "").startswith(ones) for each in service.constraints)
