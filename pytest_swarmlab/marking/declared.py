"""The content of a submission's swarmlab.yml: its lab, its authors, which service plays which role,
and the steps that deploy it on a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pytest_swarmlab.errors import ConfigError, Unusable
from pytest_swarmlab.marking import bounded_yaml, skeleton
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.tables import Table
from pytest_swarmlab.text import line

FILE = "swarmlab.yml"

FIRST_MANAGER = "manager1"

EVERYWHERE = {"all", "managers", "workers"}
"""Values of `on` besides a machine's name."""

NODE = re.compile(r"(manager|worker)[1-9]")

STACK_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,50}[a-z0-9])?")

PAGE = re.compile(r"/[A-Za-z0-9._~/?&=%-]{0,200}")

BACKUP = "{}"
"""The placeholder for a backup's path in the command `restore`."""

MOST_STEPS = 30
"""The lab has six."""


@dataclass(frozen=True)
class Step:
    """A step with a file of the submission, on a throw-away cluster.

    A stack is deployed under `name`. A script, whose `name` is "", runs on the machines of `on`.
    """

    place: str
    on: str = FIRST_MANAGER
    name: str = ""

    def __str__(self) -> str:
        """As in swarmlab.yml."""
        if self.name:
            return f"deploy {line(self.place)} as {self.name}"
        return f"run {line(self.place)} on {self.on}"


@dataclass(frozen=True)
class Rotation:
    """How a secret is rotated: the script with its arguments, the name of the secret that it
    replaces, and a page of the service that uses the secret, which clients request meanwhile.
    """

    run: tuple[str, ...]
    secret: str
    path: str = "/"


@dataclass(frozen=True)
class Declared:
    """`roles`: role → the service that plays it, if the submission decides that.

    `steps`: the deployment, in this order. `backup`: the path of backups, with a pattern in its
    last part. `restore`: the restore script with its arguments, ``{}`` for the backup's path.
    Without these two the drill of a disaster is not performed.
    """

    students: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    backup: str = ""
    restore: tuple[str, ...] = ()
    rotation: Rotation | None = None


def read(submission: Submission) -> Declared:
    """Read swarmlab.yml. Raises Unusable if it is missing, invalid, or another lab's."""
    content = bounded_yaml.load(
        submission.content(FILE, bounded_yaml.MOST_BYTES + 1), FILE, texts=True
    )
    table = Table(content, FILE)
    try:
        lab = table.string("lab")
        students = table.strings("students")
        roles = table.mapping("roles")
        steps = _steps(table) if table.has("steps") else _usual(submission)
        backup, restore = _backup(table)
        rotation = _rotation(table)
        table.finish()
    except ConfigError as error:
        raise Unusable(line(error)) from error
    if lab != skeleton.LAB:
        raise Unusable(
            f"{FILE}: lab is {line(lab, 40)!r}, not the lab of this rubric: use {skeleton.LAB}"
        )
    names = tuple(line(name, 80) for name in students)
    return Declared(names, roles, steps, backup, restore, rotation)


def _rotation(table: Table) -> Rotation | None:
    if not table.has("rotation"):
        return None
    row = table.table("rotation")
    run, secret, path = row.strings("run"), row.string("secret"), row.string("path", "/")
    if not run:
        row.fail("'run' must name a script of the submission, and its arguments")
    row.check_place(run[0])
    if not PAGE.fullmatch(path):
        row.fail(f"'path' is {line(path, 80)!r}: use a page of the service, such as /ready")
    row.finish()
    return Rotation(run, secret, path)


def _backup(table: Table) -> tuple[str, tuple[str, ...]]:
    backup, restore = table.string("backup", ""), table.strings("restore")
    if bool(backup) is not bool(restore):
        table.fail("'backup' and 'restore' need each other: give both or neither")
    if not backup:
        return "", ()
    path = PurePosixPath(backup)
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 3:
        table.fail(f"'backup' is {line(backup, 80)!r}: use a whole path, /backup/swarm/swarm-*")
    if "*" in str(path.parent):
        table.fail(f"'backup' is {line(backup, 80)!r}: use a pattern in its last part only")
    table.check_place(restore[0])
    if BACKUP not in restore[1:]:
        table.fail(f"'restore' has no {BACKUP!r}: put it in the place of the backup's path")
    return backup, restore


def _usual(submission: Submission) -> tuple[Step, ...]:
    """The lab's steps for which the submission has files."""
    steps = (Step(*step) for step in skeleton.STEPS)
    return tuple(step for step in steps if step.place in submission.files)


def _steps(table: Table) -> tuple[Step, ...]:
    every = table.tables("steps")
    if len(every) > MOST_STEPS:
        table.fail(f"there are {len(every)} steps, more than {MOST_STEPS}: join some in one script")
    steps = tuple(map(_step, every))
    names = [step.name for step in steps if step.name]
    if twice := {name for name in names if names.count(name) > 1}:
        table.fail(f"two stacks have the name {sorted(twice)[0]!r}: rename one")
    return steps


def _step(row: Table) -> Step:
    if row.has("deploy"):
        step = Step(row.place("deploy"), FIRST_MANAGER, row.string("name"))
        if not STACK_NAME.fullmatch(step.name):
            row.fail(
                f"{line(step.name, 60)!r} is no name for a stack: use small letters, digits, '-'"
            )
    else:
        step = Step(row.place("run"), row.string("on", FIRST_MANAGER))
        if step.on not in EVERYWHERE and not NODE.fullmatch(step.on):
            row.fail(
                f"'on' is {line(step.on, 40)!r}: use a machine's name such as worker1, all,"
                " managers or workers"
            )
    row.finish()
    return step
