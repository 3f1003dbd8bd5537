"""Starts, finds and removes clusters of containers on this host's Docker engine."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import docker
import requests
from docker.errors import APIError, DockerException

from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.evidence.events import MachinesStarted
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.images import ImageOrigin, RichReport
from pytest_swarmlab.images.container import NodeImage, ensure_image
from pytest_swarmlab.model import Topology
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.providers.base import Found, one_kept
from pytest_swarmlab.providers.dind import container, engine, labels, network
from pytest_swarmlab.providers.dind.machines import DindMachines
from pytest_swarmlab.providers.dind.network import Network
from pytest_swarmlab.providers.dind.sweep import filters, state_root, sweep
from pytest_swarmlab.providers.host import require_memory

WATCHER = "pytest_swarmlab.providers.dind.watcher"
"""The module that watches over a cluster, in a process of its own."""


class DindProvider:
    """Docker in Docker: each node a container with systemd and an engine of its own."""

    name = "dind"
    owns = True

    def __init__(self, *, cache: Path, origin: ImageOrigin, out: TextIO | None = None) -> None:
        """`cache`: where the node image is built; `origin`: built here or a registry's.

        `out`: where the progress of a build is shown, standard error by default.
        """
        self._cache = cache
        self._origin = origin
        self._out = out
        self._api: docker.APIClient | None = None
        self._image: NodeImage | None = None

    def images(self) -> list[dict[str, Any]]:
        """The images that the node image carries, with their origin."""
        return self._node_image().images

    def start(self, topology: Topology, *, recorder: Recorder, consoles: Path) -> DindMachines:
        """Start the containers; `await_access` tells when each is up."""
        engine.require(self._engine())
        require_memory(topology)
        image = self._node_image()
        cluster = secrets.token_hex(4)
        consoles.mkdir(parents=True, exist_ok=True)
        guard = _start_watcher(cluster, consoles)
        try:
            machines = self._create(cluster, topology, image, guard)
        except BaseException as error:
            # Its pipe closed, the watcher removes what there is; only then is it said.
            if guard.stdin:
                guard.stdin.close()
            guard.wait()
            if isinstance(error, DockerException | requests.RequestException):
                raise ProviderError(
                    "the engine could not start the nodes:"
                    f" {getattr(error, 'explanation', None) or error}"
                ) from error
            raise
        recorder.write(MachinesStarted(self.name, cluster))
        return machines

    def _create(
        self, cluster: str, asked: Topology, image: NodeImage, guard: subprocess.Popen[bytes]
    ) -> DindMachines:
        api = self._engine()
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        net, topology, written = self._network(cluster, asked, started_at)
        network.require_bridge(net)
        directory = state_root() / cluster
        directory.mkdir(mode=0o700)

        def bring(spec: Any) -> None:
            sockets = directory / spec.name
            sockets.mkdir(mode=0o700)
            api.start(
                container.create(
                    api,
                    spec,
                    cluster=cluster,
                    image=image.reference,
                    network=net,
                    topology=topology,
                    sockets=sockets,
                    written=written,
                )
            )

        at_once(bring, topology.nodes)
        return DindMachines(api, cluster, topology, net, url=engine.url(), watcher=guard)

    def _network(
        self, cluster: str, asked: Topology, started_at: str
    ) -> tuple[Network, Topology, dict[str, str]]:
        """The cluster's network, its nodes' addresses in it, and the labels that tell them."""
        api = self._engine()
        owner = labels.Owner.this()
        name = f"swarmlab-{cluster}"
        for attempt in range(network.TRIES):
            probe = labels.written(cluster, owner, asked, started_at)
            subnet = network.choose_subnet(api, name, probe)
            topology = network.place(asked, subnet)
            written = labels.written(cluster, owner, topology, started_at)
            try:
                return network.create(api, name, subnet, written), topology, written
            except APIError as error:
                if attempt == network.TRIES - 1 or not network.taken(error):
                    raise
        raise AssertionError("the last try returns or raises")

    def attach(self, cluster: str, *, logs: Path) -> DindMachines:
        """Take over a kept cluster by its id, or the only one there is when `cluster` is empty."""
        del logs  # the engine holds the consoles, and the way to the nodes has nothing to say
        kept = {found.id: found for found in self.find() if found.kept}
        found = kept[one_kept(cluster, kept)]
        net = network.find(self._engine(), f"{labels.CLUSTER}={found.id}")
        if net is None:
            raise ProviderError(
                f"the kept cluster {found.id} has lost its network:"
                " remove it with `swarmlab gc --kept`"
            )
        return DindMachines(
            self._engine(), found.id, found.topology, net, url=engine.url(), watcher=None
        )

    def find(self) -> list[Found]:
        """This user's clusters on this host's engine, by their labels alone."""
        seen: dict[str, list[dict[str, str]]] = defaultdict(list)
        for each in self._labelled():
            seen[each[labels.CLUSTER]].append(each)
        found = []
        for cluster, every in sorted(seen.items()):
            kept = any(labels.KEPT in each for each in every)
            described = next((each for each in every if labels.OWNER in each), every[0])
            owner = labels.owner(described)
            found.append(
                Found(
                    cluster,
                    kept,
                    # A kept cluster is the engine's: it runs without whoever made it.
                    kept or (owner is not None and owner.alive),
                    labels.topology(described),
                    described.get(labels.STARTED_AT, ""),
                )
            )
        return found

    def reap(self) -> list[str]:
        """Remove clusters whose owner is dead, and sockets' directories without a cluster."""
        directories = {path.name for path in state_root().iterdir()}
        found = self.find()
        dead = [f.id for f in found if not f.kept and not f.owner_alive]
        dead += sorted(directories - {f.id for f in found})
        for cluster in dead:
            sweep(self._engine(), cluster)
        return dead

    def _labelled(self) -> list[dict[str, str]]:
        """The labels of everything in the engine that has our label."""
        api = self._engine()
        every = [
            *api.containers(all=True, filters=filters()),
            *api.networks(filters=filters()),
            *(api.volumes(filters=filters())["Volumes"] or ()),
        ]
        return [each.get("Labels") or {} for each in every]

    def _engine(self) -> docker.APIClient:
        if self._api is None:
            self._api = engine.connect()
        return self._api

    def _node_image(self) -> NodeImage:
        if self._origin == "registry":
            raise HostError(
                "the node image for containers carries stand-ins only: use"
                " --swarmlab-images stand-in, or --swarmlab-provider uml for a registry's images"
            )
        if self._image is None:
            from rich.console import Console

            with RichReport(Console(file=self._out, stderr=self._out is None)) as report:
                self._image = ensure_image(
                    self._engine(), self._cache, origin=self._origin, report=report
                )
        return self._image


def _start_watcher(cluster: str, consoles: Path) -> subprocess.Popen[bytes]:
    with (consoles / "watcher.log").open("ab") as log:
        return subprocess.Popen(
            [
                sys.executable, "-I", "-m", WATCHER,
                engine.url(), cluster, str(consoles.absolute()),
            ],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )  # fmt: skip
