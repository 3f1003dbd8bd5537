"""Exercise 2.8's own kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.8"


@dataclass(frozen=True)
class Secret(Seen, kind="secret", of=EXERCISE):
    """A secret was stored."""

    digest: Annotated[str | None, "SHA-256; of an owner's own secret keyed, by a key of the run's"]


@dataclass(frozen=True)
class SecretUnread(Seen, kind="secret-unread", of=EXERCISE):
    """No secret of theirs could be read before the backup."""

    why: str


@dataclass(frozen=True)
class SecretRead(Seen, kind="read", of=EXERCISE):
    """The secret as a container reads it."""

    node: str
    digest: Annotated[str | None, "as of the secret"]


@dataclass(frozen=True)
class Identity(Seen, kind="identity", of=EXERCISE):
    """The swarm's identity, as a manager tells it."""

    when: Annotated[str, "before, after"]
    swarm: Annotated[Any, "its id"]
    node: Annotated[Any, "that manager's id"]
    ca: Annotated[Any, "digest of the root certificate"]
    tokens: Annotated[Any, "role → digest"]
    settings: Any
    secrets: Annotated[Any, "name → id"]
    services: Annotated[Any, "name → id and definition"]
    networks: Annotated[Any, "name → id"]
    configs: Annotated[Any, "name → id and content; not of a hot backup, where they change"] = None


@dataclass(frozen=True)
class Backup(Seen, kind="backup", of=EXERCISE):
    """A backup was tried."""

    code: int | None
    node: str | None = None
    leader: Annotated[str | None, "the leader when it began"] = None
    manifest: Annotated[Mapping[str, Any] | None, "its manifest file"] = None
    update_before: Annotated[str | None, "an update's state when it began"] = None
    update_after: Annotated[str | None, "that state at its end"] = None
    inventory: Annotated[str | None, "that state in the backup's inventory"] = None


@dataclass(frozen=True)
class TheirBackup(Seen, kind="their-backup", of=EXERCISE):
    """A submission's backup was tried."""

    node: str
    code: int | None
    why: Annotated[str, "why it did not end by itself"]


@dataclass(frozen=True)
class LeaderAfterBackup(Seen, kind="leader-after-backup", of=EXERCISE):
    """The leader when the backup is complete and all nodes are ready."""

    leader: str | None


@dataclass(frozen=True)
class Updated(Seen, kind="updated", of=EXERCISE):
    """How the update ended."""

    state: str


@dataclass(frozen=True)
class HotBegan(Seen, kind="hot-began", of=EXERCISE):
    """A hot backup begins."""

    numbers: Annotated[int, "decisions acknowledged so far"]


@dataclass(frozen=True)
class Carried(Seen, kind="carried", of=EXERCISE):
    """A backup was copied off the cluster."""

    bytes: int | None
    holds: Annotated[tuple[str, ...] | None, "the names in its swarm.tar.gz"] = None


@dataclass(frozen=True)
class WrittenAfter(Seen, kind="written-after", of=EXERCISE):
    """What was written to the volume after the backup."""

    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Found(Seen, kind="found", of=EXERCISE):
    """What is on the volume after the restore."""

    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Destroyed(Seen, kind="destroyed", of=EXERCISE):
    """Machines were destroyed, and new ones have booted at their addresses."""

    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Elsewhere(Seen, kind="elsewhere", of=EXERCISE):
    """The backup was brought onto a new machine of another cluster; the first one runs on."""

    node: str
    nodes: Annotated[tuple[str, ...], "all new machines"]
    bytes: int


@dataclass(frozen=True)
class Verified(Seen, kind="verified", of=EXERCISE):
    """The backup was checked on a new machine."""

    code: int | None


@dataclass(frozen=True)
class Restore(Seen, kind="restore", of=EXERCISE):
    """A restore on a machine was tried."""

    node: str
    code: int | None
    said: str
    theirs: Annotated[bool | None, "whether by the submission's script"] = None


@dataclass(frozen=True)
class Answers(Seen, kind="answers", of=EXERCISE):
    """A restored or forced manager leads."""

    node: str


@dataclass(frozen=True)
class Forced(Seen, kind="forced", of=EXERCISE):
    """`docker swarm init --force-new-cluster` on the survivor."""

    node: str
    code: int | None
    said: str


@dataclass(frozen=True)
class CameBack(Seen, kind="came-back", of=EXERCISE):
    """The machines that rejoined by themselves."""

    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Joined(Seen, kind="joined", of=EXERCISE):
    """The machines that had to join, and the old rows that were removed."""

    nodes: tuple[str, ...]
    removed: Annotated[tuple[str, ...], "ids"]


@dataclass(frozen=True)
class Unlock(Seen, kind="unlock", of=EXERCISE):
    """A backup or restore that must be refused without the unlock key."""

    case: Annotated[str, "key-unsaid, no-key, wrong-key, alone"]
    code: int | None
    said: str | None = None


@dataclass(frozen=True)
class KeyKept(Seen, kind="kept", of=EXERCISE):
    """Where an autolocked swarm's key is kept, after a backup."""

    node: str
    in_backup: bool | None
    beside: Annotated[bool | None, "whether the key is kept apart"]
    control: Annotated[bool | None, "whether a text that every backup has was found in it"] = None


@dataclass(frozen=True)
class Refusal(Seen, kind="refusal", of=EXERCISE):
    """A restore of a broken backup was tried on a working manager."""

    case: str
    node: str
    code: int | None
    said: str
    untouched: Annotated[bool | None, "whether the engine kept running"]
    left: Annotated[tuple[str, ...] | None, "files that the attempt left behind"]


@dataclass(frozen=True)
class Trouble(Seen, kind="trouble", of=EXERCISE):
    """A backup that must fail was tried."""

    case: str
    node: str
    code: int | None
    said: str
    complete: Annotated[bool | None, "whether there is a complete backup all the same"]
    stopped: Annotated[bool | None, "whether the engine was stopped"]
    answers: Annotated[bool | None, "whether the engine answers afterwards"]
    left: Annotated[tuple[str, ...] | None, "files in the directory of backups"]


@dataclass(frozen=True)
class TimerSet(Seen, kind="timer", of=EXERCISE):
    """The timer that takes backups."""

    node: str
    elapsed: Annotated[str | None, "when it last elapsed"]
    unit: Annotated[str | None, "the unit that it starts"]


@dataclass(frozen=True)
class Mended(Seen, kind="mended", of=EXERCISE):
    """The cause of the trouble was removed."""

    node: str
    answers: Annotated[bool | None, "whether the engine answers"]
