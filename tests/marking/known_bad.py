"""Known-bad solutions: the reference with one plausible mistake each, and what it must cost.

Data: ``known_bad/<criterion>.yml``, a list of solutions.

name, wrong      what it is called, and the mistake in one sentence
files            place in the submission → what differs: a list of `replace` and `by`, a text
                 `content`, or `gone: true`
machines         commands that make the mistake on a real cluster, and those that undo it
survey           the mistake as an edit of the reference's survey, where no real one is recorded
loses            checks that fail for it, by themselves
unknown          checks of which nobody can tell any more

A survey that was recorded of a real cluster (``surveys/<name>.jsonl.xz``) counts, not the edit.
"""

from __future__ import annotations

import copy
import json
import lzma
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.marking import combining, saved
from pytest_swarmlab.marking.mark import Mark
from pytest_swarmlab.marking.state import exercise as state
from pytest_swarmlab.model import CheckResult, Event
from tests.marking.assemble import REFERENCE
from tests.marking.drilled import Drilled

HERE = Path(__file__).parent
DATA, SURVEYS = HERE / "known_bad", HERE / "surveys"
OF_REFERENCE = "reference"


@dataclass(frozen=True)
class Step:
    """A command on machines: their names, or ``managers``, ``workers``, ``all``."""

    at: tuple[str, ...]
    run: tuple[str, ...]
    undo: tuple[str, ...] = ()


@dataclass(frozen=True)
class Solution:
    """One of them; see the module for its parts."""

    name: str
    criterion: str
    wrong: str
    loses: frozenset[str]
    unknown: frozenset[str] = frozenset()
    files: Mapping[str, Any] = field(default_factory=dict)
    machines: tuple[Step, ...] = ()
    survey: tuple[Mapping[str, Any], ...] = ()
    settles: bool = True
    """Whether every service runs as its definition says, for all the mistake."""

    @property
    def recording(self) -> Path:
        """Where its survey is, if there is one of a real cluster."""
        return path(self.name)

    @property
    def recordable(self) -> bool:
        """Whether the mistake can be made on a real cluster."""
        return bool(self.machines or self.stacks)

    @property
    def stacks(self) -> list[str]:
        """Names of the stack files in which the mistake is, as far as they can be deployed."""
        changed = [Path(place) for place, change in self.files.items() if isinstance(change, list)]
        return [path.name for path in changed if path.match("stacks/*-stack.yml")]

    @property
    def origin(self) -> str:
        """Where what it is judged by comes from."""
        if self.recording.is_file():
            return "recorded"
        return "edited" if self.survey else "files alone"


@cache
def solutions() -> tuple[Solution, ...]:
    """All of them, by criterion in the rubric's order."""
    order = list(combining.labs()["criteria"])
    files = sorted(DATA.glob("*.yml"), key=lambda path: order.index(path.stem))
    return tuple(
        _solution(path.stem, each)
        for path in files
        for each in yaml.safe_load(path.read_text("utf-8"))
    )


def _solution(criterion: str, told: dict[str, Any]) -> Solution:
    told = dict(told)
    steps = tuple(
        Step(tuple(_words(s.pop("at"))), tuple(s.pop("run")), tuple(s.pop("undo", ())), **s)
        for s in map(dict, told.pop("machines", ()))
    )
    return Solution(
        criterion=criterion,
        loses=frozenset(told.pop("loses", ())),
        unknown=frozenset(told.pop("unknown", ())),
        survey=tuple(told.pop("survey", ())),
        machines=steps,
        **told,
    )


def _words(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


# -- what was handed in -------------------------------------------------------------------------


def hand_in(solution: Solution | Drilled | None, directory: Path) -> Path:
    """The submission: the reference with the solution's files; returns where it is."""
    root = directory / "submission"
    shutil.copytree(REFERENCE, root)
    for place, change in (solution.files if solution else {}).items():
        _change(root / place, change)
    return root


def _change(path: Path, change: Any) -> None:
    if isinstance(change, list):
        text = path.read_text("utf-8")
        for each in change:
            if text.count(each["replace"]) != 1:
                raise ValueError(f"{path}: {each['replace']!r} stands there"
                                 f" {text.count(each['replace'])} times")  # fmt: skip
            text = text.replace(each["replace"], each["by"])
        path.write_text(text, "utf-8")
    elif change.get("gone"):
        path.unlink()
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(change["content"], "utf-8")


# -- what was seen ------------------------------------------------------------------------------


def key(event: Event) -> tuple[str, str]:
    """What an event of a survey is about: its kind, and the machine."""
    return event.kind, str(event.data.get("node", ""))


def path(name: str) -> Path:
    """Where that survey is kept."""
    return SURVEYS / f"{name}.jsonl.xz"


@cache
def stored(name: str) -> tuple[Event, ...]:
    """The events of a recorded survey, or, for all but the reference's, those that differ."""
    with lzma.open(path(name), "rt", encoding="utf-8") as lines:
        return tuple(Event(**json.loads(line)) for line in lines)


def store(name: str, survey: Iterable[Event]) -> None:
    """Keep a survey; of all but the reference's only the events that differ from that one."""
    base = {} if name == OF_REFERENCE else {key(e): e.data for e in stored(OF_REFERENCE)}
    kept = [event for event in survey if base.get(key(event)) != event.data]
    SURVEYS.mkdir(exist_ok=True)
    with lzma.open(path(name), "wt", encoding="utf-8", preset=9) as file:
        for event in kept:
            told = {k: v for k, v in vars(event).items() if k != "worker"}
            file.write(json.dumps(told, ensure_ascii=False, sort_keys=True) + "\n")
    stored.cache_clear()


def surveyed(solution: Solution | None) -> Record:
    """The record of a survey of that solution's cluster."""
    base = stored(OF_REFERENCE)
    if solution is None:
        return Record(base)
    if solution.recording.is_file():
        other = {key(event): event for event in stored(solution.name)}
        return Record(tuple(_at(base_event, other) for base_event in base))
    return edited(solution)


def _at(event: Event, other: Mapping[tuple[str, str], Event]) -> Event:
    found = other.get(key(event))
    return replace(found, seq=event.seq) if found else event


def edited(solution: Solution) -> Record:
    """The reference's survey with the solution's edits."""
    events = {key(e): replace(e, data=copy.deepcopy(dict(e.data))) for e in stored(OF_REFERENCE)}
    for edit in solution.survey:
        told = [e for e in events.values() if _is_about(e, edit)]
        if not told:
            raise ValueError(f"{solution.name}: there is no {edit['part']}")
        if sum(_edit(event, edit) for event in told) == 0:
            raise ValueError(f"{solution.name}: the edit of {edit['part']} changes nothing")
    return Record(tuple(events.values()))


def _is_about(event: Event, edit: Mapping[str, Any]) -> bool:
    node = event.data.get("node", "")
    return event.kind == f"survey.{edit['part']}" and (
        "node" not in edit or node in _words(edit["node"])
    )


def _edit(event: Event, edit: Mapping[str, Any]) -> int:
    """Change what the event has seen; returns how many places of it.

    `list`: the list that is meant, where there are several; `where`: which of its values; `set`:
    what they say instead, a key such as ``update.order`` leading down; `drop`: they are gone; `add`
    more of them.
    """
    seen = event.data["seen"]
    whole = seen.get(edit["list"]) if "list" in edit else seen
    if isinstance(whole, dict):
        _set(whole, edit["set"])
        return 1
    chosen = [each for each in whole or () if _fits(each, edit.get("where", {}))]
    if edit.get("drop"):
        whole[:] = [each for each in whole if each not in chosen]
        return len(chosen)
    if "add" in edit:
        whole.extend(copy.deepcopy(edit["add"]))
        return len(edit["add"])
    for each in chosen:
        _set(each, edit["set"])
    return len(chosen)


def _fits(value: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(value.get(name) == wanted for name, wanted in where.items())


def _set(value: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for place, new in changes.items():
        *path, last = place.split(".")
        at: Any = value
        for name in path:
            at = at[int(name)] if isinstance(at, list) else at[name]
        at[last] = copy.deepcopy(new)


# -- what it is worth ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a solution got: every verdict, and the mark."""

    results: Mapping[str, CheckResult]
    mark: Mark


def of_submission(directory: Path) -> saved.HandedIn:
    """What a submission's files show."""
    return saved.of_submission(directory, None, None)


@cache
def of_reference() -> saved.HandedIn:
    """The same of the reference, which many solutions share."""
    return of_submission(REFERENCE)


def outcome(solution: Solution | None, directory: Path) -> Outcome:
    """Mark a solution, None for the reference, as `swarmlab mark --record` does."""
    changed = solution and solution.files
    submitted = of_submission(hand_in(solution, directory)) if changed else of_reference()
    record = saved.decided(surveyed(solution), submitted.roles)
    results = {**saved.of_record(record, [state], ()), **submitted.results}
    return Outcome(results, saved.marked(combining.load(None), [state], results))


def checks(results: Mapping[str, CheckResult], verdicts: Sequence[str]) -> set[str]:
    """Ids of the checks with one of those verdicts."""
    return {id_ for id_, result in results.items() if result.verdict in verdicts}


def lost(mark: Mark) -> Iterator[tuple[str, int]]:
    """Every check that lost points, and how many hundredths of a point."""
    for criterion in mark.criteria:
        for check in criterion.checks:
            if check.lost:
                yield check.result.id, check.lost
