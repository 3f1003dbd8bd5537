"""A Swarm as exercises see it. Its nodes are imported from here as well."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence.events import NodeSeen, NodesSample, Notice, TaskSeen, Write
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Capability, Topology
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.providers.base import Machines
from pytest_swarmlab.swarm.identities import Places
from pytest_swarmlab.swarm.node import Node, Output
from pytest_swarmlab.swarm.rows import membership, rows_of_nodes, rows_of_tasks
from pytest_swarmlab.waiting import conditions

if TYPE_CHECKING:
    import docker

__all__ = ["Node", "Output", "Swarm"]

AGAIN_S = 5.0
"""Pause before an engine that did not tell its node id is asked again, seconds."""


TRIED = "org.swarmlab.tried"
"""Label of every config that only tests whether a change is accepted."""


class Swarm:
    """The cluster. Its state comes from its managers, at the moment of the question."""

    def __init__(self, machines: Machines, recorder: Recorder) -> None:
        self.machines = machines
        self.recorder = recorder
        self.nodes = [Node(spec, machines, recorder) for spec in machines.topology.nodes]
        self.topology: Topology = machines.topology
        """The topology of its last starting state; the present members may differ."""
        self.capabilities: frozenset[Capability] = frozenset(machines.controls)
        """Capabilities of its machines, probed when the cluster is ready."""
        self._ids: dict[str, Node] = {}
        """Node id → the machine that has it. Host names change, are shared, or are left behind."""
        self._strangers: frozenset[str] = frozenset()
        self._asked_at = -AGAIN_S
        self._asking = threading.Lock()
        self._all_told = False
        self._host_names: dict[str, list[str]] = {}
        """Node id → every host name that it was listed under, the latest last."""
        self.first_names: dict[str, str] = {}
        """Node id → the host name under which it was listed first."""
        self.places = Places(self)

    @property
    def goes_at_end(self) -> bool:
        """Whether its machines are removed at the run's end."""
        return bool(self.nodes) and all(node.goes_at_end for node in self.nodes)

    @goes_at_end.setter
    def goes_at_end(self, goes: bool) -> None:
        for node in self.nodes:
            node.goes_at_end = goes

    @property
    def goes_whole(self) -> bool:
        """Whether nothing on it need be undone at the run's end: its machines go, with all of it.

        As expensive as a look at every node.
        """
        return self.goes_at_end and self.machines.go_whole()

    def node(self, name: str) -> Node:
        """The node of that name. Raises ProviderError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise ProviderError(f"no node {name!r}: there are {', '.join(n.name for n in self.nodes)}")

    def nodes_except(self, *left_out: Node) -> list[Node]:
        """All nodes except these."""
        return [node for node in self.nodes if node not in left_out]

    def managers(self) -> list[Node]:
        """Nodes whose own engine says that it controls the swarm."""
        return [n for n in self.nodes if self._swarm_info(n).get("ControlAvailable")]

    def workers(self) -> list[Node]:
        """Members that the managers count as workers."""
        return self._of([row for row in self.look()[1] if row.role == "worker"])

    def members(self) -> list[Node]:
        """Nodes that the managers count as part of the swarm."""
        return self._of(self.look()[1])

    def _of(self, rows: Iterable[NodeSeen]) -> list[Node]:
        meant = [self.node_of(row) for row in rows]
        return [node for node in self.nodes if node in meant]

    def node_of(self, row: NodeSeen) -> Node | None:
        """The machine whose id a row of the node list has; None when no machine here has it.

        The old row of a machine that has left and joined again is such a row.
        """
        return self.with_id(row.id)

    def with_id(self, id_: str) -> Node | None:
        """The machine that has that id in the swarm, or None."""
        return self._ids.get(id_)

    def identify(self) -> None:
        """Ask every machine's engine which node of the swarm it is.

        Two that have one identity (moby#46167) are told in a notice; the first keeps it.
        """
        found: dict[str, Node] = {}
        told = at_once(self._swarm_info, self.nodes)
        self._all_told = all(told)
        for node, info in zip(self.nodes, told, strict=True):
            id_ = info.get("NodeID")
            if id_ in found:
                self._notice(
                    f"{found[id_]} and {node} say that they are the same node, {id_}: have one of"
                    " them leave the swarm and join it again"
                )
            elif id_:
                found[id_] = node
        self._ids = {i: n for i, n in self._ids.items() if n not in found.values()} | found

    @property
    def given_up(self) -> bool:
        """Whether one of our own machines is lost for good: no other test gets the cluster then."""
        return bool(self.places.lost) and not self.machines.foreign

    def known_as(self, node: Node) -> str:
        """The node's name in a `docker` command: its host name, or its id if two nodes share that
        name.
        """
        ids = self.ids_of(node)
        if not ids or ids[0] not in self._host_names:
            return node.name
        name = self._host_names[ids[0]][-1]
        shared = [id_ for id_, names in self._host_names.items() if names[-1] == name]
        return ids[0] if len(shared) > 1 else name

    def only(self, node: Node) -> str:
        """The constraint that this node alone meets."""
        known = self.known_as(node)
        kind = "id" if known in self.ids_of(node) else "hostname"
        return f"node.{kind}=={known}"

    def ids_of(self, node: Node) -> list[str]:
        """The node's id in the swarm, if it is known."""
        return [id_ for id_, known in self._ids.items() if known is node]

    def leftovers(self, rows: Iterable[NodeSeen]) -> list[NodeSeen]:
        """Old rows of machines that have joined again under another id; they are down for ever.

        Swarm never removes them by itself (moby#24106): `docker node rm ID` does.
        """
        rows = list(rows)
        there = {row.name for row in rows if self.node_of(row) and row.state == "ready"}
        return [
            row
            for row in rows
            if not self.node_of(row) and row.state == "down" and row.name in there
        ]

    def _identify(self, rows: list[NodeSeen]) -> list[NodeSeen]:
        """Find the machine of each row by id, and put the machine's name into the row.

        A row is a machine's if no other row has its name. Otherwise every engine is asked for its
        id, once for each set of unknown nodes.
        """
        known = {node.name: node for node in self.nodes}
        names = Counter(row.name for row in rows)
        for row in rows:
            node = known.get(row.name)
            if row.id not in self._ids and node and names[row.name] == 1:
                self._ids = {i: n for i, n in self._ids.items() if n is not node}
                self._ids[row.id] = node
        strangers = frozenset(row.id for row in rows if row.id not in self._ids)
        if strangers:
            self._ask_about(strangers)
        listed = {row.id for row in rows}
        self._host_names = {i: n for i, n in self._host_names.items() if i in listed}
        for row in rows:
            self._note_name(row)
        return [
            replace(row, name=node.name, host_name=row.name) if (node := self.node_of(row)) else row
            for row in rows
        ]

    def _ask_about(self, strangers: frozenset[str]) -> None:
        now = self.recorder.now()
        # Once for each set of them, but an engine that gave no answer may give one later.
        if strangers == self._strangers and (self._all_told or now - self._asked_at < AGAIN_S):
            return
        if self._asking.acquire(blocking=False):  # Somebody else is at it otherwise.
            try:
                self._strangers, self._asked_at = strangers, now
                self.identify()
            finally:
                self._asking.release()

    def _note_name(self, row: NodeSeen) -> None:
        names = self._host_names.setdefault(row.id, [])
        self.first_names.setdefault(row.id, row.name)
        if names and row.name not in names:
            self._notice(
                f"the managers list the node {row.id} as {row.name} now, as {names[-1]}"
                " before: one identity under two names"
            )
        if row.name in names:
            names.remove(row.name)
        names.append(row.name)

    def _notice(self, message: str) -> None:
        self.recorder.write(Notice(message))

    def leader(self) -> Node:
        """The node that leads now, as the first manager that answers says.

        Raises ProviderError when no manager knows a leader, or when the leader is no machine known
        here.
        """
        for rows in self._listings():
            for row in rows:
                if row.leader:
                    return self.leading(row)
        raise ProviderError("no manager knows a leader: the swarm has lost its quorum")

    def leading(self, row: NodeSeen) -> Node:
        """The machine of a leader's row. Raises ProviderError if it is no known machine."""
        node = self.node_of(row)
        if node is None:
            raise ProviderError(
                f"the leader is {row.name} ({row.id}), which is no known machine: there are"
                f" {', '.join(n.name for n in self.nodes)}"
            )
        return node

    def rows(self, seen_from: Node) -> list[NodeSeen]:
        """`docker node ls` as that manager answers it now; recorded as a `nodes` event.

        Raises docker.errors.DockerException or requests' RequestException as the engine answers;
        ProviderError for an answer of another form.
        """
        began = time.monotonic()
        rows = self.node_rows(seen_from.engine)
        seconds = round(time.monotonic() - began, 4)
        self.recorder.write(NodesSample(seen_from.name, seconds, tuple(rows)))
        return rows

    def node_rows(self, engine: docker.DockerClient) -> list[NodeSeen]:
        """The node list, by name, as this engine gives it."""
        rows = self._identify(rows_of_nodes(engine.api.nodes()))
        return sorted(rows, key=lambda row: row.name)

    def task_rows(self, engine: docker.DockerClient, service: str) -> list[TaskSeen]:
        """A service's tasks, by slot, as this engine gives them."""
        rows = map(self._named, rows_of_tasks(engine.api.tasks({"service": service})))
        return sorted(rows, key=lambda row: (row.slot or 0, row.id))

    def tasks(self, service: str) -> list[TaskSeen]:
        """A service's tasks, also ended ones, from the first manager that can list them.

        Raises ProviderError when none can.
        """
        seen_from, _ = self.look()
        return self.task_rows(seen_from.engine, service)

    def has_leader(
        self, *, other_than: Node | None = None, seen_by: Node | None = None
    ) -> conditions.HasLeader:
        """Condition: some manager (or that one) names a leader (another than that node)."""
        return conditions.HasLeader(self, other_than, seen_by)

    def all_nodes_ready(self) -> conditions.NodesReady:
        """Condition: every member is ready and every manager reachable."""
        return conditions.NodesReady(self)

    def converged(
        self, service: str, *, replicas: int, on: Node | None = None
    ) -> conditions.Converged:
        """Condition: that many tasks of the service run on nodes that are not down (or on one)."""
        return conditions.Converged(self, service, replicas, on)

    def no_task_of(self, service: str) -> conditions.NoTaskOf:
        """Condition: no container of a removed service is left on any node."""
        return conditions.NoTaskOf(self, service)

    def mesh_lists(
        self, replicas: int, *, on: Sequence[Node] | None = None
    ) -> conditions.MeshLists:
        """Condition: every node (or those given) balances published ports over `replicas`.

        Without IPVS there is no routing mesh, and the condition holds.
        """
        nodes = self.nodes if on is None else on
        return conditions.MeshLists(nodes if Capability.IPVS in self.capabilities else (), replicas)

    def node_is(self, node: Node, **wanted: str) -> conditions.NodeIs:
        """Condition: the managers see the node so, for example ``state="down"``."""
        return conditions.NodeIs(self, node, wanted)

    def accepts_changes(self, via: Node) -> conditions.Writes:
        """Condition: the managers accept a change that is sent through that node."""
        return conditions.Writes(self, via, accepted=True)

    def refuses_changes(self, via: Node) -> conditions.Writes:
        """Condition: a change that is sent through that node fails, as it must without a quorum."""
        return conditions.Writes(self, via, accepted=False)

    def try_change(self, via: Node) -> str | None:
        """Try one change through that node and record it; returns why it was refused, None if
        accepted.

        The change is a config, created and removed again: the smallest change that needs the
        managers' agreement.
        """
        began = self.recorder.now()
        error = None
        try:
            api = via.engine.api
            api.create_config(f"swarmlab-{uuid.uuid4().hex[:12]}", b"a change", {TRIED: ""})
            # Also those that were agreed on after all, when nobody waited for it any more.
            for left in api.configs(filters={"label": TRIED}):
                api.remove_config(left["ID"])
        except conditions.no_answer() as problem:
            error = conditions.brief(problem)
        self.recorder.write(Write(via.name, error, round(self.recorder.now() - began, 4)))
        return error

    def _named(self, row: TaskSeen) -> TaskSeen:
        node = self._ids.get(row.node_id)
        listed = self._host_names.get(row.node_id, [row.node_id])
        return replace(row, node=node.name if node else listed[-1])

    def look(self) -> tuple[Node, list[NodeSeen]]:
        """The node list of the first manager that can give it, and that manager.

        Raises ProviderError with every manager's answer when none can.
        """
        said = []
        for node in self.nodes:
            try:
                return node, self.node_rows(node.engine)
            except conditions.no_answer() as error:
                said.append(f"{node.name}: {conditions.brief(error)}")
        raise ProviderError("no manager lists the nodes: " + "; ".join(said))

    def _listings(self) -> Iterable[list[NodeSeen]]:
        for node in self.nodes:
            try:
                yield self.node_rows(node.engine)
            except conditions.no_answer():
                continue

    def _swarm_info(self, node: Node) -> Mapping[str, Any]:
        try:
            return membership(node.engine.info())
        except conditions.no_answer():
            return {}
