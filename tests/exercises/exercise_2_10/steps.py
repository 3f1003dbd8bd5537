"""Load, raised step by step until more visitors get no more done."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pytest_swarmlab.background import Background
from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

from . import events, perform
from .load import CATALOGUE, Crowd
from .setting import CUSTOMERS, STEPS

STEP_S = 5.0
"""Two hundred answers of one visitor, and twice as many of sixteen."""
MORE_S = 60.0


class Visitors:
    """So many who look at the catalogue and order, one after the other, without a pause."""

    def __init__(self, crowd: Crowd, many: int) -> None:
        self._crowd = crowd
        self._many = many
        self._over = threading.Event()
        self._threads = Background("the visitors", threads=many)

    def __enter__(self) -> Self:
        for number in range(self._many):
            self._threads.start(self._visit, number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
                id_ = crowd.shop.placed(node, customer.token, key, items)
            except not_acknowledged():
                continue  # It is recorded, and counts as an error.
            crowd.orders[id_] = key


@dataclass
class Lasted:
    """So many seconds have passed since it was first looked at."""

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
    """Each step has twice the visitors of the one before."""
    for many in STEPS:
        began = crowd.shop.now()
        with Visitors(crowd, many):
            wait(Lasted(STEP_S), within=STEP_S + MORE_S)
            ended = crowd.shop.now()
        evidence.write(events.Step(many, began=round(began, 3), ended=round(ended, 3)))
