"""The lab's deliverables and questions, from the package's data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pytest_swarmlab.marking import bounded_yaml
from pytest_swarmlab.tables import Table

DELIVERABLE_KINDS = ("picture", "document", "stack", "script")
QUESTION_KINDS = ("open", "number", "yes-no", "name", "size")


@dataclass(frozen=True)
class Deliverable:
    """A deliverable. `place`: its path below the submission, for a document without suffix."""

    id: str
    kind: str
    place: str
    text: str
    words: int

    @property
    def exercise(self) -> str:
        """The exercise that asks for it."""
        return self.id.rpartition(".")[0]

    @property
    def check(self) -> str:
        """Id of its check."""
        return f"document.{self.id}"


@dataclass(frozen=True)
class Question:
    """A question; questions.yml explains the fields. `added`: the lab does not ask it."""

    id: str
    kind: str
    text: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    units: tuple[str, ...]
    measured: tuple[str, ...]
    added: bool

    @property
    def section(self) -> str:
        """The exercise that asks it, or ``synthesis``."""
        return self.id.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its name within its section of answers.yml."""
        return self.id.rpartition(".")[2]

    @property
    def check(self) -> str | None:
        """Id of the check of its answer; None for an open question, which the teacher reads."""
        return None if self.kind == "open" else f"answer.{self.id}"


@cache
def deliverables() -> tuple[Deliverable, ...]:
    """All deliverables, in the lab's order."""
    return tuple(
        _deliverable(name, Table(row, f"deliverables.yml {name}"))
        for name, row in _data("deliverables.yml").items()
    )


@cache
def questions() -> tuple[Question, ...]:
    """All questions, in the lab's order."""
    return tuple(
        _question(name, Table(row, f"questions.yml {name}"))
        for name, row in _data("questions.yml").items()
    )


def sections() -> tuple[str, ...]:
    """The sections of answers.yml."""
    return tuple(dict.fromkeys(question.section for question in questions()))


def given(section: str) -> str:
    """Id of the check that every question of a section has an answer."""
    return f"answer.{section}.given"


def _data(name: str) -> dict[str, dict[str, object]]:
    content = (files("pytest_swarmlab.marking") / name).read_bytes()
    return bounded_yaml.load(content, name)


def _deliverable(name: str, row: Table) -> Deliverable:
    found = Deliverable(
        name,
        row.choice("kind", DELIVERABLE_KINDS),
        row.place("place"),
        row.string("text"),
        row.integer("words") if row.has("words") else 0,
    )
    row.finish()
    return found


def _question(name: str, row: Table) -> Question:
    found = Question(
        name,
        row.choice("kind", QUESTION_KINDS, "open"),
        row.string("text"),
        row.words("right"),
        row.words("wrong"),
        row.words("units"),
        row.words("measured"),
        row.flag("added"),
    )
    row.finish()
    return found
