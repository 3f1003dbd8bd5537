"""The kinds of event for people and programs: the table of docs/record.md, and its JSON Schema."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from inspect import getdoc
from typing import Annotated, Any, Union, get_args, get_origin

from pytest_swarmlab.evidence.events import built
from pytest_swarmlab.evidence.events.kind import KINDS, Seen

UNIONS = (Union, types.UnionType)

MAY_BE_MISSING = "?"
"""Behind a field's name in the table."""

PLAIN: dict[Any, dict[str, Any]] = {
    Any: {},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
}
"""Type of a value → its schema."""

EVENT: dict[str, Any] = {
    "seq": {"type": "integer"},
    "t": {"type": "number", "description": "seconds since the run began"},
    "at": {"type": "string", "description": "the same moment, ISO 8601, UTC"},
    "kind": {"type": "string"},
    "phase": {"type": "string"},
    "data": {"type": "object"},
    "worker": {"type": "string"},
}
"""What every line of a record has; `worker` may be missing."""


def table() -> str:
    """Every kind that any run may write, as rows of Markdown in the order of their names."""
    return _table({name: kind for name, kind in KINDS.items() if not kind.of})


def table_of_exercises() -> str:
    """The kinds that an exercise alone writes, each by its exercise and its name."""
    return _table({name: kind for name, kind in KINDS.items() if kind.of})


def _table(kinds: Mapping[str, type[Seen]]) -> str:
    rows = ["| Kind | Data | |", "|---|---|---|"]
    for name, kind in sorted(kinds.items()):
        rows.append(f"| `{name}` | {_columns(kind)} | {_says(kind)} |")
    return "\n".join(rows) + "\n"


def schema() -> dict[str, Any]:
    """The form of one line of events.jsonl; a kind that has no type may have any data.

    A kind of one exercise has its form in the phases of that exercise.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of events.jsonl",
        "type": "object",
        "required": [name for name in EVENT if name != "worker"],
        "properties": EVENT,
        "additionalProperties": False,
        "allOf": [
            {
                "if": {"properties": _where(kind)},
                "then": {"properties": {"data": {"$ref": f"#/$defs/{name}"}}},
            }
            for name, kind in sorted(KINDS.items())
        ],
        "$defs": {
            name: {"description": _says(kind), **_object(kind)}
            for name, kind in sorted(KINDS.items())
        },
    }


def _where(kind: type[Seen]) -> dict[str, Any]:
    """What a line says that has an event of that kind."""
    where: dict[str, Any] = {"kind": {"const": kind.kind}}
    # An exercise may have a kind of its own under the name of one that any run may write.
    others = [k.of for k in KINDS.values() if k.kind == kind.kind and k.of]
    if kind.of:
        where["phase"] = {"pattern": _phases_of([kind.of])}
    elif others:
        where["phase"] = {"not": {"pattern": _phases_of(sorted(others))}}
    return where


def _phases_of(exercises: Sequence[str]) -> str:
    return f"^({'|'.join(map(re.escape, exercises))})/"


def _says(kind: type[Any]) -> str:
    """The first sentence or two of a type's docstring, on one line."""
    return " ".join((getdoc(kind) or "").partition("\n\n")[0].split())


def _fields(kind: type[Any]) -> list[tuple[str, Any, str, bool]]:
    """Name, type, words on it, and whether it must be there, of each field that is written."""
    found = []
    for name, (field, hint) in built.columns(kind).items():
        said = ""
        if get_origin(hint) is Annotated:
            hint, said = get_args(hint)
        found.append((name, hint, said, field.default is not None))
    return found


def _columns(kind: type[Any]) -> str:
    told = []
    for name, hint, said, needed in _fields(kind):
        if (row := _row(hint)) is not None:
            one = row in (hint, *(get_args(hint) if get_origin(hint) in UNIONS else ()))
            columns = _columns(row) if one else f"each {_columns(row)}"
            said = f"{said}; {columns}" if said else columns
        mark = "" if needed else MAY_BE_MISSING
        told.append(f"`{name}`{mark}" + (f" ({said})" if said not in {"", name} else ""))
    return ", ".join(told)


def _row(hint: Any) -> type[Any] | None:
    """The type with columns of its own that a field has, or that its list or object holds."""
    if isinstance(hint, type) and is_dataclass(hint):
        return hint
    return next((row for arg in get_args(hint) if (row := _row(arg)) is not None), None)


def _object(kind: type[Any]) -> dict[str, Any]:
    columns = _fields(kind)
    return {
        "type": "object",
        "required": [name for name, _, _, needed in columns if needed],
        "properties": {
            name: ({"description": said} if said else {}) | _schema(hint)
            for name, hint, said, _ in columns
        },
        "additionalProperties": False,
    }


def _schema(hint: Any) -> dict[str, Any]:
    if hint in PLAIN:
        return PLAIN[hint]
    if get_origin(hint) in UNIONS:
        return {"anyOf": [_schema(each) for each in get_args(hint)]}
    if get_origin(hint) is Mapping:
        return {"type": "object", "additionalProperties": _schema(get_args(hint)[1])}
    if get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis:
        return {"type": "array", "items": _schema(get_args(hint)[0])}
    if get_origin(hint) is tuple:
        items = [_schema(each) for each in get_args(hint)]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    return _object(hint)
