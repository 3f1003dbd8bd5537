"""Removes all that a cluster has in the engine and on this host, found by its label."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound

from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.providers.dind import labels
from pytest_swarmlab.providers.host import own_directory
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

GONE_S = 60.0
"""Longest the removal of a cluster may take, seconds; it takes one or two."""


def state_root() -> Path:
    """Directory of this user's clusters on this host: the sockets of their nodes' engines.

    Short, because a Unix socket's path may have 108 bytes.
    """
    return own_directory(Path(f"/var/tmp/swarmlab-dind-{os.getuid()}"))  # noqa: S108 - checked


def filters(cluster: str | None = None) -> dict[str, str]:
    """Filter for the objects of one cluster, or of all."""
    return {"label": f"{labels.CLUSTER}={cluster}" if cluster else labels.CLUSTER}


def sweep(api: docker.APIClient, cluster: str) -> None:
    """Remove containers with their volumes, then networks, volumes and the sockets' directory.

    Returns when nothing is left. Idempotent, and safe beside another that does the same.
    Raises NotConverged when the engine doesn't get rid of it.
    """
    Waiter(every=0.2)(Swept(api, cluster), within=GONE_S)
    shutil.rmtree(state_root() / cluster, ignore_errors=True)


class Swept:
    """Nothing in the engine has the cluster's label; each look removes what it finds."""

    node = None

    def __init__(self, api: docker.APIClient, cluster: str) -> None:
        self._api = api
        self._cluster = cluster
        self.name = f"nothing is left of {cluster}"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Remove once."""
        said: list[str] = []
        wanted = filters(self._cluster)
        containers = self._api.containers(all=True, filters=wanted)
        said += filter(None, at_once(self._remove_container, containers))
        for network in self._api.networks(filters=wanted):
            said += filter(None, [_tried(self._api.remove_network, network["Id"])])
        for volume in self._api.volumes(filters=wanted)["Volumes"] or ():
            said += filter(None, [_tried(self._api.remove_volume, volume["Name"])])
        return pending("; ".join(said)) if said else done(None)

    def _remove_container(self, container: dict[str, Any]) -> str | None:
        return _tried(self._api.remove_container, container["Id"], force=True, v=True)


def _tried(remove: Any, *what: Any, **how: Any) -> str | None:
    try:
        remove(*what, **how)
    except NotFound:
        return None
    except APIError as error:
        return str(error.explanation or error)
    return None
