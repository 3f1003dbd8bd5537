"""Finds files that a submission's stack file names and that are missing.

A path with ``${…}`` is skipped, since it depends on the shell that deploys the stack.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_swarmlab.marking.submission import Submission
from pytest_swarmlab.text import line

MOST = 20
"""At most this many files of one stack file are looked up; the lab's longest names seven."""


def lacking(submission: Submission, place: str, content: Mapping[str, Any]) -> list[str]:
    """A sentence for each file that the stack file at `place` names and that is missing.

    `content`: the stack file's table, with texts as values.
    """
    found = []
    for owner, name in [*_named(content)][:MOST]:
        if "$" in name:
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(place), name))
        what = f"{line(place)}: {line(owner, 80)} names {line(name, 120)}"
        if name.startswith(("/", "~")) or path.startswith(".."):
            found.append(f"{what}, which leads out of the submission")
        elif path in submission.odd:
            found.append(f"{what}, which is {submission.odd[path]}")
        elif path not in submission.files:
            found.append(f"{what}, which does not exist")
    return found


def _named(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(owner, file) for each file that the stack file names."""
    for key in ("configs", "secrets"):
        for name, table in _tables(content, key):
            if isinstance(table.get("file"), str):
                yield f"{key[:-1]} {name}", table["file"]
    for name, service in _tables(content, "services"):
        files = service.get("env_file", [])
        for each in files if isinstance(files, list) else [files]:
            if isinstance(each, str):
                yield f"service {name}", each


def _tables(content: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    tables = content.get(key)
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict):
            yield str(name), table
