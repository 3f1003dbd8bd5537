"""Raises the load step by step until more visitors bring no more throughput."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Self

from pytest_swarmlab.background import Background
from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

from . import events, perform
from .load import CATALOGUE, Crowd
from .setting import CUSTOMERS, MORE_STEPS, STEPS

STEP_S = 5.0
"""Two hundred answers of one visitor, and twice as many of sixteen."""
MORE_S = 60.0
LEVEL = 1.05
"""So little more than the best step before is no growth. The judge's limit is a tenth: what is
counted here while visitors still come may differ from the record by an answer or two."""


class Visitors:
    """A number of visitors, each of whom reads the catalogue and orders without a pause."""

    def __init__(self, crowd: Crowd, many: int) -> None:
        self._crowd = crowd
        self._many = many
        self._over = threading.Event()
        self._threads = Background("the visitors", threads=many)
        self.served = 0
        """How many answers were good until now."""
        self._counting = threading.Lock()

    def __enter__(self) -> Self:
        for number in range(self._many):
            self._threads.start(self._visit, number)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._over.set()
        self._threads.end(error)

    def _visit(self, number: int) -> None:
        crowd, customer = self._crowd, self._crowd.customers[number % CUSTOMERS]
        nodes = customer.shop.nodes
        mark = f"{crowd.run}-steps-{self._many}-{number}"
        for count in itertools.count(1):
            if self._over.is_set():
                return
            node, key = nodes[(number + count) % len(nodes)], f"{mark}-{count}"
            items = perform.order_of(number + count, crowd.products)
            crowd.sent.add(key)
            try:
                crowd.shop.ask(node, CATALOGUE)
                self._count()
                id_ = crowd.shop.placed(node, customer.token, key, items)
            except not_acknowledged():
                continue  # It is recorded, and counts as an error.
            self._count()
            crowd.orders[id_] = key

    def _count(self) -> None:
        with self._counting:
            self.served += 1


@dataclass
class Lasted:
    """A number of seconds has passed since the first look."""

    seconds: float
    node: str | None = None
    began: float | None = None

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.seconds:.0f} s of a step"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look at the clock."""
        now = time.monotonic()
        if self.began is None:
            self.began = now
        passed = now - self.began
        return done(None) if passed >= self.seconds else pending(f"{passed:.1f} s")


def raise_load(crowd: Crowd, wait: Waiter, evidence: Evidence) -> None:
    """Double the visitors with each step, until a step brings no more throughput."""
    best = 0.0
    for many in (*STEPS, *MORE_STEPS):
        began = crowd.shop.now()
        with Visitors(crowd, many) as visitors:
            wait(Lasted(STEP_S), within=STEP_S + MORE_S)
            ended, served = crowd.shop.now(), visitors.served
        evidence.write(events.Step(many, began=round(began, 3), ended=round(ended, 3)))
        throughput = served / (ended - began)
        if many >= STEPS[-1] and throughput < LEVEL * best:
            return
        best = max(best, throughput)
