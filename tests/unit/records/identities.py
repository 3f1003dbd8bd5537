"""Readings of who the machines are, and the edits that give one of them another's identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pytest_swarmlab.evidence.record import Record

Row = tuple[str, dict[str, Any]]


def who(roles: Mapping[str, str], **ids: str) -> Row:
    """One reading: node → role of its certificate; `ids`: node → id, its own name otherwise."""
    machines = [
        {"node": node, "id": ids.get(node, node), "name": ids.get(node, node), "role": role}
        for node, role in roles.items()
    ]
    return "identities", {
        "machines": machines,
        "roles": {ids.get(node, node): role for node, role in roles.items()},
    }


def roles(managers: Iterable[str], workers: Iterable[str] = ()) -> dict[str, str]:
    """Node → role."""
    return dict.fromkeys(managers, "manager") | dict.fromkeys(workers, "worker")


def at_the_end(run: Record, node: str, **otherwise: str) -> Record:
    """That machine says something else of itself when it is last asked."""
    reading = run.last("identities")
    assert reading is not None
    machines = [
        {**row, **(otherwise if row["node"] == node else {})} for row in reading.data["machines"]
    ]
    data = {**reading.data, "machines": machines}
    return Record(tuple(replace(e, data=data) if e is reading else e for e in run))


def certificate_taken(run: Record) -> Record:
    """The last machine has the first one's certificate, with its role, if anybody looks."""
    reading = run.last("identities")
    if reading is None:
        return run
    taken, *_, node = (row for row in reading.data["machines"] if row["id"])
    return at_the_end(run, node["node"], name=taken["name"], role=taken["role"])
