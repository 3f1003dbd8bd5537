"""Exercise 2.6's own kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.6"


@dataclass(frozen=True)
class Inspected(Seen, kind="inspected", of=EXERCISE):
    """A secret in `docker secret ls` and `docker secret inspect`."""

    name: str
    listed: bool
    has_data: bool | None
    shows: Annotated[bool | None, "whether its value is shown, plain or as Base64"]


@dataclass(frozen=True)
class FileLeft(Seen, kind="file", of=EXERCISE):
    """Whether the file that a secret was made from still exists."""

    path: str
    there: bool | None


@dataclass(frozen=True)
class Content(Seen, kind="content", of=EXERCISE):
    """The content that a secret was created with."""

    name: str
    bytes: int
    digest: Annotated[str | None, "SHA-256"]


@dataclass(frozen=True)
class File:
    """A file in a container."""

    mode: str
    uid: str
    gid: str
    bytes: int
    digest: Annotated[str | None, "SHA-256"]


@dataclass(frozen=True)
class Files(Seen, kind="files", of=EXERCISE):
    """A container's secrets, before and after each kind of rotation."""

    step: Annotated[str, "first, literal, mended"]
    files: Annotated[Mapping[str, File], "by path"]


@dataclass(frozen=True)
class Mount:
    """A secret's mount."""

    type: str
    read_only: bool


@dataclass(frozen=True)
class Mounts(Seen, kind="mounts", of=EXERCISE):
    """The mounts of a container's secrets, and root's attempt to write to one."""

    mounts: Annotated[Mapping[str, Mount], "by path"]
    written: bool
    said: str


@dataclass(frozen=True)
class Reading(Seen, kind="reading", of=EXERCISE):
    """The program's user tried to read a secret of mode 0400."""

    owner: Annotated[str, "owner of the secret: root's, the program's own"]
    code: int | None
    said: str
    digest: Annotated[str | None, "SHA-256"]


@dataclass(frozen=True)
class Search(Seen, kind="search", of=EXERCISE):
    """A search for a secret, and for the control that was put there."""

    node: str
    what: str
    places: tuple[str, ...]
    found: Annotated[int | None, "hits for the secret"]
    control: Annotated[int, "hits for the control"]


@dataclass(frozen=True)
class Memory(Seen, kind="memory", of=EXERCISE):
    """The engine's directory for a container's secrets."""

    node: str
    place: str
    type: Annotated[str, "type of its file system"]
    found: Annotated[int, "hits for the secret"]


@dataclass(frozen=True)
class Refusal(Seen, kind="refusal", of=EXERCISE):
    """The answer to a request that must be refused, or must still be accepted."""

    case: str
    code: Annotated[int | None, "the client's exit code, or the engine's status; 0: accepted"]
    said: str


@dataclass(frozen=True)
class Definition(Seen, kind="definition", of=EXERCISE):
    """A service's environment in `docker service inspect`."""

    service: str
    env: tuple[str, ...]
    shows: Annotated[tuple[str, ...] | None, "secrets whose values it has"]


@dataclass(frozen=True)
class Certificates(Seen, kind="certificates", of=EXERCISE):
    """The fingerprints of the certificate before the rotation and after it."""

    old: str
    new: str


@dataclass(frozen=True)
class Handshake(Seen, kind="handshake", of=EXERCISE):
    """A handshake through a node."""

    node: str
    status: int
    shown: Annotated[str | None, "the certificate's fingerprint"]
    expected: Annotated[str, "the fingerprint of the secret's certificate"]


@dataclass(frozen=True)
class Asked(Seen, kind="asked", of=EXERCISE):
    """The API was asked for its items, with a key and without."""

    key: Annotated[str, "none, wrong, right"]
    status: int
    user: Annotated[str | None, "the API's role at the database"]
    items: int | None


@dataclass(frozen=True)
class User(Seen, kind="user", of=EXERCISE):
    """The API's role at the database, asked through a node."""

    node: str
    status: int
    user: str | None
    items: int | None


@dataclass(frozen=True)
class Login(Seen, kind="login", of=EXERCISE):
    """A login at the database was tried."""

    when: Annotated[str, "before, after"]
    role: str
    password: Annotated[str, "old, new"]
    said: str


@dataclass(frozen=True)
class Removed(Seen, kind="removed", of=EXERCISE):
    """Whether the old secret is gone."""

    gone: bool


@dataclass(frozen=True)
class TheirRotation(Seen, kind="their-rotation", of=EXERCISE):
    """A submission's script that replaces the secret has ended, or was killed."""

    code: int | None
    why: Annotated[str, "why it did not end by itself"]
    said: Annotated[str, "its last line"]


@dataclass(frozen=True)
class Replica(Seen, kind="replica", of=EXERCISE):
    """The value that a replica of a submission reads after that."""

    node: str
    container: str
    digest: Annotated[str, 'SHA-256; "": it has no such file']
    old: Annotated[bool, "whether it is the old value"]


@dataclass(frozen=True)
class Rollback(Seen, kind="rollback", of=EXERCISE):
    """The service was rolled back."""

    code: int | None
    said: str


@dataclass(frozen=True)
class FailedTask(Seen, kind="failed-task", of=EXERCISE):
    """A task that failed after the rollback to the older version."""

    state: str
    error: str


@dataclass(frozen=True)
class Update(Seen, kind="update", of=EXERCISE):
    """The state of the service's update, as the managers tell it."""

    when: Annotated[str, "rolled back, forward again"]
    state: str | None
    said: str | None


@dataclass(frozen=True)
class Begun(Seen, kind="begun", of=EXERCISE):
    """A change under load begins."""


@dataclass(frozen=True)
class Ended(Seen, kind="ended", of=EXERCISE):
    """A change under load is over."""
