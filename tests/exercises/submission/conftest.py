"""The work that is drilled: brought onto a new cluster, or found on one that is there."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from pytest_swarmlab.evidence import collectors
from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.marking.declared import Declared
from pytest_swarmlab.model import NodeSpec, Topology
from pytest_swarmlab.providers.inventory import InventoryProvider
from pytest_swarmlab.run.run import Run
from pytest_swarmlab.run.session import make_embedded
from pytest_swarmlab.run.sharing import Shared
from pytest_swarmlab.run.throw_away import machines
from pytest_swarmlab.submitted import work
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.swarm.cluster import Swarm

from .elsewhere import ThrowAway


@pytest.fixture(scope="session")
def submitted(
    swarmlab_run: Run, shared_swarm: Callable[..., AbstractContextManager[Shared]]
) -> Iterator[Work]:
    """All drills share one cluster, with the work on it; each leaves it as it found it."""
    config = swarmlab_run.config
    if config.inventory is not None:
        said = work.read(config.submission) if config.submission else (None, Declared())
        with _inventory(swarmlab_run) as (swarm, away), Shared(swarmlab_run, swarm, STACKS):
            yield work.looked_at(swarm, submission=None, said=said[1], away=away, handed_in=said[0])
        return
    with shared_swarm() as shared:
        submission, declared = None, Declared()
        if config.submission is not None:
            submission, declared = work.bring(config.submission, shared.swarm)
        yield work.looked_at(shared.swarm, submission=submission, said=declared)
    swarmlab_run.replace_cluster("somebody's work was brought onto it")


@pytest.fixture
def throw_away(request: pytest.FixtureRequest, swarmlab_run: Run) -> ThrowAway:
    """Called with a topology: a block with such embedded machines, beside the run's cluster."""

    def start(topology: Topology) -> AbstractContextManager[Swarm]:
        return machines(swarmlab_run, make_embedded(request.config), topology)

    return start


@contextmanager
def _inventory(run: Run) -> Iterator[tuple[Swarm, Mapping[NodeSpec, str]]]:
    """That cluster as it is, whatever it is; machines that are away are told."""
    config = run.config
    provider = InventoryProvider(config.inventory, may_change=config.allow_destructive, whole=False)
    machines = provider.attach("", logs=run.logs())
    try:
        swarm = Swarm(machines, run.recorder)
        collectors.describe(swarm, provider, seconds=0)
        yield swarm, provider.away
    finally:
        machines.keep()
