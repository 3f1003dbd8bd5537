"""Clusters, their machines, and commands on these machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events.kind import Seconds, Seen


@dataclass(frozen=True)
class ClusterWanted(Seen, kind="cluster.wanted"):
    """In a run side by side: the tests that want a cluster of one topology."""

    topology: str
    tests: Annotated[Mapping[str, str], "test → its group, whose tests stay on one worker"]


@dataclass(frozen=True)
class MachinesStarted(Seen, kind="machines.started"):
    """A cluster's machines exist; for a Vagrantfile, the list of machines to start."""

    provider: str
    cluster: Annotated[str, "its id"]
    created: tuple[str, ...] | None = None
    booted: tuple[str, ...] | None = None
    running: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TopologySeen:
    """A cluster's size."""

    name: str
    managers: int
    workers: int


@dataclass(frozen=True)
class MachineSeen:
    """A machine of a cluster; `membership`: how it starts."""

    name: str
    address: str
    membership: str


@dataclass(frozen=True)
class ImageSeen:
    """A container image that the machines carry."""

    reference: str
    origin: str
    detail: str
    id: str | None = None


@dataclass(frozen=True)
class ClusterReady(Seen, kind="cluster.ready"):
    """A swarm of the wanted topology is ready: its parts and its capabilities."""

    cluster: Annotated[str, "its id"]
    provider: str
    topology: TopologySeen
    nodes: tuple[MachineSeen, ...]
    engine_version: str
    kernel: str
    kernel_source: Annotated[str, "whose kernel, and how it is started"]
    images: tuple[ImageSeen, ...]
    capabilities: Mapping[str, bool | None]
    seconds: Seconds


@dataclass(frozen=True)
class ClusterKept(Seen, kind="cluster.kept"):
    """A cluster is left running, and how a person reaches it."""

    cluster: Annotated[str, "its id"]
    shell: str
    engine: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Command(Seen, kind="command"):
    """A command was run on a node. With a `title` it is one of the lab's deliverables."""

    node: str
    argv: tuple[str, ...]
    code: int | None
    stdout: str
    stderr: str
    seconds: Seconds
    title: Annotated[str | None, "the deliverable's title"]


@dataclass(frozen=True)
class EngineTold(Seen, kind="engine"):
    """An engine's event of a container."""

    node: str
    what: Annotated[str, "start, health_status: unhealthy, kill, die"]
    at: Annotated[float, "Unix time, the engine's"]
    service: str
    slot: int | None
    task: str
    container: str
    exit_code: str | None
    signal: str | None


@dataclass(frozen=True)
class Identity:
    """A machine's identity, as its engine and its certificate have it.

    `id`: its engine's node id, "" outside a swarm and while the engine is about to become a node.
    `name`, `role`: CN and OU of its certificate. `error`: why it could not be asked; the rest is ""
    then.
    """

    node: str
    id: str = ""
    name: Annotated[str, "CN of its certificate"] = ""
    role: Annotated[str, "OU of its certificate"] = ""
    error: Annotated[str, "why it could not be asked"] = ""


@dataclass(frozen=True)
class Identities(Seen, kind="identities"):
    """Every machine's identity, read on the machines one after the other."""

    machines: tuple[Identity, ...]
    roles: Annotated[Mapping[str, str], "id → role that the managers gave it"]
