"""Makes the rubric of a mark: the lab's, a teacher's, or the lab's with a teacher's changes.

A teacher's file with ``extends: lab-02`` has only the differences:

- a criterion or an item with a name of the lab's: its keys replace the lab's;
- a criterion or an item with a new name: it is added;
- ``skip: true``: the criterion or item is removed, with every `needs` that names it. The other
  items share its weight.

Without ``extends`` the file is the whole rubric.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import ConfigError, Unusable
from pytest_swarmlab.judging.exercise import Check
from pytest_swarmlab.marking import bounded_yaml, own
from pytest_swarmlab.marking.rubric import SCHEMA, Rubric, read

LAB = "lab-02"
"""The value of ``extends``."""


@dataclass(frozen=True)
class Chosen:
    """The rubric, and the teacher's own checks."""

    rubric: Rubric
    own: tuple[Check, ...] = ()


def load(path: Path | None) -> Chosen:
    """The lab's rubric, or that of a file. Raises ConfigError."""
    if path is None:
        return Chosen(read(_without_skipped(labs(), "rubric of the lab"), "rubric of the lab"))
    where = f"rubric {path.name}"
    try:
        content = bounded_yaml.load(path.read_bytes(), where)
    except OSError as error:
        raise ConfigError(
            f"the rubric {path} can't be read ({error.strerror}): name its file, or leave it out"
            " for the lab's"
        ) from error
    except Unusable as error:
        raise ConfigError(str(error)) from error
    modules = content.pop("python", [])
    if not isinstance(modules, list) or not all(isinstance(name, str) for name in modules):
        raise ConfigError(f"{where}: 'python' must be a list of files beside the rubric")
    extends = content.pop("extends", None)
    if extends not in (None, LAB):
        raise ConfigError(f"{where}: extends is {extends!r:.80}, which does not exist: use {LAB}")
    if extends is None and "schema" not in content:
        raise ConfigError(
            f"{where}: it has neither `extends: {LAB}`, as differences from the lab's rubric do,"
            f" nor `schema: {SCHEMA}`, as a whole rubric does"
        )
    whole = combine(labs(), content, where) if extends else content
    checks = [check for name in modules for check in own.load(path.parent / name)]
    return Chosen(read(_without_skipped(whole, where), where), tuple(checks))


@cache
def _labs() -> dict[str, Any]:
    return bounded_yaml.load(
        (files("pytest_swarmlab.marking") / "rubric.yml").read_bytes(), "rubric.yml"
    )


def labs() -> dict[str, Any]:
    """The lab's rubric as a table, which the caller may change."""
    return copy.deepcopy(_labs())


def named_by_lab() -> set[str]:
    """Ids of the checks that the lab's rubric names, skipped ones included; all of them exist."""
    return {
        check
        for criterion in labs()["criteria"].values()
        for item in criterion["checks"].values()
        for check in item["of"]
    }


def combine(base: Mapping[str, Any], over: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The rubric `base` with the changes of `over`, by the rules above."""
    criteria = _tables(base, "criteria", where)
    for name, found in _tables(over, "criteria", where).items():
        under = criteria.get(name, {})
        checks = _tables(under, "checks", where)
        for item, given in _tables(found, "checks", f"{where} criteria.{name}").items():
            checks[item] = {**checks.get(item, {}), **given}
        criteria[name] = {**under, **found, "checks": checks}
    return {**base, **over, "criteria": criteria}


def _without_skipped(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The rubric without skipped criteria and items, and without needs that name them."""
    kept, gone = {}, set()
    for name, criterion in _tables(content, "criteria", where).items():
        items = _tables(criterion, "checks", f"{where} criteria.{name}")
        skipped = _is_skipped(criterion, f"{where} criteria.{name}")
        left = {}
        for key, item in items.items():
            if _is_skipped(item, f"{where} criteria.{name} checks.{key}") or skipped:
                gone.add(key)
            else:
                left[key] = {k: v for k, v in item.items() if k != "skip"}
        if skipped:
            continue
        if items and not left:
            raise ConfigError(
                f"{where} criteria.{name}: all its checks are skipped, but it has points: skip the"
                " criterion, and give its points to other criteria"
            )
        kept[name] = {**{k: v for k, v in criterion.items() if k != "skip"}, "checks": left}
    for criterion in kept.values():
        for item in criterion["checks"].values():
            if isinstance(item.get("needs"), list):
                item["needs"] = [need for need in item["needs"] if need not in gone]
    return {**content, "criteria": kept}


def _is_skipped(table: Mapping[str, Any], where: str) -> bool:
    skip = table.get("skip", False)
    if not isinstance(skip, bool):
        raise ConfigError(f"{where}: 'skip' must be true or false, not {skip!r:.80}")
    return skip


def _tables(content: Mapping[str, Any], key: str, where: str) -> dict[str, dict[str, Any]]:
    """A table of tables, copied one level deep; empty if it is missing."""
    found = content.get(key, {})
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise ConfigError(f"{where}: {key!r} must be a table of tables")
    return {str(name): dict(each) for name, each in found.items()}
