"""A config as its container sees it."""

from __future__ import annotations

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, not_each
from pytest_swarmlab.model import Judgement

from .declared import MOUNT, exercise
from .events import Inspected, Mount, Mounted, Written
from .setting import (
    KINDS,
    KINDS_AT,
    OWNED_AT,
    OWNED_GID,
    OWNED_MODE,
    OWNED_UID,
    PLAIN_AT,
    TWICE_AT,
)


@exercise.check(
    "byte-for-byte",
    phases=MOUNT,
    title="A config in the container is byte for byte the content that was given",
    expected=f"the same SHA-256 for {', '.join(KINDS)}",
    hint="`docker exec <container> sha256sum <target>`: did an editor or `echo` change the file?",
)
def byte_for_byte(record: Record) -> Judgement:
    """Line ends, byte order mark, and bytes that are no text stay unchanged."""
    seen = {e.target: e for e in each(record, Mounted)}
    kinds = {kind: seen.get(f"{KINDS_AT}/{kind}") for kind in KINDS}
    if missing := [kind for kind, one in kinds.items() if one is None]:
        return unknown(f"nobody looked at {', '.join(missing)}")
    wrong = [kind for kind, one in kinds.items() if one and one.found != one.given]
    told = ", ".join(f"{kind} {one.size} bytes" for kind, one in kinds.items() if one)
    return failed(f"changed: {', '.join(wrong)}") if wrong else passed(told)


@exercise.check(
    "default-target",
    phases=MOUNT,
    title="Without a target a config is at the container's root, under its own name",
    expected=f"{PLAIN_AT}, readable by everybody (444), owned by 0:0",
    hint="`docker service inspect`: the reference's File.Name, as the client filled it in.",
)
def default_target(record: Record) -> Judgement:
    """A secret would be below /run/secrets."""
    return _mode_is(record, PLAIN_AT, "444", 0, 0)


@exercise.check(
    "mode-and-owner",
    phases=MOUNT,
    title="Mode and owner are those of the service's definition",
    expected=f"{OWNED_MODE} {OWNED_UID}:{OWNED_GID}",
    hint="`--config source=…,target=…,uid=…,gid=…,mode=0400`: the mode is octal, with a zero.",
)
def mode_and_owner(record: Record) -> Judgement:
    """For an application that insists."""
    return _mode_is(record, OWNED_AT, OWNED_MODE, OWNED_UID, OWNED_GID)


@exercise.check(
    "one-owner-for-two-places",
    phases=MOUNT,
    title="One config at two paths of a container has one mode and owner, not two",
    expected="two are defined, and both paths get one of them",
    hint="The engine keeps one file per config: use another config for the second path.",
)
def one_owner(record: Record) -> Judgement:
    """An undocumented trap; which of the two wins is random."""
    seen = [last(record, Mounted, target=target) for target in TWICE_AT]
    if None in seen:
        return unknown("not both were read")
    if any(e.found != e.given for e in seen if e):
        return failed("they do not have the given content")
    got = [(e.mode, e.uid, e.gid) for e in seen if e]
    asked = [("444", 0, 0), (OWNED_MODE, OWNED_UID, OWNED_GID)]
    told = "; ".join(f"{e.target}: {e.mode} {e.uid}" for e in seen if e)
    return passed(told) if got[0] == got[1] and got[0] in asked else failed(told)


@exercise.check(
    "in-memory-read-only",
    phases=MOUNT,
    title="A config is mounted read-only from memory",
    expected="every target is its own mount: tmpfs, ro; a write is refused",
    hint="`docker exec <container> cat /proc/self/mounts`.",
)
def in_memory_read_only(record: Record) -> Judgement:
    """Like a secret; no process in the container can change it."""
    mounts = {e.target: e for e in each(record, Mount)}
    written = need(record, Written, "nobody tried to write")
    said = written.said
    wrong = [
        f"{target}: {mount.filesystem or 'no mount'}"
        for target, mount in mounts.items()
        if mount.filesystem != "tmpfs" or "ro" not in mount.options
    ]
    refused = written.code != 0 and "Read-only file system" in said
    told = f"{len(mounts)} mounts; writing: {said or 'nothing was said'}"
    missing = not_each(mounts, TARGETS, "looked for the mount of")
    return judged(told, holds=refused, wrong=wrong, missing=missing)


TARGETS = (*(f"{KINDS_AT}/{kind}" for kind in KINDS), PLAIN_AT, OWNED_AT, *TWICE_AT)
"""Paths of configs in the container."""


@exercise.check(
    "inspect-shows-it",
    phases=MOUNT,
    title="`inspect` shows a config's content, and not a secret's",
    expected="`docker config inspect` has the data in Base64, `docker secret inspect` has none",
    hint="Put data that others must not read into a secret.",
)
def inspect_shows_it(record: Record) -> Judgement:
    """The lab's question: what tells a config from a secret."""
    config, secret = (
        last(record, Inspected, what="config"),
        last(record, Inspected, what="secret"),
    )
    if config is None or secret is None:
        return unknown("not both were inspected")
    told = f"the config's data are {_shown(config)}, the secret's {_shown(secret)}"
    good = config.shows and config.same and secret.shows is False
    return passed(told) if good else failed(told)


def _shown(seen: Inspected) -> str:
    return "shown" if seen.shows else "not shown"


def _mode_is(record: Record, target: str, mode: str, uid: int, gid: int) -> Judgement:
    seen = need(record, Mounted, "it was not read", target=target)
    told = f"{seen.target}: {seen.mode} {seen.uid}:{seen.gid}"
    same = seen.found == seen.given
    good = same and (seen.mode, seen.uid, seen.gid) == (mode, uid, gid)
    return passed(told) if good else failed(told if same else f"{told}, with another content")
