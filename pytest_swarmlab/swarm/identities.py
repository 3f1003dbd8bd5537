"""Asks machines who they are in the swarm, and tells which have lost their place in it for good."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.evidence.events import Identity, NodeSeen
from pytest_swarmlab.model import FINDINGS
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.swarm.rows import membership
from pytest_swarmlab.waiting.conditions import brief, no_answer

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Swarm

CERTIFICATE = "swarm/certificates/swarm-node.crt"
"""A member's certificate, in its engine's directory (swarmkit, `ca.NewConfigPaths`)."""

SUBJECT = ("openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in")

ROLE = "swarm-"
"""Prefix of the role in a certificate's OU (swarmkit, `ca.ManagerRole`, `ca.WorkerRole`)."""

AGAIN_S = 1.0
"""Seconds for which a machine's answer is valid."""

ANOTHER = "another node"
"""State of an engine with another id than the row's: it has joined again."""


def identity_of(node: Node) -> Identity:
    """The machine's identity by its engine, and by the subject of its certificate."""
    try:
        info = node.engine.info()
        swarm = membership(info)
        id_ = swarm.get("NodeID") or ""
        # An engine whose certificate has become another's begins anew, and is nobody meanwhile.
        if not id_ and swarm.get("LocalNodeState") in {"inactive", "", None}:
            return Identity(node.name)
        path = f"{info.get('DockerRootDir') or '/var/lib/docker'}/{CERTIFICATE}"
        subject = node.look(*SUBJECT, path).stdout
    except no_answer() as error:
        return Identity(node.name, error=brief(error))
    except CommandError as error:
        return Identity(node.name, error=str(error))
    return Identity(node.name, id_, _of(subject, "CN"), _of(subject, "OU").removeprefix(ROLE))


def identities_of(nodes: Iterable[Node]) -> list[Identity]:
    """The identities of all machines, read in parallel."""
    return at_once(identity_of, nodes)


def _of(subject: str, key: str) -> str:
    found = re.search(rf"\b{key} ?= ?([^,+\s]+)", subject)
    return found[1] if found else ""


class Places:
    """Which machines have lost their place in the swarm for good, and why.

    A machine that holds another one's certificate acts as that one from then on, and its own row
    stays down; the other one is shut out (docs/findings.md). One that the managers have removed
    never comes back by itself. Both are looked for by id in a node list that is at hand; a machine
    is asked only where the list gives reason to.
    """

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._taken: dict[tuple[Node, str], str] = {}
        """Machine and the id that it had → the id that it took over."""
        self._told: dict[tuple[Node, str], tuple[float, str]] = {}
        """Machine and an id → when it was last asked about it, and its answer."""
        self.lost: dict[Node, str] = {}
        """Machine → why it can't be a ready member again, as of the latest look."""
        self.left: dict[Node, str] = {}
        """Machine → why it is in no swarm; it may join again."""

    def look(self, rows: Iterable[NodeSeen]) -> None:
        """Find out what a node list that managers gave just now says of it."""
        rows = list(rows)
        self.lost, self.left = self._without_identity(rows), {}
        listed = {row.id for row in rows}
        for node in self._swarm.nodes:
            ids = self._swarm.ids_of(node)
            if not ids or ids[0] in listed:
                continue
            state = self._answer(node, ids[0], _state)
            if state == "inactive":
                self.left[node] = f"{node} has left the swarm, which no longer lists it"
            elif state in {"active", "error"}:
                self.lost[node] = (
                    f"the managers have removed {node} ({ids[0]}), whose engine says that it is"
                    f" {state}: have it leave the swarm and join it again"
                )

    def _without_identity(self, rows: list[NodeSeen]) -> dict[Node, str]:
        for row in rows:
            for node in self._under_whose_name(row):
                own = self._swarm.ids_of(node)[0]
                if self._answer(node, row.id, _holds) == row.id:
                    self._taken[node, own] = row.id
        lost: dict[Node, str] = {}
        for (node, own), taken in self._taken.items():
            if own not in self._swarm.ids_of(node):
                continue  # It has joined anew.
            victim = self._swarm.with_id(taken)
            lost[node] = (
                f"{node} was the node {own} and has the certificate of {victim or 'another'},"
                f" {taken} ({FINDINGS}, two-identities)"
            )
            if victim:
                lost.setdefault(victim, f"{node} acts as {victim}, {taken}")
        return lost

    def _under_whose_name(self, row: NodeSeen) -> list[Node]:
        """Machines whose host name stands in a row that is another one's and had another name."""
        names, now = self._swarm.first_names, row.host_name
        if now is None or now == names.get(row.id):
            return []
        others = (self._swarm.with_id(id_) for id_, name in names.items() if name == now)
        mine = self._swarm.node_of(row)
        return [node for node in others if node and node is not mine]

    def _answer(self, node: Node, id_: str, ask: Callable[[Node, str], str]) -> str:
        now = self._swarm.recorder.now()
        asked, answer = self._told.get((node, id_), (-AGAIN_S, ""))
        if now - asked >= AGAIN_S:
            answer = ask(node, id_)
            self._told[node, id_] = now, answer
        return answer


def _holds(node: Node, id_: str) -> str:
    """The id, if the machine or its certificate has it."""
    identity = identity_of(node)
    return id_ if id_ in {identity.id, identity.name} else ""


def _state(node: Node, id_: str) -> str:
    """The state of an unlisted machine's engine; "" if it does not answer."""
    try:
        info = membership(node.engine.info())
    except no_answer():
        return ""
    return (
        ANOTHER
        if info.get("NodeID") not in {id_, "", None}
        else str(info.get("LocalNodeState") or "")
    )
