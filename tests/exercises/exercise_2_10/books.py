"""Reads the shop's orders and accounts in PostgreSQL, past the shop's services.

What customers were told must stand there; who asks the shop would be told by whom he suspects.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

USER, NAME = "ecomuser", "ecommerce"
READ_S = 30.0

ORDERS = (
    "SELECT o.id, o.key, o.status, count(p.order_id) FROM orders o"
    " LEFT JOIN processed p ON p.order_id = o.id"
    " WHERE {ours} GROUP BY o.id, o.key, o.status ORDER BY o.key"
)
ACCOUNTS = "SELECT id, email FROM users WHERE starts_with(email, '{mark}') ORDER BY email"
WAITING = "SELECT count(*) FROM orders WHERE status <> 'processed'"
DAMAGED = (
    "SELECT (SELECT count(*) FROM orders o WHERE NOT EXISTS"
    " (SELECT 1 FROM order_items i WHERE i.order_id = o.id)),"
    " (SELECT count(*) FROM orders o WHERE NOT EXISTS"
    " (SELECT 1 FROM outbox b WHERE b.order_id = o.id)),"
    " (SELECT count(*) FROM processed p WHERE NOT EXISTS"
    " (SELECT 1 FROM orders o WHERE o.id = p.order_id))"
)


@dataclass(frozen=True)
class Stored:
    """An order as it stands in the database. `times`: how often it has been processed."""

    id: str
    key: str
    status: str
    times: int

    @property
    def processed(self) -> bool:
        """Whether a worker has processed it."""
        return self.status == "processed" and self.times > 0


class Books:
    """PostgreSQL, asked in its own container, wherever that runs now."""

    def __init__(self, database: Service) -> None:
        self._database = database

    def rows(self, query: str) -> list[list[str]]:
        """What a query gives. Raises ProviderError or what asking an engine raises."""
        swarm = self._database.swarm
        for task in self._database.tasks():
            if task.running:
                # Over its own socket, where it asks for no password; nothing of it is recorded.
                said = swarm.node(task.node).ask(
                    "docker", "exec", task.container,
                    "psql", "-U", USER, "-d", NAME, "-At", "-F", "\t", "-c", query,
                    within=READ_S,
                )  # fmt: skip
                if said.code:
                    raise Unread(f"the database gave no answer: {said.stderr.strip()[:200]}")
                return [line.split("\t") for line in said.stdout.splitlines()]
        raise Unread("the database does not run")

    def orders(self, *marks: str) -> list[Stored]:
        """Every order whose key begins with one of these."""
        ours = " OR ".join(f"starts_with(o.key, '{mark}')" for mark in marks)
        found = self.rows(ORDERS.format(ours=ours))
        return [Stored(id_, key, status, int(times)) for id_, key, status, times in found]

    def accounts(self, mark: str) -> list[tuple[str, str]]:
        """Id and e-mail of every account whose address begins so."""
        return [(id_, email) for id_, email in self.rows(ACCOUNTS.format(mark=mark))]

    def waiting(self) -> int:
        """How many orders wait for a worker."""
        return int(self.rows(WAITING)[0][0])

    def damaged(self) -> dict[str, int]:
        """Inconsistency → how many rows have it."""
        names = ("orders without items", "orders without a message", "messages without an order")
        return dict(zip(names, map(int, self.rows(DAMAGED)[0]), strict=True))

    def read(self, mark: str) -> Read:
        """Condition: orders and accounts of that mark can be read; finds both."""
        return Read(self, mark)

    def consumed(self, *marks: str) -> Consumed:
        """Condition: every order of these marks has been processed; finds them."""
        return Consumed(self, *marks)

    def held(self, mark: str, *, seconds: float) -> Held:
        """Condition: no order of that mark is processed for so long; finds how long."""
        return Held(self, mark, seconds)


class Unread(SwarmlabError):
    """The database could not be read."""


class Read:
    """The database can be read; finds the orders and the accounts of a mark."""

    node = None

    def __init__(self, books: Books, mark: str) -> None:
        self._books = books
        self._mark = mark
        self.name = "the database can be read"

    def __call__(self) -> Done[tuple[list[Stored], list[tuple[str, str]]]] | Pending | Fatal:
        """Look once."""
        try:
            found = self._books.orders(self._mark), self._books.accounts(self._mark)
        except not_acknowledged() as error:
            return pending(brief(error))
        return done(found, f"{len(found[0])} orders, {len(found[1])} accounts")


class Consumed:
    """No order of these marks waits for a worker any more; finds the orders."""

    node = None

    def __init__(self, books: Books, *marks: str) -> None:
        self._books = books
        self._marks = marks
        self.name = "every order has been processed"

    def __call__(self) -> Done[list[Stored]] | Pending | Fatal:
        """Look once."""
        try:
            found = self._books.orders(*self._marks)
        except not_acknowledged() as error:
            return pending(brief(error))
        left = [order for order in found if not order.processed]
        seen = f"{len(left)} of {len(found)} wait"
        return pending(seen) if left else done(found, seen)


class Held:
    """No order of a mark has been processed for some seconds, or one has; finds the seconds.

    They count from when the condition is made.
    """

    node = None

    def __init__(self, books: Books, mark: str, seconds: float) -> None:
        self._books = books
        self._mark = mark
        self._seconds = seconds
        self._began = time.monotonic()
        self.name = f"no order is processed for {seconds:.0f} s"

    def __call__(self) -> Done[float] | Pending | Fatal:
        """Look once."""
        passed = time.monotonic() - self._began
        try:
            found = self._books.orders(self._mark)
        except not_acknowledged() as error:
            return pending(brief(error))
        begun = sum(order.times > 0 for order in found)
        seen = f"{begun} of {len(found)} processed after {passed:.1f} s"
        return done(passed, seen) if begun or passed >= self._seconds else pending(seen)
