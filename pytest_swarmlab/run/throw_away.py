"""New machines of our own beside the run's cluster, for what may not happen on that one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.evidence.events import ClusterReady, Notice, last
from pytest_swarmlab.evidence.time_spent import REMOVING_CLUSTER
from pytest_swarmlab.images import find_disk
from pytest_swarmlab.images.commands import as_root
from pytest_swarmlab.run import slots
from pytest_swarmlab.swarm import lifecycle
from pytest_swarmlab.text import count

if TYPE_CHECKING:
    from pytest_swarmlab.images import ImageOrigin
    from pytest_swarmlab.model import Topology
    from pytest_swarmlab.providers.base import Provider
    from pytest_swarmlab.run.run import Run
    from pytest_swarmlab.swarm.cluster import Swarm

CONSOLES = "throw-away"


@contextmanager
def machines(run: Run, provider: Provider, topology: Topology) -> Iterator[Swarm]:
    """Machines of that topology, in no swarm yet; removed at the block's end, with all of it.

    A run that keeps its cluster does not keep these, and they are gone when its process is killed.
    Within the block the record's latest cluster is this one: what is judged there is judged of it.
    Each node may use as much memory as the run's own. Raises HostError or ProviderError where there
    can be none; no disk is built for them.
    """
    config = replace(run.config, provider="uml", inventory=None, reuse=None)
    origin = cast("ImageOrigin", config.images)
    if find_disk(config.cache, origin=origin) is None:
        raise HostError(
            f"no node disk is in {config.cache}: `{as_root('disk', config.cache)}` builds one for"
            " embedded machines"
        )
    nodes = tuple(replace(node, memory_mib=config.memory_mib) for node in topology.nodes)
    place = slots.take(config)
    told = last(run.recorder.view(), ClusterReady)
    consoles = run.directory / "nodes" / CONSOLES
    run.recorder.write(
        Notice(
            f"{count(len(nodes), 'embedded machine')} of ours, in no swarm:"
            " started beside the cluster, and removed again"
        )
    )
    try:
        provider.reap()
        swarm = lifecycle.boot(
            provider, replace(topology, nodes=nodes), recorder=run.recorder, consoles=consoles
        )
        swarm.goes_at_end = True
        try:
            yield swarm
        finally:
            for node in swarm.nodes:
                node.forget_connections()
            with lifecycle.stage(run.recorder, REMOVING_CLUSTER):
                lifecycle.stop(swarm.machines)
            if told is not None:
                # What comes now is about the run's own cluster again.
                run.recorder.write(replace(told, seconds=0))
    finally:
        os.close(place)
        for file in consoles.rglob("*"):
            if file.is_file():
                run.recorder.redactor.file(file)
