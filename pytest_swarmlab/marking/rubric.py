"""A rubric: criteria with points, their weighted items, and the checks of each item.

Only this module rounds: it divides a criterion's points among its checks in whole hundredths of a
point. All later sums are exact.
"""

from __future__ import annotations

import graphlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any, NoReturn

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.tables import Table

SCHEMA = "swarmlab-rubric/1"

TOTAL = 100
"""Points of the lab."""

HUNDREDTHS = 100
"""Hundredths in a point; a check is worth a whole number of hundredths."""

DRILL = re.compile(r"(\d+\.\d+)\.[a-z0-9-]+\.[a-z0-9.-]+")
"""Id of an exercise's check: exercise, phase, name."""

ID = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")

NUMBER = re.compile(r"\d+\.\d+")
"""Number of an exercise."""

IN_TIME = "document.in-time"
"""The check that needs a deadline."""


@dataclass(frozen=True)
class Item:
    """One line of a criterion.

    `checks`: ids of the checks that share its weight equally. `parts`: the worth of each check, in
    hundredths of a point. `needs`: items without which this one does not count. `hint`: how to
    repair it; "" if each check's own hint is enough. `either`: the checks are alternatives; one
    that was not judged has the result of those that were.
    """

    id: str
    checks: tuple[str, ...]
    weight: Fraction
    exercise: str
    hint: str
    needs: tuple[str, ...]
    either: bool = False
    parts: tuple[int, ...] = ()

    @property
    def of(self) -> int:
        """Its worth in hundredths of a point."""
        return sum(self.parts)


@dataclass(frozen=True)
class Criterion:
    """One line of the lab's table; `of` is in hundredths of a point."""

    id: str
    title: str
    of: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Rubric:
    """A whole rubric. `order`: item ids, each after those that it needs."""

    title: str
    criteria: tuple[Criterion, ...]
    deadline: datetime | None
    order: tuple[str, ...]

    @property
    def items(self) -> dict[str, Item]:
        """Items by id, in the order of the criteria."""
        return {item.id: item for criterion in self.criteria for item in criterion.items}

    @property
    def checks(self) -> tuple[str, ...]:
        """Ids of every check, in the order of the criteria."""
        return tuple(check for item in self.items.values() for check in item.checks)

    def refuse_unknown(
        self, known: Collection[str], *, exercises: Mapping[str, Collection[str]]
    ) -> None:
        """Raise ConfigError for a check that does not exist.

        `known`: ids of all checks but the exercises'. `exercises`: number of each installed
        exercise → ids of its checks. Checks of other exercises are not looked up.
        """
        for item in self.items.values():
            for check in item.checks:
                drill = DRILL.fullmatch(check)
                if drill and drill[1] not in exercises:
                    continue
                if check not in (exercises[drill[1]] if drill else known):
                    near = _near(check, exercises[drill[1]] if drill else known)
                    raise ConfigError(
                        f"rubric: item {item.id!r} names the check {check!r}, which does not"
                        f" exist{near}"
                    )


def read(content: Mapping[str, Any], where: str) -> Rubric:
    """A rubric from a complete table. Raises ConfigError if the table is invalid."""
    table = Table(content, where)
    table.choice("schema", (SCHEMA,))
    title = table.string("title")
    deadline = _deadline(table)
    criteria = [_criterion(name, found) for name, found in table.named_tables("criteria").items()]
    table.finish()

    def fail(why: str) -> NoReturn:
        raise ConfigError(f"{where}: {why}")

    items = [item for criterion in criteria for item in criterion.items]
    if doubled := _doubled(item.id for item in items):
        fail(f"two items have the name {doubled!r}: rename one")
    if doubled := _doubled(check for item in items for check in item.checks):
        fail(f"the check {doubled!r} is used twice: use it in one item only")
    known = {item.id for item in items}
    for item in items:
        for need in item.needs:
            if need not in known:
                fail(f"item {item.id!r} needs {need!r}, which is no item{_near(need, known)}")
    total = sum(criterion.of for criterion in criteria)
    if total != TOTAL * HUNDREDTHS:
        fail(f"the points of its criteria add up to {points(total)}, not to {TOTAL}")
    if deadline is None and any(IN_TIME in item.checks for item in items):
        fail(f"{IN_TIME!r} needs a deadline: give one, or skip the item")
    try:
        order = tuple(graphlib.TopologicalSorter({i.id: i.needs for i in items}).static_order())
    except graphlib.CycleError as error:
        fail(f"the needs of items form a circle: {' needs '.join(reversed(error.args[1]))}")
    return Rubric(title, tuple(criteria), deadline, order)


def apportion(whole: int, weights: Sequence[Fraction]) -> tuple[int, ...]:
    """Divide a whole number by weights into whole numbers that add up to it.

    Method of the largest remainder: each part is the exact share rounded down; the rest goes, one
    each, to the parts with the largest remainder, and of equals to the earlier one.
    """
    total = sum(weights)
    shares = [whole * weight / total for weight in weights]
    parts = [int(share) for share in shares]
    by_loss = sorted(range(len(shares)), key=lambda n: parts[n] - shares[n])
    for n in by_loss[: whole - sum(parts)]:
        parts[n] += 1
    return tuple(parts)


def points(hundredths: int) -> str:
    """Points as text: 15, 2.5, 0.33."""
    whole, rest = divmod(hundredths, HUNDREDTHS)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")


def _criterion(name: str, table: Table) -> Criterion:
    _check_id(name, table)
    title, worth = table.string("title"), table.number("points") * HUNDREDTHS
    if worth.denominator != 1:
        table.fail("'points' must have at most two decimals")
    items = [_item(each, found) for each, found in table.named_tables("checks").items()]
    table.finish()
    whole = int(worth)
    weights = [item.weight / len(item.checks) for item in items for _ in item.checks]
    parts = iter(apportion(whole, weights))
    divided = tuple(replace(i, parts=tuple(next(parts) for _ in i.checks)) for i in items)
    for item in divided:
        if not all(item.parts):
            table.fail(
                f"a check of item {item.id!r} would be worth less than a hundredth of a point:"
                " give the item more weight, or skip it"
            )
    return Criterion(name, title, whole, divided)


def _item(name: str, table: Table) -> Item:
    _check_id(name, table)
    checks = table.strings("of")
    if not checks:
        table.fail("'of' must name at least one check")
    weight, exercise = table.number("weight"), table.string("exercise", "")
    hint, needs, either = table.string("hint", ""), table.strings("needs"), table.flag("either")
    if exercise and not NUMBER.fullmatch(exercise):
        table.fail(f"exercise is {exercise!r}: use a number such as '2.5'")
    table.finish()
    return Item(name, checks, weight, exercise, " ".join(hint.split()), needs, either)


def _check_id(name: str, table: Table) -> None:
    if not ID.fullmatch(name):
        table.fail("a name consists of small letters, digits, dots and dashes")


def _deadline(table: Table) -> datetime | None:
    text = table.string("deadline", "")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        table.fail(
            f"deadline is {text!r}: use a time with its zone, such as 2026-12-18T23:59+01:00"
        )
    return found


def _doubled(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _near(name: str, known: Collection[str]) -> str:
    """A question that suggests a similar name; "" if there is none."""
    import difflib

    found = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f": did you mean {found[0]!r}?" if found else ""
