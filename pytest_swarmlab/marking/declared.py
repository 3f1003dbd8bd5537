"""What a submission says of itself, in swarmlab.yml: of which lab it is, whose, who plays what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_swarmlab.errors import ConfigError, Unusable
from pytest_swarmlab.marking import bounded_yaml, skeleton
from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.tables import Table
from pytest_swarmlab.text import line

FILE = "swarmlab.yml"


@dataclass(frozen=True)
class Declared:
    """`roles`: role → the service that plays it, where the submission decides it."""

    students: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)


def read(submission: Submission) -> Declared:
    """Read it. Raises Unusable where it is missing, or is not a submission of this lab's."""
    content = bounded_yaml.load(
        submission.content(FILE, bounded_yaml.MOST_BYTES + 1), FILE, texts=True
    )
    table = Table(content, FILE)
    try:
        lab = table.string("lab")
        students = table.strings("students")
        roles = table.mapping("roles")
        table.finish()
    except ConfigError as error:
        raise Unusable(line(error)) from error
    if lab != skeleton.LAB:
        raise Unusable(
            f"{FILE}: lab {line(lab, 40)!r} is not the lab of this rubric, {skeleton.LAB}"
        )
    return Declared(tuple(line(name, 80) for name in students), roles)
