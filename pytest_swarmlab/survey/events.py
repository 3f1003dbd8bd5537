"""Writes a survey as events, and reads it from events.

A record may be cut, old or forged: an event of ours whose values have another type than they should
counts as not seen, with that reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, get_args

from pytest_swarmlab.evidence import events
from pytest_swarmlab.evidence.events import Seen
from pytest_swarmlab.evidence.events.built import built, columns
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Event
from pytest_swarmlab.survey.machine import Container, Engine, Machine, System, Volume
from pytest_swarmlab.survey.seen import (
    Config,
    Network,
    NodeRow,
    Secret,
    Service,
    Settings,
    Survey,
    TaskRow,
)

# -- the kinds ----------------------------------------------------------------------------------

More = Annotated[int | None, "how many more there are"]
Took = Annotated[float | None, "seconds"]
Why = Annotated[str | None, "why it could not be read"]


@dataclass(frozen=True)
class LookedAt:
    """A machine of the cluster."""

    name: str
    address: str
    membership: str


@dataclass(frozen=True)
class Began(Seen, kind="survey.began"):
    """A survey begins, with the machines to read."""

    cluster: str
    machines: tuple[LookedAt, ...]


@dataclass(frozen=True)
class Ended(Seen, kind="survey.ended"):
    """The survey has ended."""

    seconds: Took


class Part(Seen):
    """One part of a survey: its content, or why it could not be read."""

    seen: Any

    def data(self) -> dict[str, Any]:
        """The data to write: all of the content, with null for what is missing."""
        told = super().data()
        if isinstance(self.seen, tuple):
            told["seen"] = [asdict(row) for row in self.seen]
        elif self.seen is not None:
            told["seen"] = asdict(self.seen)
        return told


@dataclass(frozen=True)
class OfMachine(Part):
    """A part of a machine."""

    node: str
    seen: Any = None
    more: More = None
    seconds: Took = None
    error: Why = None


@dataclass(frozen=True)
class EngineSeen(OfMachine, kind="survey.engine"):
    """`docker info` of a machine."""

    seen: Engine | None = None


@dataclass(frozen=True)
class SystemSeen(OfMachine, kind="survey.system"):
    """A machine's system, without its engine."""

    seen: System | None = None


@dataclass(frozen=True)
class ContainersSeen(OfMachine, kind="survey.containers"):
    """A machine's containers."""

    seen: tuple[Container, ...] | None = None


@dataclass(frozen=True)
class VolumesSeen(OfMachine, kind="survey.volumes"):
    """A machine's volumes."""

    seen: tuple[Volume, ...] | None = None


@dataclass(frozen=True)
class OfSwarm(Part):
    """A part of the swarm, as that manager lists it."""

    seen_from: str
    seen: Any = None
    more: More = None
    seconds: Took = None
    error: Why = None


@dataclass(frozen=True)
class NodesSeen(OfSwarm, kind="survey.nodes"):
    """`docker node ls`."""

    seen: tuple[NodeRow, ...] | None = None


@dataclass(frozen=True)
class ServicesSeen(OfSwarm, kind="survey.services"):
    """The services' definitions. Of a plain secret only its presence is kept."""

    seen: tuple[Service, ...] | None = None


@dataclass(frozen=True)
class TasksSeen(OfSwarm, kind="survey.tasks"):
    """The tasks of all services."""

    seen: tuple[TaskRow, ...] | None = None


@dataclass(frozen=True)
class NetworksSeen(OfSwarm, kind="survey.networks"):
    """The swarm's networks."""

    seen: tuple[Network, ...] | None = None


@dataclass(frozen=True)
class SecretsSeen(OfSwarm, kind="survey.secrets"):
    """The secrets' names."""

    seen: tuple[Secret, ...] | None = None


@dataclass(frozen=True)
class ConfigsSeen(OfSwarm, kind="survey.configs"):
    """The configs, without the plain secrets in them."""

    seen: tuple[Config, ...] | None = None


@dataclass(frozen=True)
class SettingsSeen(OfSwarm, kind="survey.settings"):
    """The swarm's own settings."""

    seen: Settings | None = None


OF_MACHINE: Mapping[str, type[OfMachine]] = {
    "engine": EngineSeen,
    "system": SystemSeen,
    "containers": ContainersSeen,
    "volumes": VolumesSeen,
}
"""Part of a machine → its kind of event."""

OF_SWARM: Mapping[str, type[OfSwarm]] = {
    "nodes": NodesSeen,
    "services": ServicesSeen,
    "tasks": TasksSeen,
    "networks": NetworksSeen,
    "secrets": SecretsSeen,
    "configs": ConfigsSeen,
    "settings": SettingsSeen,
}
"""Part of the swarm → its kind of event."""

PARTS: Mapping[str, Callable[..., Part]] = {**OF_MACHINE, **OF_SWARM}

# -- written ------------------------------------------------------------------------------------

MOST = 2000
"""Most rows of one part that are kept, ten times what an operator runs on five machines."""


class Writer:
    """Records each part of a survey at once."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def began(self, cluster: str, machines: list[Machine]) -> None:
        """Record the machines, before the survey reads any."""
        told = tuple(LookedAt(m.name, m.address, m.membership) for m in machines)
        self._recorder.write(Began(cluster, told))

    def ended(self, seconds: float) -> None:
        """Record the end of the survey and its duration in seconds."""
        self._recorder.write(Ended(round(seconds, 3)))

    def part(self, part: str, value: Any, seconds: float, **where: str) -> None:
        """Record a part; `where`: `node`, or `seen_from` with a manager's name."""
        more = None
        if isinstance(value, list | tuple):
            value, more = tuple(value[:MOST]), len(value) - MOST if len(value) > MOST else None
        self._recorder.write(PARTS[part](**where, seen=value, more=more, seconds=round(seconds, 3)))

    def unseen(self, part: str, why: str, **where: str) -> None:
        """Record a part that could not be read."""
        self._recorder.write(PARTS[part](**where, error=why))


# -- read ---------------------------------------------------------------------------------------


def there(record: Record) -> bool:
    """Whether the record holds a survey."""
    return record.last(Began.kind) is not None


def read(record: Record) -> Survey:
    """The latest survey of the record; an empty one where there is none."""
    begun = record.last(Began.kind)
    if begun is None:
        return Survey()
    later = [e for e in record if e.seq > begun.seq and e.worker == begun.worker]
    end = next((n for n, e in enumerate(later) if e.kind == Ended.kind), len(later) - 1)
    own = Record(tuple(later[: end + 1]))
    errors: dict[str, str] = {}
    more: dict[str, int] = {}
    swarm: dict[str, Any] = {}
    for part, kind in OF_SWARM.items():
        told = [e for e in own.of(kind.kind) if "seen_from" in e.data]
        swarm[part] = _value(told[-1] if told else None, part, kind, errors, more)
    began, ended = events.read(Began, begun), events.first(own, Ended)
    return replace(
        Survey(**swarm),
        cluster=began.cluster,
        at=begun.at,
        seconds=ended.seconds if ended else None,
        machines=tuple(_machine(each, own) for each in began.machines),
        errors=errors,
        more=more,
    )


def _machine(looked_at: LookedAt, own: Record) -> Machine:
    errors: dict[str, str] = {}
    parts: dict[str, Any] = {}
    for part, kind in OF_MACHINE.items():
        more: dict[str, int] = {}
        told = own.last(kind.kind, node=looked_at.name)
        parts[part] = _value(told, part, kind, errors, more)
        if more:
            errors[part] = f"{more[part]} more were not kept"
    return Machine(**asdict(looked_at), **parts, errors=errors)


def _value(
    event: Event | None,
    part: str,
    kind: type[Part],
    errors: dict[str, str],
    more: dict[str, int],
) -> Any:
    if event is None:
        errors[part] = "nobody looked"
        return None
    if (why := event.data.get("error")) is not None:
        errors[part] = str(why)
        return None
    # As the event's type has it, or not at all: nothing is guessed of what is judged.
    shape, _ = get_args(columns(kind)["seen"][1])
    try:
        value = built(shape, event.data.get("seen"))
    except TypeError as error:
        errors[part] = f"what is recorded of it can't be read: {error}"
        return None
    beyond = event.data.get("more")
    if isinstance(beyond, int) and beyond > 0:
        more[part] = beyond
    return value
