"""What exercise 2.7 notes: its own kinds of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.7"


@dataclass(frozen=True)
class Mounted(Seen, kind="mounted", of=EXERCISE):
    """A config as its container sees it."""

    target: str
    given: Annotated[str, "SHA-256 of what it was made of"]
    found: Annotated[str | None, "SHA-256 of what is read"]
    mode: str
    uid: int | None
    gid: int | None
    size: Annotated[int, "bytes"]


@dataclass(frozen=True)
class Mount(Seen, kind="mount", of=EXERCISE):
    """What a config is mounted as."""

    target: str
    filesystem: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Written(Seen, kind="written", of=EXERCISE):
    """Somebody in the container tried to change a config."""

    target: str
    code: int
    said: str


@dataclass(frozen=True)
class Inspected(Seen, kind="inspected", of=EXERCISE):
    """A config or a secret was inspected."""

    what: Annotated[str, "config, secret"]
    shows: Annotated[bool | None, "whether what it holds is shown"]
    same: Annotated[bool | None, "whether that is what it was made of"]


@dataclass(frozen=True)
class Read(Seen, kind="read", of=EXERCISE):
    """What a service reads of the config that two share."""

    step: Annotated[str, "shared, one-updated"]
    service: str
    node: str
    container: str
    found: Annotated[str | None, "SHA-256"]


@dataclass(frozen=True)
class Given(Seen, kind="given", of=EXERCISE):
    """What a config holds, or an environment is given."""

    config: str | None = None
    digest: Annotated[str | None, "SHA-256"] = None
    environment: str | None = None
    settings: Any = None


@dataclass(frozen=True)
class Engine(Seen, kind="engine", of=EXERCISE):
    """Which engine the limits are those of."""

    version: str


@dataclass(frozen=True)
class Answer(Seen, kind="answer", of=EXERCISE):
    """What was said to something that must be refused, or just may be."""

    asked: str
    code: Annotated[int | None, "the client's exit code, or the engine's status; 0, 200: accepted"]
    said: str
    made: Annotated[int | None, "services that were made all the same"] = None


@dataclass(frozen=True)
class Failed(Seen, kind="failed", of=EXERCISE):
    """A task of the proxy has failed."""

    said: Annotated[str, "its log"]
    exit_code: int | None
    error: str


@dataclass(frozen=True)
class Echo(Seen, kind="echo", of=EXERCISE):
    """What the backend says that the proxy told it."""

    config: str
    node: str
    said: str | None
    error: str | None


@dataclass(frozen=True)
class Begun(Seen, kind="begun", of=EXERCISE):
    """A change under load begins."""

    what: str


@dataclass(frozen=True)
class Over(Seen, kind="over", of=EXERCISE):
    """The managers say that the update or rollback is over."""

    what: str
    state: str
    said: str


@dataclass(frozen=True)
class Settled(Seen, kind="settled", of=EXERCISE):
    """What was replaced has stopped, and every node knows of what is there now."""

    what: str


@dataclass(frozen=True)
class Version(Seen, kind="version", of=EXERCISE):
    """Versions of a config that are named by their content, after a step."""

    step: str
    listed: tuple[str, ...]
    current: Annotated[str | None, "which the service has"]
    previous: Annotated[str | None, "to which it would be rolled back"]
    task: Annotated[str, "its task's id"]
    served: Annotated[str | None, "what its nginx says that it has, where it was asked"]
    deployed: str | None = None
    removed: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Lost(Seen, kind="lost", of=EXERCISE):
    """A task that can't have the config which was removed."""

    error: str


@dataclass(frozen=True)
class Settings(Seen, kind="settings", of=EXERCISE):
    """What an environment's application says that it was given."""

    environment: str
    node: str
    found: Any
    error: str | None
