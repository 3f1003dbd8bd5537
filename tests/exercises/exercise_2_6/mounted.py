"""A secret in its container: path, owner, mode, content."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.events import each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import out_of_order
from pytest_swarmlab.model import Judgement

from .declared import MOUNTED, exercise
from .events import Content, File, Files, Mount, Mounts, Reading
from .setting import (
    ABSOLUTE,
    BINARY,
    CANARY,
    ECHOED,
    FROM_FILE,
    FROM_STRING,
    FROM_VARIABLE,
    SECOND,
    SECRETS,
    TARGET,
    UNICODE,
)

PLACES = {
    FROM_STRING: (f"{SECRETS}/{FROM_STRING}", "444", "0", "0"),
    FROM_FILE: (f"{SECRETS}/passwd", "440", "101", "102"),
    FROM_VARIABLE: (f"{SECRETS}/{TARGET}", "400", "0", "0"),
    ECHOED: (f"{SECRETS}/{ECHOED}", "444", "0", "0"),
    BINARY: (f"{SECRETS}/{BINARY}", "444", "0", "0"),
    UNICODE: (ABSOLUTE, "444", "0", "0"),
    CANARY: (f"{SECRETS}/{CANARY}", "444", "0", "0"),
}
"""Secret → path, mode, uid and gid that the service was created with, or the defaults."""
PLACE = PLACES[FROM_VARIABLE][0]
"""Where the service looks for its password."""


@exercise.check(
    "place-owner-mode",
    phases=MOUNTED,
    title="Each secret has the path, owner and mode of its definition",
    expected="by default /run/secrets/<name of the secret>, mode 0444, owner root; otherwise as"
    " defined",
    hint="`docker exec <container> ls -ln /run/secrets`: an absolute target is used unchanged.",
)
def place_owner_mode(record: Record) -> Judgement:
    """The defaults, another name, another directory, another owner."""
    files = _files(record, "first")
    wrong = []
    for name, (path, *expected) in PLACES.items():
        found = files.get(path)
        what = [found.mode, found.uid, found.gid] if found else None
        if what != expected:
            wrong.append(f"{name}: {what or 'nothing'} at {path}, not {expected}")
    wrong += [
        f"{path} too" for path in files if path not in {place[0] for place in PLACES.values()}
    ]
    return failed("; ".join(wrong)) if wrong else passed(f"{len(PLACES)} files")


@exercise.check(
    "byte-identical",
    phases=MOUNTED,
    title="Each secret is byte for byte the content that was given",
    expected="the same SHA-256: text, binary of 511,999 bytes, UTF-8, and echo's newline too",
    hint="`echo` adds a newline, and the secret keeps it: use `printf %s`.",
)
def byte_identical(record: Record) -> Judgement:
    """No byte is added or removed."""
    files = _files(record, "first")
    wanted = {content.name: content for content in each(record, Content)}
    if missing := [name for name in PLACES if name not in wanted]:
        return unknown(f"the content was not recorded of {', '.join(missing)}")
    other = [
        name
        for name, (path, *_) in PLACES.items()
        if path not in files or not files[path].digest or files[path].digest != wanted[name].digest
    ]
    told = ", ".join(f"{name} {wanted[name].bytes} bytes" for name in PLACES)
    return failed(f"not the same: {', '.join(other)}") if other else passed(told)


@exercise.check(
    "in-memory",
    phases=MOUNTED,
    title="Every secret is in memory and read-only",
    expected="each is a tmpfs mounted read-only; root's attempt to write: Read-only file system",
    hint="`docker exec <container> cat /proc/mounts`.",
)
def in_memory(record: Record) -> Judgement:
    """The container's own table of mounts."""
    seen = need(record, Mounts, "the mounts were not read")
    wrong = []
    for path, *_ in PLACES.values():
        mount = seen.mounts.get(path)
        if mount != Mount("tmpfs", read_only=True):
            wrong.append(f"{path}: {mount}")
    if seen.written or "Read-only file system" not in seen.said:
        wrong.append(f"root could write: {seen.said or 'nothing was said'}")
    return failed("; ".join(wrong)) if wrong else passed(f"{len(PLACES)} tmpfs, {seen.said}")


@exercise.check(
    "0400-of-root",
    phases=MOUNTED,
    title="With the lab's mode 0400 only root can read a secret; with `uid` the program's user can",
    expected="Permission denied while root is the owner; then the new content",
    hint="Give `uid:` and `gid:` beside `mode:`; without them a secret belongs to root.",
)
def mode_0400_of_root(record: Record) -> Judgement:
    """The image's user is 1000."""
    root = need(record, Reading, "root's secret was not read", owner="root's")
    own = need(record, Reading, "the program's own secret was not read", owner="the program's own")
    wanted = need(record, Content, "no second version was recorded", name=SECOND).digest
    told = f"root's: {root.said or 'it was read'}; the program's: {own.said or 'it was read'}"
    kept_out = root.code != 0 and "Permission denied" in root.said
    let_in = own.code == 0 and own.digest == wanted
    return passed(told) if kept_out and let_in else failed(told)


@exercise.check(
    "literal-rotation-loses-the-path",
    phases=MOUNTED,
    title="The lab's literal rotation removes the file that the program reads",
    expected=f"{PLACE} is gone, the new secret lies at {SECRETS}/{SECOND}",
    hint=f"`--secret-add source={SECOND},target={TARGET}`: the target is the name by default.",
)
def literal_rotation_loses_the_path(record: Record) -> Judgement:
    """An erratum: without a target the file has the secret's name."""
    before, files = _files(record, "first"), _files(record, "literal")
    if PLACE not in before:
        return unknown(f"{PLACE} was not there before")
    told = ", ".join(sorted(path for path in files if "db_pass" in path)) or "neither"
    lost = PLACE not in files and f"{SECRETS}/{SECOND}" in files
    return passed(f"there is {told}") if lost else failed(f"there is {told}")


@exercise.check(
    "rotation-keeps-the-path",
    phases=MOUNTED,
    title="With source and target the new secret has the old path",
    expected=f"{PLACE} has the second version's content and its own user's mode 0400",
    hint="`docker service inspect vault`: source, target, uid, gid and mode of each secret.",
)
def rotation_keeps_the_path(record: Record) -> Judgement:
    """The rotation as it must be."""
    before, files = _files(record, "first"), _files(record, "mended")
    wanted = need(record, Content, "no second version was recorded", name=SECOND).digest
    found = files.get(PLACE)
    if PLACE not in before or before[PLACE].digest == wanted:
        return unknown(f"{PLACE} did not have another content before")
    told = f"{PLACE}: {found or 'nothing'}"
    if found != File("400", "1000", "1000", found.bytes if found else 0, wanted):
        return failed(told)
    return passed(f"mode 400, uid 1000, {found.bytes} bytes")


STEPS = ("first", "literal", "mended")


def _files(record: Record, step: str) -> Mapping[str, File]:
    """The files as they were in that step, which must have come when its name says."""
    seen = {s: last(record, Files, step=s) for s in STEPS[: STEPS.index(step) + 1]}
    moments = [(f"the look at the files ({s})", e.t if e else None) for s, e in seen.items()]
    if missing := out_of_order(*moments):
        raise Unseen("; ".join(missing))
    return need(record, Files, "", step=step).files
