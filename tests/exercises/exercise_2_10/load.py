"""Steady load: customers order, open accounts and read the catalogue during the faults."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pytest_swarmlab.clients.ledger import Ledger, NewLedger
from pytest_swarmlab.clients.probe import Probe, Traffic
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.waiting.waiter import Waiter

from . import events, perform
from .books import Books
from .client import Customer, Shop
from .setting import ACCOUNTS, CUSTOMER, CUSTOMERS, PORT

PAUSE_S = 1.8
"""Between a customer's orders: twelve of them place about six a second."""
ACCOUNT_PAUSE_S = 1.5
"""Between two sign-ups: a password's hash takes a tenth of a core's second, twice for each."""
PAGE_RATE, CATALOGUE_RATE = 5.0, 5.0
"""Requests a second over all nodes."""
PATIENCE_S = 5.0
CATALOGUE = "/api/products?limit=12"

WARM_S = 120
READ_S = 90
CONSUMED_S = 180


@dataclass
class Load:
    """The load of a phase: its ledgers and its clients that read."""

    mark: str
    ledgers: list[Ledger]
    looks: list[Traffic]

    def goes_on(self, wait: Waiter, *, within: float) -> None:
        """Wait until an order of each customer, a sign-up and pages through every node succeed that
        are begun from now on.
        """
        for condition in self.successes():
            wait(condition, within=within)

    def successes(self) -> list[Any]:
        """Conditions: all of these succeed, begun from now on."""
        return [
            *(each.acknowledges(1) for each in self.ledgers),
            # Each node is asked in turn: once, by a request that begins from now on.
            *(each.asked_at_least(each.sent + len(each.via)) for each in self.looks),
        ]


@dataclass
class Crowd:
    """The customers of all phases, with everything that was acknowledged to them."""

    shop: Shop
    books: Books
    wait: Waiter
    probe: Probe
    ledger: NewLedger
    evidence: Evidence
    customers: list[Customer] = field(default_factory=list)
    products: list[int] = field(default_factory=list)
    orders: dict[str, str] = field(default_factory=dict)
    """Id → key of every order that was acknowledged."""
    accounts: dict[str, str] = field(default_factory=dict)
    """Id → e-mail of every account that was acknowledged."""
    sent: set[str] = field(default_factory=set)
    """The key of every order that was asked for."""
    run: str = field(default_factory=lambda: secrets.token_hex(3))
    """Prefix of every key and address of this run, except for visitors' keys."""
    visitors: list[str] = field(default_factory=list)
    """Keys that visitors' browsers generated and sent."""

    @property
    def marks(self) -> tuple[str, ...]:
        """Prefix of this run's keys of orders."""
        return (f"{self.run}-", *self.visitors)

    def arrive(self, via: Sequence[Node]) -> None:
        """Sign up and log in each customer, and read the catalogue."""
        for number in range(1, CUSTOMERS + 1):
            email = f"{self.run}-customer{number}@example.org"
            self.customers.append(Customer(self.shop, via, email))
            self.accounts[self.customers[-1].id] = email
        found = (each.get("id") for each in self.shop.products(via[0]))
        self.products = [each for each in found if isinstance(each, int)]

    def order(self, customer: Customer, key: str, number: int) -> str:
        """Let a customer place the order of that number with that key; returns its id.

        Raises NotConverged, as `Customer.place`.
        """
        self.sent.add(key)
        id_ = customer.place(key, perform.order_of(number, self.products))
        self.orders[id_] = key
        return id_

    @contextmanager
    def come(self, phase: str, via: Sequence[Node]) -> Iterator[Load]:
        """Order until the block's end; then wait for the workers, and read the database."""
        mark = f"{self.run}-{phase}-"
        looks = [
            self.probe(via=via, port=PORT, rate=PAGE_RATE, timeout=PATIENCE_S),
            self.probe(
                via=via,
                port=PORT,
                path=CATALOGUE,
                rate=CATALOGUE_RATE,
                timeout=PATIENCE_S,
                header="X-Cache",
            ),
        ]
        ledgers = [self._orders(mark, number, via) for number in range(1, CUSTOMERS + 1)]
        ledgers.append(self._accounts(mark, via))
        load = Load(mark, ledgers, looks)
        first = load.successes()
        with ExitStack() as at_work:
            for each in (*ledgers, *looks):
                at_work.enter_context(each)  # type: ignore[arg-type]
            for condition in first:
                self.wait(condition, within=WARM_S)
            yield load
        self.count(mark, ledgers)

    def _orders(self, mark: str, number: int, via: Sequence[Node]) -> Ledger:
        customer = self.customers[number - 1]
        customer.via(via)

        def write(count: int) -> str:
            return self.order(customer, f"{mark}c{number}-{count}", count)

        return self.ledger(CUSTOMER.format(number), write, pause=PAUSE_S)

    def _accounts(self, mark: str, via: Sequence[Node]) -> Ledger:
        def write(count: int) -> str:
            node, email = via[count % len(via)], f"{mark}{count}@example.org"
            id_ = self.shop.sign_up(node, email)
            self.accounts[id_] = email
            token = self.shop.log_in(node, email)
            self.shop.who_am_i(node, token)
            return id_

        return self.ledger(ACCOUNTS, write, pause=ACCOUNT_PAUSE_S)

    def count(self, mark: str, ledgers: Sequence[Ledger]) -> None:
        """Record the stored orders and accounts, and the processed orders."""
        orders, accounts = self.wait(self.books.read(mark), within=READ_S)
        for ledger, number in zip(ledgers, range(1, CUSTOMERS + 1), strict=False):
            mine = f"{mark}c{number}-"
            ledger.found(
                (order.id, int(order.key.removeprefix(mine)))
                for order in orders
                if order.key.startswith(mine)
            )
        ledgers[-1].found(
            (id_, int(email.removeprefix(mark).partition("@")[0])) for id_, email in accounts
        )
        done = self.wait(self.books.consumed(mark), within=CONSUMED_S)
        times = tuple((order.id, order.times) for order in done)
        self.evidence.write(events.Consumed(mark, times))
