"""Secrets as they are created, listed and inspected."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import Command, each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import CREATED, exercise
from .events import FileLeft, Inspected
from .setting import FROM_FILE, NAMES


@exercise.check(
    "listed",
    phases=CREATED,
    title="Each way of creating a secret works",
    expected="`docker secret ls` lists all of them",
    hint="`docker secret ls` on a manager: what did `docker secret create` say?",
)
def listed(record: Record) -> Judgement:
    """From a string, from a file, from a variable, and the contents of other kinds."""
    seen = _inspected(record)
    if missing := [name for name in NAMES if name not in seen]:
        return unknown(f"nobody looked at {', '.join(missing)}")
    absent = [name for name in NAMES if not seen[name].listed]
    return failed(f"not listed: {', '.join(absent)}") if absent else passed(f"{len(NAMES)} listed")


@exercise.check(
    "inspect-shows-no-value",
    phases=CREATED,
    title="No command or API shows a secret's value",
    expected="inspect has no Data, neither value nor Base64, in both forms and in the API",
    hint="`docker secret inspect NAME`: is it a config? Inspect shows a config's content.",
)
def inspect_shows_no_value(record: Record) -> Judgement:
    """The client's output in both forms, and the engine's answer."""
    seen = _inspected(record)
    if missing := [name for name in NAMES if name not in seen]:
        return unknown(f"nobody inspected {', '.join(missing)}")
    printed = [c for c in each(record, Command) if c.argv[:3] == INSPECT]
    forms = [[c for c in printed if ("--pretty" in c.argv) is pretty] for pretty in (False, True)]
    shown = [n for n in NAMES if seen[n].shows is not False or seen[n].has_data is not False]
    blind = [n for n in NAMES if any(not _names(n, form) for form in forms)]
    missing = [f"not printed in both forms: {', '.join(blind)}"] if blind else []
    told = f"{len(NAMES) - len(shown)} without Data"
    return judged(told, wrong=[f"shown: {', '.join(shown)}"] if shown else [], missing=missing)


INSPECT = ("docker", "secret", "inspect")


def _names(name: str, printed: Sequence[Command]) -> bool:
    """Whether a secret of that name was inspected, and not nothing at all printed."""
    return any(name in command.stdout for command in printed)


@exercise.check(
    "file-removed",
    phases=CREATED,
    title="The file from which a secret was created is removed",
    expected="no such file on the manager",
    hint="`rm passwd`: the file is readable, unlike the secret.",
)
def file_removed(record: Record) -> Judgement:
    """The lab's `rm passwd`."""
    seen = need(record, FileLeft, "the file was not looked for")
    argv = [*CREATE, FROM_FILE, seen.path]
    made = [command.t for command in each(record, Command, code=0, argv=argv)]
    told = f"{seen.path} is {'gone' if seen.there is False else 'still there'}"
    order = out_of_order(
        ("that a secret was made of it", min(made, default=None)), ("the look for it", seen.t)
    )
    return judged(told, holds=seen.there is False, missing=order)


CREATE = ["docker", "secret", "create"]


def _inspected(record: Record) -> dict[str, Inspected]:
    return {seen.name: seen for seen in each(record, Inspected)}
