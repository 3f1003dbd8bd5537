"""Two machines of each provider that this host can have, for the contract."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from pytest_swarmlab.cluster import Swarm
from pytest_swarmlab.config import default_cache
from pytest_swarmlab.errors import HostError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.lifecycle import provision
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.base import Provider
from pytest_swarmlab.providers.dind import DindProvider, engine
from pytest_swarmlab.providers.uml import UmlProvider
from tests.providers.engine import throwaway_engine

PROVIDERS: dict[str, Callable[[], Provider]] = {
    "uml": lambda: UmlProvider(cache=default_cache(), origin="stand-in"),
    "dind": lambda: DindProvider(cache=default_cache(), origin="stand-in"),
}

SMALL = Topology.of(1, 1, memory_mib=768)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[None]:
    """A Docker engine of this host: the one that answers, else one for these tests alone."""
    try:
        engine.connect().close()
    except HostError as error:
        if os.geteuid() != 0:
            pytest.skip(f"{error} (as root the tests start one of their own)")
    else:
        yield
        return
    with (
        throwaway_engine(default_cache() / "test-engine") as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("DOCKER_HOST", url)
        yield


@pytest.fixture(scope="module", params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    """Every provider in turn."""
    if request.param == "dind":
        request.getfixturevalue("docker_engine")
    return PROVIDERS[request.param]()


@pytest.fixture(scope="module")
def cluster(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """A swarm of one manager and one worker."""
    directory = tmp_path_factory.mktemp("cluster")
    recorder = Recorder(directory / "events.jsonl")
    swarm = provision(provider, SMALL, recorder=recorder, consoles=directory / "consoles")
    yield swarm
    for node in swarm.nodes:
        node.forget_connections()
    swarm.machines.stop()
    recorder.close()
