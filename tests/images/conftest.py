"""One embedded node on which every image is run for real, and the database that two of them need.

With SWARMLAB_IMAGES=registry the same tests are the proof on the official images.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.base import Provider
from pytest_swarmlab.providers.uml import UmlProvider
from pytest_swarmlab.run.session import CONFIG
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.swarm.lifecycle import provision
from tests.images.containers import Containers, Running
from tests.images.database import ENVIRONMENT, FILES, IMAGE, READY

SMALL = Topology.of(1, 0, memory_mib=768)
"""The least that the images promise to do with."""


@pytest.fixture(scope="package")
def lab(pytestconfig: pytest.Config) -> LabConfig:
    """What this session was asked to do."""
    return pytestconfig.stash[CONFIG]


@pytest.fixture(scope="package")
def provider(lab: LabConfig) -> Provider:
    """Machines with the images of the wanted origin."""
    origin: Any = lab.images
    return UmlProvider(cache=lab.cache, origin=origin)


@pytest.fixture(scope="package")
def node(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A machine with an engine, for all tests of images."""
    directory = tmp_path_factory.mktemp("images")
    recorder = Recorder(directory / "events.jsonl")
    swarm = provision(provider, SMALL, recorder=recorder, consoles=directory / "consoles")
    yield swarm.nodes[0]
    swarm.nodes[0].forget_connections()
    swarm.machines.stop()
    recorder.close()


@pytest.fixture
def containers(node: Node) -> Iterator[Containers]:
    """Starts containers; they and their volumes are gone after the test."""
    containers = Containers(node)
    yield containers
    containers.remove_all()


@pytest.fixture(scope="module")
def shared(node: Node) -> Iterator[Containers]:
    """Starts containers that serve all tests of a module."""
    containers = Containers(node)
    yield containers
    containers.remove_all()


@pytest.fixture(scope="package")
def database(node: Node) -> Iterator[Running]:
    """A MySQL server with the database of the lab's WordPress."""
    containers = Containers(node)
    yield containers.ready(containers.start(IMAGE, env=ENVIRONMENT, files=FILES), *READY)
    containers.remove_all()
