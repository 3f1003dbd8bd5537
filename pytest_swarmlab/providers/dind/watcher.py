"""Watches over one cluster for its owner; the cluster's only process outside of a container.

It writes every node's console into a file as it happens. When the owner closes the pipe on its
standard input, which the kernel does for a killed owner too, it removes the cluster and ends. A
line through the pipe tells it that nothing is left to do: the cluster was removed, or is kept.

Run as ``python -I -m pytest_swarmlab.providers.dind.watcher ENGINE CLUSTER CONSOLES``.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from docker.errors import DockerException

from pytest_swarmlab.providers.dind import engine, labels
from pytest_swarmlab.providers.dind.sweep import sweep

SETTLED_S = 3.0
"""Seconds in which requests of a killed owner may still create objects."""


def main(address: str, cluster: str, consoles: str) -> None:
    """Watch until the owner ends or lets go."""
    api = engine.connect(address)
    threading.Thread(
        target=write_consoles, args=(address, cluster, Path(consoles)), daemon=True
    ).start()
    if os.read(0, 1):
        return
    sweep(api, cluster)
    threading.Event().wait(SETTLED_S)
    sweep(api, cluster)


def write_consoles(address: str, cluster: str, consoles: Path) -> None:
    """Follow the console of every container of the cluster, from each of its starts on."""
    # A client of its own for each stream: one waits for the next event all the time.
    api = engine.connect(address)
    wanted = {
        "label": f"{labels.CLUSTER}={cluster}",
        "type": "container",
        "event": "start",
    }
    # From the beginning of time: a node may have been started before this process was ready.
    with contextlib.suppress(DockerException, requests.RequestException):
        for event in api.events(since=1, filters=wanted, decode=True):
            threading.Thread(target=_follow, args=(address, event, consoles), daemon=True).start()


def _follow(address: str, event: dict[str, Any], consoles: Path) -> None:
    node = event["Actor"]["Attributes"].get(labels.NODE, "unknown")
    log = consoles / f"{Path(node).name}.log"
    with (
        contextlib.suppress(DockerException, requests.RequestException, OSError),
        log.open("ab", buffering=0) as file,
    ):
        for piece in _console(address, event):
            file.write(piece)


def _console(address: str, event: dict[str, Any]) -> Iterator[bytes]:
    api = engine.connect(address)
    stream: Iterator[bytes] = api.logs(
        event["Actor"]["ID"], stream=True, follow=True, since=event["timeNano"] / 1e9
    )
    yield from stream


if __name__ == "__main__":
    main(*sys.argv[1:])
