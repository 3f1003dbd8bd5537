"""Answers of a swarm's managers and engines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from pytest_swarmlab.evidence.events.kind import Seconds, Seen

QUORUM_WORDS = ("leader", "deadline exceeded", "no answer in time", "raft:", "Unavailable")
"""How managers that can't decide say so: the text varies with the moment (moby#34988, #35039), and
some wait for a leader longer than our client does. Any other error refuses the change itself."""


@dataclass(frozen=True)
class NodeSeen:
    """One row of `docker node ls`; `reachability` is "" for a worker.

    The id identifies a node: managers may list one id under several names in turn.
    """

    id: Annotated[str, "its node id"]
    name: Annotated[str, "its name in the topology"]
    role: str
    availability: str
    state: str
    message: str
    address: str
    leader: bool
    reachability: str
    host_name: Annotated[str | None, "its host name, as the managers list it"] = None

    @property
    def identity(self) -> str:
        """Its id; its name in a record without ids."""
        return self.id or self.name


@dataclass(frozen=True)
class NodesSample(Seen, kind="nodes"):
    """`docker node ls` as a manager's engine gives it, or its error."""

    seen_from: str
    seconds: Seconds
    nodes: tuple[NodeSeen, ...] = ()
    error: str | None = None

    @property
    def asked(self) -> float:
        """When the question was sent: what the answer shows is not older."""
        return self.t - self.seconds

    @cached_property
    def leading(self) -> NodeSeen | None:
        """The leader's row in this list."""
        return next((n for n in self.nodes if n.leader), None)

    @property
    def leader(self) -> str | None:
        """Name of the leader in this list."""
        return self.leading.name if self.leading else None

    def node(self, name: str) -> NodeSeen | None:
        """The row under that name. A machine that rejoined has two rows: the live one counts."""
        return _live([n for n in self.nodes if n.name == name])

    def one_of(self, identities: Collection[str]) -> NodeSeen | None:
        """The row of one of these ids, under whatever name; the live one."""
        return _live([n for n in self.nodes if n.identity in identities])


def _live(rows: Sequence[NodeSeen]) -> NodeSeen | None:
    return next((n for n in rows if n.state != "down"), rows[0] if rows else None)


@dataclass(frozen=True)
class TaskSeen:
    """One row of `docker service ps`; `node_id` is the node's own, `node` the name used here."""

    id: str
    slot: int | None
    node_id: str
    state: str
    desired: str
    error: str
    message: str
    container: str
    exit_code: int | None
    at: Annotated[str, "start of that state, as the engine writes times"]
    node: str

    @property
    def running(self) -> bool:
        """Running, and meant to go on: what the manager last heard, true or not."""
        return self.state == "running" and self.desired == "running"


@dataclass(frozen=True)
class TasksSample(Seen, kind="tasks"):
    """`docker service ps` as a manager's engine gives it, or its error."""

    seen_from: str
    service: str
    seconds: Seconds
    tasks: tuple[TaskSeen, ...] = ()
    error: str | None = None

    @property
    def asked(self) -> float:
        """When the question was sent."""
        return self.t - self.seconds


@dataclass(frozen=True)
class Ping(Seen, kind="ping"):
    """Whether a node's engine answers at that moment."""

    node: str
    answers: bool


@dataclass(frozen=True)
class Write(Seen, kind="write"):
    """A change was tried through one node: a config, created and removed again."""

    node: str
    error: Annotated[str | None, "why it was refused; null: it was accepted"]
    seconds: Seconds

    @property
    def wants_quorum(self) -> bool:
        """Whether managers that can't decide have said so; other errors refuse the change."""
        return any(word in (self.error or "") for word in QUORUM_WORDS)


@dataclass(frozen=True)
class Quorum(Seen, kind="quorum"):
    """The number of lost managers from now on; later changes are tried at that level."""

    lost: int
    managers: Annotated[int, "all managers, with the lost ones"]


@dataclass(frozen=True)
class NodeUp(Seen, kind="node.up"):
    """A machine's engine answers for the first time."""

    node: str


@dataclass(frozen=True)
class NodeJoined(Seen, kind="node.joined"):
    """A machine has joined the swarm."""

    node: str


@dataclass(frozen=True)
class Info(Seen, kind="info"):
    """A machine's own view of the swarm, or why it gave none."""

    node: str
    state: str = ""
    control: Annotated[bool, "whether it is an active manager (ControlAvailable)"] = False
    managers: int = 0
    nodes: int = 0
    cluster: Annotated[str, "its id"] = ""
    error: str | None = None


@dataclass(frozen=True)
class Way:
    """Where a machine sends what is for an address in the network `ingress`."""

    address: str
    via: Annotated[str, 'the address of the machine that it goes to; "": of none']


@dataclass(frozen=True)
class Mesh(Seen, kind="mesh"):
    """What a machine's engine has set up for published ports, or why it could not be seen."""

    node: str
    address: Annotated[str, "its own in the network `ingress`"] = ""
    here: Annotated[tuple[str, ...], "those of its containers there"] = ()
    balanced: Annotated[tuple[str, ...], "those of the replicas that its IPVS sends to"] = ()
    ways: Annotated[tuple[Way, ...], "to other machines' addresses there"] = ()
    error: str | None = None


@dataclass(frozen=True)
class Raft(Seen, kind="raft"):
    """A node's role in Raft, by its engine's log."""

    node: str
    at: Annotated[float, "Unix time, by the node's clock"]
    what: Annotated[str, "follower, candidate, leader"]
    term: int
