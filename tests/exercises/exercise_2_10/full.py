"""Orders while the database's disk is full: their answers, and the database's log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.faults.disk import free_bytes
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.waiting.conditions import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

from .. import nfs
from . import perform
from .events_full import AskedAgain, AskedFull, NoRoom, Room
from .load import Crowd
from .setting import DATABASE

REFUSED_S = 15.0
"""Longest until an order is refused: the gateway asks three replicas, of which each waits three
seconds for a connection to the database."""

SAYS = "No space left on device"
"""PostgreSQL's message, from the C library."""


class FullDisk:
    """The full disk: its free space, the database's log, and orders through every node."""

    def __init__(self, swarm: Swarm, crowd: Crowd, evidence: Evidence) -> None:
        self._swarm = swarm
        self._crowd = crowd
        self._evidence = evidence
        self._mark = f"{crowd.run}-roomless-"
        self._said_before = len(list(self._said()))

    def look(self, when: str) -> None:
        """Record the free space."""
        free = free_bytes(nfs.server_of(self._swarm), perform.DATABASE_FILES)
        self._evidence.write(Room(when, free // 1024))

    def _said(self) -> Iterator[str]:
        """Every line of the database's logs with that message, also of ended tasks."""
        label = f"com.docker.swarm.service.name={perform.service(self._swarm, DATABASE).name}"
        for node in self._swarm.nodes:
            try:
                rows = node.engine.api.containers(all=True, filters={"label": label})
            except no_answer():
                continue
            for row in rows:
                yield from (x for x in node.log_of(row["Id"]).splitlines() if SAYS in x)

    def refuses(self) -> Refuses:
        """Condition: every node refuses an order, and the database says why."""
        return Refuses(self)

    def ask(self, turn: int) -> list[AskedFull]:
        """Order something through every node at the same time; each node's order has its key."""
        # What comes by itself, five minutes after the last one at most (checkpoint_timeout): until
        # then the log, whose files are there already, takes all that is ordered.
        with suppress(*not_acknowledged()):
            self._crowd.books.rows("CHECKPOINT")
        answers = at_once(lambda node: self._order(turn, node), self._swarm.nodes)
        for answer in answers:
            self._evidence.write(answer)
        return answers

    def _key(self, node: Node) -> str:
        return f"{self._mark}{node.name}"

    def _items(self, node: Node) -> list[dict[str, int]]:
        return perform.order_of(self._swarm.nodes.index(node), self._crowd.products)

    def _order(self, turn: int, node: Node) -> AskedFull:
        crowd, key = self._crowd, self._key(node)
        crowd.sent.add(key)
        try:
            answer = crowd.shop.order(
                node, crowd.customers[0].token, key, self._items(node), within=REFUSED_S
            )
            if answer.status in (200, 201):
                crowd.orders[str(answer.json(200, 201).get("id"))] = key
        except not_acknowledged() as error:
            return AskedFull(turn, node.name, key, None, brief(error), clear=False)
        return AskedFull(turn, node.name, key, answer.status, answer.error, clear=answer.clear)

    def note_what_it_says(self) -> int:
        """Record how many lines of the log have the message; returns how many are new."""
        said = list(self._said())
        first = said[self._said_before :][:1]
        told = NoRoom(self._said_before, len(said), "".join(first)[:200])
        self._evidence.write(told)
        return told.after - told.before

    def ask_again(self) -> None:
        """Place each of these orders again with its key."""
        crowd, customer = self._crowd, self._crowd.customers[0]
        customer.via(self._swarm.nodes)
        for number, node in enumerate(self._swarm.nodes):
            crowd.order(customer, self._key(node), number)
        found = Counter(order.key for order in crowd.books.orders(self._mark))
        self._evidence.write(
            AskedAgain({self._key(node): found[self._key(node)] for node in self._swarm.nodes})
        )


class Refuses:
    """Orders are refused through every node, and the database's log says why; finds how often."""

    node = None

    def __init__(self, disk: FullDisk) -> None:
        self._disk = disk
        self._turn = 0
        self.name = "orders are refused through every node"

    def __call__(self) -> Done[int] | Pending | Fatal:
        """Ask through each of them once."""
        self._turn += 1
        answers = self._disk.ask(self._turn)
        others = [f"{a.node}: {a.status or a.error}" for a in answers if a.status != 503]
        if others:
            return pending(", ".join(others))
        lines = self._disk.note_what_it_says()
        seen = f"{len(answers)} refused, {lines} lines of its log"
        return done(lines, seen) if lines else pending(seen)
