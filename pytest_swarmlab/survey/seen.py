"""What one look at a cluster shows, as frozen types: events hold them, judges read them.

Types of a single machine are in `machine`. What could not be seen is None, never empty: an empty
list was looked at. Sizes are bytes, ages and intervals seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pytest_swarmlab.survey.machine import Attached, Machine, Volume


@dataclass(frozen=True)
class NodeRow:
    """A row of `docker node ls`; `machine` is the machine's name here, "" if it is none of them.

    `leftover`: the machine is in the swarm under another id.
    """

    id: str
    name: str
    role: str
    availability: str
    state: str
    machine: str = ""
    leader: bool = False
    reachability: str = ""
    address: str = ""
    engine: str = ""
    message: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    leftover: bool = False

    @property
    def takes_tasks(self) -> bool:
        """Whether a task may be given to it now."""
        return self.state == "ready" and self.availability == "active"


@dataclass(frozen=True)
class Variable:
    """A variable of a definition. A plain secret is not kept: `digest` stands for its value.

    Equal values have equal digests within one survey, and in no other.
    """

    name: str
    value: str = ""
    digest: str = ""

    @property
    def plain_secret(self) -> bool:
        """Whether the variable's value is a secret, which the definition shows."""
        return bool(self.digest)


@dataclass(frozen=True)
class Words:
    """Words of a definition, such as a command; `plain`: how many secrets in them were hidden."""

    words: tuple[str, ...] = ()
    plain: int = 0


@dataclass(frozen=True)
class Given:
    """A secret or config that is mounted: its name, its file in the container, owner, mode."""

    name: str
    target: str
    owner: str = "0"
    group: str = "0"
    mode: int = 0o444


@dataclass(frozen=True)
class Health:
    """A health check. `test` as Docker has it: ``CMD-SHELL``, a line. `none`: it is switched off.

    Intervals are 0 where nothing was said: the image's, or Docker's defaults.
    """

    test: Words
    none: bool = False
    interval_s: float = 0.0
    timeout_s: float = 0.0
    start_period_s: float = 0.0
    retries: int = 0


@dataclass(frozen=True)
class Restart:
    """When a task is replaced; `attempts` 0: as often as it takes."""

    condition: str = "any"
    delay_s: float = 5.0
    attempts: int = 0


@dataclass(frozen=True)
class Update:
    """The update settings; Docker's defaults if the definition has none."""

    said: bool = False
    order: str = "stop-first"
    failure: str = "pause"
    parallelism: int = 1
    monitor_s: float = 5.0


@dataclass(frozen=True)
class Port:
    """A published port; `mode` ingress or host."""

    published: int
    target: int
    protocol: str = "tcp"
    mode: str = "ingress"


@dataclass(frozen=True)
class Service:
    """A service's definition, its secrets left out, and how far its latest update is."""

    id: str
    name: str
    stack: str = ""
    image: str = ""
    mode: str = "replicated"
    wanted: int | None = None
    """Wanted replicas; None: one on every node that fits."""
    command: Words = field(default_factory=Words)
    labels: Words = field(default_factory=Words)
    variables: tuple[Variable, ...] = ()
    attached: tuple[Attached, ...] = ()
    secrets: tuple[Given, ...] = ()
    configs: tuple[Given, ...] = ()
    health: Health | None = None
    restart: Restart = field(default_factory=Restart)
    update: Update = field(default_factory=Update)
    rollback: Update = field(default_factory=Update)
    constraints: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    """Names."""
    aliases: tuple[str, ...] = ()
    """Its network aliases besides its name."""
    ports: tuple[Port, ...] = ()
    memory_limit: int = 0
    processor_limit: float = 0.0
    update_state: str = ""

    @property
    def lasting(self) -> bool:
        """Whether it runs for ever; a job ends."""
        return not self.mode.endswith("job")

    @property
    def repository(self) -> str:
        """The image's last word: ``docker.io/library/mysql:8.0@sha256:…`` is ``mysql``."""
        return self.image.partition("@")[0].rpartition("/")[2].partition(":")[0]

    @property
    def tag(self) -> str:
        """The image's tag; "" where there is none."""
        return self.image.partition("@")[0].rpartition("/")[2].partition(":")[2]

    def variable(self, name: str) -> Variable | None:
        """The variable, or None."""
        return next((v for v in self.variables if v.name == name), None)


@dataclass(frozen=True)
class TaskRow:
    """A task; `node` is the machine's name, or what the managers call it."""

    id: str
    service_id: str
    slot: int | None
    node: str
    node_id: str
    state: str
    desired: str
    error: str = ""
    age_s: float | None = None
    """Seconds since it came into this state."""

    @property
    def running(self) -> bool:
        """Whether it runs and is to run."""
        return self.state == "running" and self.desired == "running"


@dataclass(frozen=True)
class Network:
    """A network of the swarm."""

    id: str
    name: str
    driver: str = ""
    encrypted: bool = False
    internal: bool = False
    attachable: bool = False
    ingress: bool = False


@dataclass(frozen=True)
class Secret:
    """A secret; the engine shows no value."""

    id: str
    name: str
    labels: tuple[str, ...] = ()
    driver: str = ""


@dataclass(frozen=True)
class Config:
    """A config; `text`: its content, in which `plain` secrets are hidden; None if it is no text."""

    id: str
    name: str
    labels: tuple[str, ...] = ()
    size: int = 0
    text: str | None = None
    plain: int = 0


@dataclass(frozen=True)
class Settings:
    """The swarm's settings; `certificate_s`: how long a new certificate is valid."""

    id: str = ""
    autolock: bool = False
    certificate_s: float = 0.0
    task_history: int | None = None
    root_rotation: bool = False


@dataclass(frozen=True)
class Survey:
    """The whole look. A part that no manager could tell is None, and `errors` has the reason.

    `more`: part → how many of it there are beyond those that are kept.
    """

    cluster: str = ""
    at: str = ""
    seconds: float | None = None
    machines: tuple[Machine, ...] = ()
    nodes: tuple[NodeRow, ...] | None = None
    services: tuple[Service, ...] | None = None
    tasks: tuple[TaskRow, ...] | None = None
    networks: tuple[Network, ...] | None = None
    secrets: tuple[Secret, ...] | None = None
    configs: tuple[Config, ...] | None = None
    settings: Settings | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, int] = field(default_factory=dict)

    def machine(self, name: str) -> Machine | None:
        """The machine of that name, or None."""
        return next((m for m in self.machines if m.name == name), None)

    def service(self, name: str) -> Service | None:
        """The service of that name, or None."""
        return self._services.get(name)

    def tasks_of(self, service: Service) -> list[TaskRow]:
        """Its tasks, as far as they are known."""
        return self._tasks.get(service.id, [])

    def running(self, service: Service) -> list[TaskRow]:
        """Its tasks that run on nodes that are not down."""
        return [t for t in self.tasks_of(service) if t.running and t.node_id not in self._down]

    def volumes(self, name: str) -> list[Volume]:
        """The volumes of that name, of every machine."""
        return self._volumes.get(name, [])

    # Thousands of services ask for these, each of sixty checks again.

    @cached_property
    def _services(self) -> dict[str, Service]:
        return {each.name: each for each in reversed(self.services or ())}

    @cached_property
    def _tasks(self) -> dict[str, list[TaskRow]]:
        found: dict[str, list[TaskRow]] = {}
        for task in self.tasks or ():
            found.setdefault(task.service_id, []).append(task)
        return found

    @cached_property
    def _down(self) -> set[str]:
        return {row.id for row in self.nodes or () if row.state == "down"}

    @cached_property
    def _volumes(self) -> dict[str, list[Volume]]:
        found: dict[str, list[Volume]] = {}
        for machine in self.machines:
            for volume in machine.volumes or ():
                found.setdefault(volume.name, []).append(volume)
        return found

    @cached_property
    def share_targets(self) -> dict[str, str]:
        """Directory at which some machine has mounted a share itself → what is mounted there."""
        return {mount.target: mount.source for machine in self.machines for mount in machine.shares}
