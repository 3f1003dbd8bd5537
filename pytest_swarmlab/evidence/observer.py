"""Watches a swarm through its surviving managers while something breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pytest_swarmlab.background import Background
from pytest_swarmlab.evidence.events import NodesSample, TasksSample
from pytest_swarmlab.waiting.conditions import brief, no_answer

if TYPE_CHECKING:
    import docker

    from pytest_swarmlab.swarm.cluster import Node, Swarm

T = TypeVar("T")

PERIOD_S = 0.2
"""Between two questions to one manager: the coarsest that an instant may be known by."""

ANSWER_S = 2.0
"""A question is given up after this; a manager that has lost its leader may sit on it for 20 s."""

AT_ONCE = int(ANSWER_S / PERIOD_S) + 2
"""Questions to one manager under way at once, so that those it sits on never delay the next."""


class Observer:
    """Asks every given manager for the node list and a service's tasks, 5 × a second.

    A context manager; every answer and every error is recorded as it comes. What keeps it from
    asking ends its block with a ClientError.
    """

    def __init__(self, swarm: Swarm, managers: Sequence[Node], *, service: str | None) -> None:
        self._swarm = swarm
        self._managers = tuple(managers)
        self._service = service
        self._over = threading.Event()
        self._clients: list[docker.DockerClient] = []
        self._threads = {
            node: Background(f"the observer of {node}", threads=1 + AT_ONCE)
            for node in self._managers
        }

    def __enter__(self) -> Self:
        self._clocks = [threads.start(self._watch, node) for node, threads in self._threads.items()]
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._over.set()
        wait(self._clocks)  # They start the others.
        with ExitStack() as ending:
            ending.callback(self._close)
            for threads in self._threads.values():
                ending.callback(threads.end, error)

    def _close(self) -> None:
        for client in self._clients:
            client.close()

    def _watch(self, node: Node) -> None:
        local = threading.local()

        def engine() -> docker.DockerClient:
            if not hasattr(local, "engine"):
                local.engine = node.new_engine(ANSWER_S)
                self._clients.append(local.engine)
            client: docker.DockerClient = local.engine
            return client

        def ask() -> None:
            self._ask(node, engine)

        under_way: list[Future[None]] = []
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            under_way = [question for question in under_way if not question.done()]
            # A busy machine answers late: more questions would only make it later.
            if len(under_way) < AT_ONCE:
                under_way.append(self._threads[node].start(ask))
            due = max(due + PERIOD_S, time.monotonic() - PERIOD_S)

    def _ask(self, node: Node, engine: Callable[[], docker.DockerClient]) -> None:
        write = self._swarm.recorder.write
        rows, error, seconds = _answer(lambda: self._swarm.node_rows(engine()))
        write(NodesSample(node.name, seconds, tuple(rows), error))
        # A manager that has no leader to ask is not asked twice: the next question is due.
        if (service := self._service) and error is None:
            tasks, error, seconds = _answer(lambda: self._swarm.task_rows(engine(), service))
            write(TasksSample(node.name, service, seconds, tuple(tasks), error))


Observe = Callable[..., AbstractContextManager[Any]]
"""Type of the fixture `observe`: called, it returns an observer of managers."""


def _answer(look: Callable[[], list[T]]) -> tuple[list[T], str | None, float]:
    """The answer, or [] and the reason, and the seconds that it took."""
    began = time.monotonic()
    found: list[T] = []
    error = None
    try:
        found = look()
    except no_answer() as problem:
        error = brief(problem)
    return found, error, round(time.monotonic() - began, 4)
