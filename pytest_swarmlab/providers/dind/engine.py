"""The Docker engine of this host that holds the nodes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import DockerException

from pytest_swarmlab.errors import HostError

DEFAULT_URL = "unix:///var/run/docker.sock"
OLDEST_API = (1, 41)
"""Docker 20.10: the first with a cgroup namespace for each container and for cgroup v2."""

REQUEST_S = 120.0
"""Longest the engine may take for one request, seconds; five creations at once take a few."""


def url() -> str:
    """Where the engine listens: DOCKER_HOST, else its usual socket.

    Raises HostError for an engine that isn't this host's: its nodes' addresses and sockets
    would be out of reach.
    """
    found = os.environ.get("DOCKER_HOST") or DEFAULT_URL
    if not found.startswith("unix://"):
        raise HostError(
            f"DOCKER_HOST is {found}, but nodes need an engine of this machine: unset it, or name a"
            " unix:// socket"
        )
    return found


def connect(address: str | None = None) -> docker.APIClient:
    """A client of the engine at that address, by default this host's; the caller closes it.

    Raises HostError, with the remedy, when there is none that can hold nodes.
    """
    address = address or url()
    path = Path(address.removeprefix("unix://"))
    uml = "use --swarmlab-provider uml, which needs none"
    try:
        api = docker.APIClient(base_url=address, version="auto", timeout=REQUEST_S)  # type: ignore[arg-type]
    except (DockerException, requests.RequestException) as error:
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise HostError(
                f"you may not use the Docker engine at {path}: join its group"
                " (`sudo usermod -aG docker $USER`, then log in again), or run as root"
            ) from error
        raise HostError(
            f"no Docker engine answers at {path}: start it (`systemctl start docker`), or {uml}"
        ) from error
    spoken = tuple(int(part) for part in str(api.api_version).split("."))
    if spoken < OLDEST_API:
        api.close()
        raise HostError(
            f"the Docker engine at {path} is too old to hold nodes (API {api.api_version}):"
            f" update it to Docker 20.10 (API {OLDEST_API[0]}.{OLDEST_API[1]}) or newer, or {uml}"
        )
    return api


def require(api: docker.APIClient) -> dict[str, Any]:
    """The engine's `info`; HostError if the engine or its client lacks a needed feature."""
    if shutil.which("docker") is None:
        raise HostError(
            "the command docker is missing: install docker-cli (before Debian 13 and on Ubuntu:"
            " docker.io)"
        )
    info: dict[str, Any] = api.info()
    if info.get("OSType", "linux") != "linux":
        raise HostError(
            f"the Docker engine runs {info['OSType']} containers and nodes are Linux:"
            " switch it to Linux containers"
        )
    if any("rootless" in option for option in info.get("SecurityOptions") or ()):
        raise HostError(
            "the Docker engine is rootless and nodes need its root: use the system's engine"
            " (unset DOCKER_HOST), or --swarmlab-provider uml, which needs no root"
        )
    return info
