"""Which pytest-xdist worker runs which tests: tests that want one cluster stay together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling, LoadScopeScheduling
from xdist.workermanage import WorkerController

from pytest_swarmlab.model import LEAVES

Wanted = Mapping[str, tuple[str, str]]
"""Test → the topology that it wants, and the group that it runs with."""


class Scheduler:
    """xdist's own ``load``, except that tests of one cluster and group stay together.

    xdist asks for a scheduler before the workers have collected; so this one decides later.
    """

    def __init__(self, config: pytest.Config, log: Any, wanted: Callable[[], Wanted]) -> None:
        self._make: Callable[[], Any] = lambda: ClusterScheduling(config, log, wanted())
        self._wanted = wanted
        self._chosen: Any = LoadScheduling(config, log)
        self._collections: dict[WorkerController, list[str]] = {}
        self._decided = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chosen, name)

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Note what a worker has collected."""
        self._collections[node] = list(collection)
        self._chosen.add_node_collection(node, collection)

    def schedule(self) -> None:
        """Decide, the first time, and give the workers what to do."""
        if not self._decided and self._wanted():
            simple, self._chosen = self._chosen, self._make()
            for node in simple.nodes:
                self._chosen.add_node(node)
                if node in self._collections:
                    self._chosen.add_node_collection(node, self._collections[node])
        self._decided = True
        self._chosen.schedule()


class ClusterScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Assigns tests of one topology and group as a whole, and every other test by itself.

    A worker prefers groups that want the cluster it has, as long as there are any. It gets the next
    group only when its last test but one has ended, since drills take minutes.
    """

    def __init__(self, config: pytest.Config, log: Any, wanted: Wanted) -> None:
        super().__init__(config, log)
        self._wanted = wanted
        self._has: dict[WorkerController, str] = {}
        """The topology that a worker's cluster will have when it has done what it was given."""

    def _split_scope(self, nodeid: str) -> str:
        topology, group = self._wanted.get(nodeid, ("", nodeid))
        return f"{topology} {group}"

    def _assign_work_unit(self, node: WorkerController) -> None:
        has = self._has.get(node, "")
        others = {topology for worker, topology in self._has.items() if worker is not node}

        def costs(scope: str) -> tuple[bool, bool]:
            topology = scope.partition(" ")[0]
            return topology != has, topology in others

        # The first of those that cost least: its own cluster's, then what nobody has. How many
        # tests a group has says nothing of its length: 2.5's two take as long as 2.4's eight.
        scope = min(self.workqueue, key=costs)
        self.workqueue.move_to_end(scope, last=False)
        if topology := scope.partition(" ")[0]:
            self._has[node] = LEAVES.get(topology, topology)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node.shutting_down:
            return
        # A worker begins a test when it knows the one after it, or that there is none.
        while self.workqueue and self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()

    def remove_node(self, node: WorkerController) -> str | None:
        """Give a lost worker's remaining tests to others, except the test that was running."""
        self._has.pop(node, None)
        units = self.assigned_work[node]
        crashed = next((test for u in units.values() for test, done in u.items() if not done), None)
        if crashed:
            units[self._split_scope(crashed)][crashed] = True
        self.assigned_work[node] = {s: u for s, u in units.items() if not all(u.values())}
        super().remove_node(node)
        return crashed
