"""Conditions of the managers' node lists: leader, states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.waiting.conditions.answers import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, fatal, pending

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.events import NodeSeen
    from pytest_swarmlab.swarm.cluster import Node, Swarm


class HasLeader:
    """Some manager names a leader, another than the given node; finds that node."""

    def __init__(self, swarm: Swarm, other_than: Node | None, seen_by: Node | None = None) -> None:
        self._swarm = swarm
        self._other_than = other_than
        self._asked = [seen_by] if seen_by else [n for n in swarm.nodes if n is not other_than]
        self.node = seen_by.name if seen_by else None
        self.name = f"a leader other than {other_than}" if other_than else "a leader"

    def __call__(self) -> Done[Node] | Pending | Fatal:
        """Look once."""
        said = []
        for node in self._asked:
            try:
                rows = self._swarm.node_rows(node.engine)
            except no_answer() as error:
                said.append(f"{node.name}: {brief(error)}")
                continue
            leaders = [row for row in rows if row.leader]
            seen = f"{node.name} says {leaders[0].name if leaders else 'none'}"
            if leaders and not (
                self._other_than and self._swarm.node_of(leaders[0]) is self._other_than
            ):
                return done(self._swarm.leading(leaders[0]), seen)
            said.append(seen)
        return pending("; ".join(said))


class NodesReady:
    """Every member is ready, every manager reachable, and one leads; finds the members' rows.

    A manager counts as reachable only when its own engine lists the nodes, too: for a moment after
    its promotion an engine still answers as a worker. A machine that joined again has its old row
    besides; that row is named and not counted. The condition is fatal when a machine has another
    one's identity, or when the managers have removed a machine that still takes itself for a
    member.
    """

    name = "every node ready and every manager reachable"
    node = None

    def __init__(self, swarm: Swarm, *, members: int | None = None) -> None:
        """`members`: how many nodes must be in the list; as many as there are, by default."""
        self._swarm = swarm
        self._members = members

    def __call__(self) -> Done[list[NodeSeen]] | Pending | Fatal:
        """Look once."""
        try:
            seen_from, rows = self._swarm.look()
        except ProviderError as error:
            return pending(str(error))
        self._swarm.places.look(rows)
        if lost := self._swarm.places.lost:
            return fatal("; ".join(lost.values()))
        dead = self._swarm.leftovers(rows)
        rows = [row for row in rows if row not in dead]
        seen = f"{seen_from} sees " + ", ".join(in_words(row) for row in rows)
        for row in dead:
            seen += f"; {row.name} has an old row: remove it with `docker node rm {row.id}`"
        ready = all(row.state == "ready" and row.reachability in {"reachable", ""} for row in rows)
        led = any(row.leader for row in rows)
        count = self._members in (None, len(rows))
        if not (ready and led and count):
            return pending(seen)
        if silent := _silent(self._swarm, rows, answered=seen_from):
            return pending(f"{seen}; {silent}")
        return done(rows, seen)


class NodeIs:
    """The managers see one node in a certain state; finds its row.

    A node that is waited for as a reachable manager must list the nodes itself, too. The condition
    is fatal once the node has lost its identity, or has left the swarm.
    """

    def __init__(self, swarm: Swarm, node: Node, wanted: dict[str, str]) -> None:
        self._swarm = swarm
        self._node = node
        self._wanted = wanted
        self.node = node.name
        self.name = " and ".join(f"{key} {value}" for key, value in wanted.items())

    def __call__(self) -> Done[NodeSeen] | Pending | Fatal:
        """Look once."""
        try:
            seen_from, rows = self._swarm.look()
        except ProviderError as error:
            return pending(str(error))
        mine = [row for row in rows if self._swarm.node_of(row) is self._node]
        seen = ", ".join(map(in_words, mine)) or "no such node"
        for row in mine:
            if all(getattr(row, key) == value for key, value in self._wanted.items()):
                silent = ""
                if "reachability" in self._wanted:
                    silent = _silent(self._swarm, [row], answered=seen_from)
                if not silent:
                    return done(row, in_words(row))
                seen += f"; {silent}"
        self._swarm.places.look(rows)
        if why := (self._swarm.places.left | self._swarm.places.lost).get(self._node):
            return fatal(why)
        return pending(f"{seen_from} sees {seen}")


def _silent(swarm: Swarm, rows: Sequence[NodeSeen], *, answered: Node) -> str:
    """The reachable managers that do not list the nodes themselves, with their errors.

    `answered`: the manager that gave these rows; it is not asked again.
    """
    said = []
    for row in rows:
        node = swarm.node_of(row)
        if node is None or node is answered or row.reachability != "reachable":
            continue
        try:
            node.engine.api.nodes()
        except no_answer() as error:
            said.append(f"{node.name} itself: {brief(error)}")
    return "; ".join(said)


def in_words(row: NodeSeen) -> str:
    """One row of the node list for a person: ``manager1 ready, leader``."""
    role = "leader" if row.leader else row.reachability or row.role
    return f"{row.name} {row.state}, {role}"
