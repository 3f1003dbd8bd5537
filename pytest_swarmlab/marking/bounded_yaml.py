"""Reads untrusted YAML in bounded time and memory.

A few lines of YAML can expand to more than a machine's memory (an alias of a list of aliases), to a
structure that contains itself, or to a nesting that overflows any stack. So the parser's events are
counted before any value is built.
"""

from __future__ import annotations

from typing import Any

import yaml

from pytest_swarmlab.errors import Unusable

MOST_BYTES = 128 * 1024
"""Ten times the longest stack file of the lab; the slowest of 600 patterns takes PyYAML 0.4 s."""

MOST_NODES = 10_000
"""Values of a file, including those that aliases repeat; the lab's longest has 500."""

DEEPEST = 40
"""Levels; the lab's deepest file has nine."""


def load(content: bytes, what: str, *, texts: bool = False) -> dict[str, Any]:
    """The table in a YAML file's first document; an empty file is an empty table.

    `texts`: every value stays text (``no`` is not false, ``1.10`` is no number). `what`: the file's
    name in errors. Raises Unusable for a file with any other content.
    """
    if len(content) > MOST_BYTES:
        raise Unusable(
            f"{what} has {len(content) // 1024} KiB, more than {MOST_BYTES // 1024} KiB: shorten it"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unusable(
            f"{what} is not UTF-8 (byte {error.start} is {content[error.start]:#04x}): save it"
            " as UTF-8"
        ) from error
    loader = yaml.BaseLoader if texts else _NoDates
    try:
        _count(text, what)
        found = _document(text, loader, what)
    except yaml.YAMLError as error:
        raise Unusable(f"{what} is not valid YAML: {_where(error)}") from error
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{what} can't be read as YAML: {str(error)[:120]}") from error
    if found is None or found == "":
        return {}
    if not isinstance(found, dict):
        raise Unusable(f"{what} must be a table (`name: value` lines), not {_kind(found)}")
    return found


class _NoDates(yaml.SafeLoader):
    """The safe loader, except that a date stays text, since it raises for 2026-02-31."""


_NoDates.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _count(text: str, what: str) -> None:
    """Raise Unusable if the first document exceeds a limit."""
    seen = 0
    sizes: dict[str, int] = {}
    begun: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            name = str(event.anchor)
            if name not in sizes:
                raise Unusable(
                    f"{_at(event, what)}: the alias *{name[:40]} has no complete anchor before it:"
                    " write its value out"
                )
            seen += sizes[name]
        elif isinstance(event, yaml.ScalarEvent):
            seen += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            begun.append((event.anchor, seen))
            seen += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = begun.pop()
            if anchor:
                sizes[anchor] = seen - before
        if seen > MOST_NODES:
            raise Unusable(
                f"{_at(event, what)}: more than {MOST_NODES} values, including those that aliases"
                " repeat: shorten the file"
            )
        if len(begun) > DEEPEST:
            raise Unusable(f"{_at(event, what)}: more than {DEEPEST} levels deep")
        if isinstance(event, yaml.DocumentEndEvent):
            return


def _at(event: yaml.Event, what: str) -> str:
    mark = event.start_mark
    return f"{what}, line {mark.line + 1}" if mark else what


def _document(text: str, loader: Any, what: str) -> Any:
    """The first document's value; a key of a table may stand there once only. None without a
    document.
    """
    reading = loader(text)
    if not reading.check_node():
        return None
    node = reading.get_node()
    _refuse_doubles(node, what, set())
    return reading.construct_document(node)


def _refuse_doubles(node: yaml.Node, what: str, seen: set[int]) -> None:
    """Raise Unusable for a key that stands twice: YAML's readers silently keep the last."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys and key.value != "<<":
                    raise Unusable(
                        f"{what}, line {key.start_mark.line + 1}: {key.value[:60]!r} stands there"
                        " twice: one of the two would be lost"
                    )
                keys.add(key.value)
            _refuse_doubles(value, what, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_doubles(value, what, seen)


def _where(error: yaml.YAMLError) -> str:
    """The error on one line, with its line number if known."""
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}: " if mark else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return (place + " ".join(str(problem).split()))[:200]


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else f"the single value {str(value)[:40]!r}"
