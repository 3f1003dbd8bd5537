"""A cluster that several tests share, with services that are deployed once for all of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pytest_swarmlab.errors import ConfigError, Disturbed, NotConverged
from pytest_swarmlab.model import Topology
from pytest_swarmlab.parallel import each_tried
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.conditions import brief, no_answer, understood

if TYPE_CHECKING:
    from pytest_swarmlab.run.run import Run
    from pytest_swarmlab.swarm.cluster import Swarm


class Shared:
    """A context manager: within the block tests get this cluster as it is, not a clean one.

    What `stack`, `secret` and `configs` make stays until the block's end.
    """

    def __init__(self, run: Run, swarm: Swarm, stacks: Path) -> None:
        self.swarm = swarm
        self.secret = Secrets(swarm)
        self.configs = Configs(swarm)
        self.stack = Stacks(swarm, stacks)
        self._run = run
        self._standing: set[str] | None = None
        self._borrower = ""
        self._disturbed: str | None = None

    def __enter__(self) -> Self:
        self._run.shared.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        outermost, disturbed = self._run.shared[0], self._run.shared[0]._disturbed
        self._run.shared.remove(self)
        if disturbed:
            # Nobody waits for what may be lost; the next test has a new cluster.
            if self is outermost:
                self._run.end_cluster()
            return
        outermost._standing = None
        # Services go before the configs and secrets that they use.
        all_made = (self.stack, self.configs, self.secret)
        each_tried(partial(self._run.clean, made.remove_all) for made in all_made)

    def lend(self, test: str, topology: Topology | None) -> Swarm:
        """The cluster for a test, or a fixture: the one that is asked for, as it was shared.

        Raises ConfigError when another topology is wanted, and Disturbed when a node or a service
        is gone that was there when the first test got it.
        """
        has = self.swarm.topology
        if topology and topology.name != has.name:
            raise ConfigError(
                f"{test} asks for a cluster of {topology.name}, and a fixture that it uses, or that"
                f" still holds, shares one of {has.name}: ask for the same, or move it to a module"
                " that does not share"
            )
        if not self._disturbed and (why := self._differs()):
            self._disturbed = (
                f"the cluster that shared_swarm shares is no longer as it was set up since"
                f" {self._borrower or 'it was'}: {why}; have that test put it back, or give it a"
                " cluster of its own"
            )
        if self._disturbed:
            raise Disturbed(self._disturbed)
        self._borrower = test
        return self.swarm

    def _differs(self) -> str | None:
        if lacking := self._run.lacks(self.swarm, self.swarm.topology):
            return lacking
        try:
            listed = self.swarm.leader().engine.api.services()
            with understood("the leader's service list"):
                there = {service["Spec"]["Name"] for service in listed}
        except NotConverged as error:
            return str(error)
        except no_answer() as error:
            return brief(error)
        if self._standing is None:
            self._standing = there
        gone = sorted(self._standing - there)
        return f"it no longer has the service {', '.join(gone)}" if gone else None
