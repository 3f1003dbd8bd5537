"""Nodes and tasks as an engine lists them, as the types that are recorded."""

from __future__ import annotations

from typing import Any

from pytest_swarmlab.evidence.events import NodeSeen, TaskSeen


def row_of_node(node: dict[str, Any]) -> NodeSeen:
    """Any node of the list."""
    status, manager = node.get("Status", {}), node.get("ManagerStatus", {})
    return NodeSeen(
        id=node["ID"],
        name=node["Description"].get("Hostname", ""),
        role=node["Spec"].get("Role", ""),
        availability=node["Spec"].get("Availability", ""),
        state=status.get("State", ""),
        message=status.get("Message", ""),
        address=status.get("Addr", ""),
        leader=bool(manager.get("Leader")),
        reachability=manager.get("Reachability", ""),
    )


def row_of_task(task: dict[str, Any]) -> TaskSeen:
    """A task of the list. The engine tells the node's id only, which stands in place of its name.

    A task of a global service has no slot; a container that has not ended has no exit code.
    """
    status = task.get("Status", {})
    container = status.get("ContainerStatus", {})
    node = task.get("NodeID", "")
    return TaskSeen(
        id=task["ID"],
        slot=task.get("Slot"),
        node_id=node,
        state=status.get("State", ""),
        desired=task.get("DesiredState", ""),
        error=status.get("Err", ""),
        message=status.get("Message", ""),
        container=container.get("ContainerID", "")[:12],
        exit_code=container.get("ExitCode"),
        at=status.get("Timestamp", ""),
        node=node,
    )
