"""The kinds of event for people and programs: the table of docs/record.md, and its JSON Schema."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from inspect import getdoc
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pytest_swarmlab.evidence.events.kind import KINDS, Seen

MAY_BE_MISSING = "?"
"""Behind a field's name in the table."""

PLAIN: dict[Any, dict[str, Any]] = {
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
    """Every kind that has a type, as rows of Markdown in the order of their names."""
    rows = ["| Kind | Data | |", "|---|---|---|"]
    for name, kind in sorted(KINDS.items()):
        rows.append(f"| `{name}` | {_columns(kind)} | {_says(kind)} |")
    return "\n".join(rows) + "\n"


def schema() -> dict[str, Any]:
    """The form of one line of events.jsonl; a kind that has no type may have any data."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of events.jsonl",
        "type": "object",
        "required": [name for name in EVENT if name != "worker"],
        "properties": EVENT,
        "additionalProperties": False,
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": name}}},
                "then": {"properties": {"data": {"$ref": f"#/$defs/{name}"}}},
            }
            for name in sorted(KINDS)
        ],
        "$defs": {
            name: {"description": _says(kind), **_object(kind)}
            for name, kind in sorted(KINDS.items())
        },
    }


def _says(kind: type[Any]) -> str:
    """The first sentence or two of a type's docstring, on one line."""
    return " ".join((getdoc(kind) or "").partition("\n\n")[0].split())


def _fields(kind: type[Any]) -> list[tuple[str, Any, str, bool]]:
    """Name, type, words on it, and whether it must be there, of each field that is written."""
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        hint, said = hints[field.name], ""
        if get_origin(hint) is Annotated:
            hint, said = get_args(hint)
        if not (issubclass(kind, Seen) and field.name == "t"):
            found.append((field.name, hint, said, field.default is not None))
    return found


def _columns(kind: type[Any]) -> str:
    told = []
    for name, hint, said, needed in _fields(kind):
        row = get_args(hint)[0] if get_origin(hint) is tuple else None
        if isinstance(row, type) and is_dataclass(row):
            said = f"each {_columns(row)}"
        mark = "" if needed else MAY_BE_MISSING
        told.append(f"`{name}`{mark}" + (f" ({said})" if said not in {"", name} else ""))
    return ", ".join(told)


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
    if get_origin(hint) in {Union, types.UnionType}:
        return {"anyOf": [_schema(each) for each in get_args(hint)]}
    if get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis:
        return {"type": "array", "items": _schema(get_args(hint)[0])}
    if get_origin(hint) is tuple:
        items = [_schema(each) for each in get_args(hint)]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    return _object(hint)
