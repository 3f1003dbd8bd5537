"""Nodes and tasks as an engine lists them, in the record's form."""

from __future__ import annotations

from typing import Any

from pytest_swarmlab.evidence.events import NodeSeen


def row_of_node(node: dict[str, Any]) -> NodeSeen:
    """A node of the list, whoever it is."""
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


def row_of_task(task: dict[str, Any]) -> dict[str, Any]:
    """A task of the list; `node_id` is all it says of its node."""
    status = task.get("Status", {})
    return {
        "id": task["ID"],
        "slot": task.get("Slot"),
        "node_id": task.get("NodeID", ""),
        "state": status.get("State", ""),
        "desired": task.get("DesiredState", ""),
        "error": status.get("Err", ""),
        "message": status.get("Message", ""),
        "container": status.get("ContainerStatus", {}).get("ContainerID", "")[:12],
        "exit_code": status.get("ContainerStatus", {}).get("ExitCode"),
        "at": status.get("Timestamp", ""),
    }
