"""Exercise 2.7's own kinds of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.7"


@dataclass(frozen=True)
class Mounted(Seen, kind="mounted", of=EXERCISE):
    """A config as its container sees it."""

    target: str
    given: Annotated[str, "SHA-256 of the content that it was created with"]
    found: Annotated[str | None, "SHA-256 of the content in the container"]
    mode: str
    uid: int | None
    gid: int | None
    size: Annotated[int, "bytes"]


@dataclass(frozen=True)
class Mount(Seen, kind="mount", of=EXERCISE):
    """A config's mount."""

    target: str
    filesystem: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Written(Seen, kind="written", of=EXERCISE):
    """An attempt to write to a config in its container."""

    target: str
    code: int
    said: str


@dataclass(frozen=True)
class Inspected(Seen, kind="inspected", of=EXERCISE):
    """A config or a secret was inspected."""

    what: Annotated[str, "config, secret"]
    shows: Annotated[bool | None, "whether the content is shown"]
    same: Annotated[bool | None, "whether the shown content is that of its creation"]


@dataclass(frozen=True)
class Read(Seen, kind="read", of=EXERCISE):
    """The content that a service reads of a config that two services share."""

    step: Annotated[str, "shared, one-updated"]
    service: str
    node: str
    container: str
    found: Annotated[str | None, "SHA-256"]


@dataclass(frozen=True)
class Given(Seen, kind="given", of=EXERCISE):
    """The content of a config, or an environment's settings."""

    config: str | None = None
    digest: Annotated[str | None, "SHA-256"] = None
    environment: str | None = None
    settings: Any = None


@dataclass(frozen=True)
class Engine(Seen, kind="engine", of=EXERCISE):
    """The engine whose limits were tried."""

    version: str


@dataclass(frozen=True)
class Answer(Seen, kind="answer", of=EXERCISE):
    """The answer to a request that must be refused, or must still be accepted."""

    asked: str
    code: Annotated[int | None, "the client's exit code, or the engine's status; 0, 200: accepted"]
    said: str
    made: Annotated[int | None, "services that were created all the same"] = None


@dataclass(frozen=True)
class Failed(Seen, kind="failed", of=EXERCISE):
    """A task of the proxy has failed."""

    said: Annotated[str, "its log"]
    exit_code: int | None
    error: str


@dataclass(frozen=True)
class Echo(Seen, kind="echo", of=EXERCISE):
    """What the proxy told the backend."""

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
    """The end of the update or rollback, as the managers tell it."""

    what: str
    state: str
    said: str


@dataclass(frozen=True)
class Settled(Seen, kind="settled", of=EXERCISE):
    """The replaced tasks have stopped, and every node's mesh lists the new ones."""

    what: str


@dataclass(frozen=True)
class Version(Seen, kind="version", of=EXERCISE):
    """After a step: the versions of a config, which are named by their content."""

    step: str
    listed: tuple[str, ...]
    current: Annotated[str | None, "the service's config"]
    previous: Annotated[str | None, "the config of its previous definition"]
    task: Annotated[str, "its task's id"]
    served: Annotated[str | None, "the version that its nginx answers, if it was asked"]
    deployed: str | None = None
    removed: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Lost(Seen, kind="lost", of=EXERCISE):
    """A task that failed because its config was removed."""

    error: str


@dataclass(frozen=True)
class Settings(Seen, kind="settings", of=EXERCISE):
    """The settings that an environment's application answers."""

    environment: str
    node: str
    found: Any
    error: str | None
