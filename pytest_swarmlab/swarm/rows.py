"""Nodes and tasks as an engine lists them, as the types that are recorded.

What an engine leaves out, or says is null, is "". A value of another type makes its answer one that
is not understood: ProviderError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pytest_swarmlab.evidence.events import NodeSeen, TaskSeen
from pytest_swarmlab.waiting.conditions import understood

Table = Mapping[str, Any]

T = TypeVar("T")


def rows_of_nodes(listed: Any) -> list[NodeSeen]:
    """Every node of the list."""
    return _rows(listed, _node, "the engine's node list")


def rows_of_tasks(listed: Any) -> list[TaskSeen]:
    """Every task of the list."""
    return _rows(listed, _task, "the engine's task list")


def membership(info: Any) -> Table:
    """The swarm's part of `docker info`."""
    with understood("what the engine says of itself"):
        swarm = _table(_of(info, dict), "Swarm")
        for key in ("NodeID", "LocalNodeState"):
            _text(swarm, key)
        return swarm


def _rows(listed: Any, row: Callable[[Table], T], what: str) -> list[T]:
    with understood(what):
        return [row(_of(each, dict)) for each in _of(listed, list)]


def _node(node: Table) -> NodeSeen:
    status, manager = _table(node, "Status"), _table(node, "ManagerStatus")
    spec = _table(node, "Spec")
    return NodeSeen(
        id=_of(node["ID"], str),
        name=_text(_table(node, "Description"), "Hostname"),
        role=_text(spec, "Role"),
        availability=_text(spec, "Availability"),
        state=_text(status, "State"),
        message=_text(status, "Message"),
        address=_text(status, "Addr"),
        leader=bool(manager.get("Leader")),
        reachability=_text(manager, "Reachability"),
    )


def _task(task: Table) -> TaskSeen:
    """A task of the list. The engine tells the node's id only, which stands in place of its name.

    A task of a global service has no slot; a container that has not ended has no exit code.
    """
    status = _table(task, "Status")
    container = _table(status, "ContainerStatus")
    node = _text(task, "NodeID")
    return TaskSeen(
        id=_of(task["ID"], str),
        slot=_number(task, "Slot"),
        node_id=node,
        state=_text(status, "State"),
        desired=_text(task, "DesiredState"),
        error=_text(status, "Err"),
        message=_text(status, "Message"),
        container=_text(container, "ContainerID")[:12],
        exit_code=_number(container, "ExitCode"),
        at=_text(status, "Timestamp"),
        node=node,
    )


def _of(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.40} is no {kind.__name__}")
    return value


def _table(of: Table, key: str) -> Table:
    value = of.get(key)
    return {} if value is None else _of(value, dict)


def _text(of: Table, key: str) -> str:
    value = of.get(key)
    return "" if value is None else _of(value, str)


def _number(of: Table, key: str) -> int | None:
    value = of.get(key)
    return None if value is None else _of(value, int)
