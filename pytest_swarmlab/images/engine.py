"""A throwaway Docker engine, run from a node's root file system to put images into it.

No engine is needed on the host, and none of the host's is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import docker
import requests
from docker.errors import APIError, DockerException

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images.commands import FULL, disk_full, started
from pytest_swarmlab.images.progress import PartReport

START_S = 60.0
"""Longest the engine may take to answer, seconds; it takes about two."""

STOP_S = 30.0
"""Longest it may take to end, seconds."""

POLL_S = 0.1
"""Seconds between two tries of a starting engine."""

REQUEST_S = 600
"""Longest a single request may take, seconds: an import unpacks a whole image."""

# A root of its own, not a mere chroot: in a chroot the engine's own namespaces can't
# remount /, and every import dies. The engine ends when standard input does, which
# the kernel sees to when the builder is killed.
SCRIPT = """
set -eu
cd "$0"
mount --bind . .
cd "$0"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
pivot_root . mnt
exec chroot . sh -c '
umount -l /mnt
"$@" &
read -r _ || true
kill -TERM $!
wait $!
' engine "$@" <&0
"""

ARGV = (
    "dockerd",
    "--host=unix:///run/build/engine.sock",
    "--pidfile=/run/build/engine.pid",
    "--exec-root=/run/build/exec",
    "--storage-driver=overlay2",
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    # The engine would switch forwarding on for the whole host.
    "--ip-forward=false",
)

LEFT = (
    # Two nodes with the same identity can't be told apart in a swarm.
    "var/lib/docker/engine-id",
    "var/lib/docker/network",
    "var/lib/docker/swarm",
    "var/lib/docker/containerd",
    "var/lib/docker/buildkit",
    "var/lib/docker/runtimes",
    "var/lib/docker/tmp",
    "var/lib/docker/plugins",
    "var/lib/docker/volumes",
    "var/lib/docker/containers",
    "var/lib/containerd",
    "etc/docker/key.json",
    "root/.docker",
    "run/build",
)
"""Files of the engine that each node must create itself."""


class Engine:
    """The running engine's API, as far as a build needs it."""

    def __init__(self, api: docker.APIClient, report: PartReport) -> None:
        """`api`: a client connected to the engine."""
        self._api = api
        self._report = report

    @property
    def version(self) -> str:
        """The engine's version."""
        return str(self._api.version()["Version"])

    def load(self, root: Path, reference: str, changes: Sequence[str], *, base: str = "") -> str:
        """Make an image of a directory, on top of another's if `base` is one; returns its id.

        Raises BuildError.
        """
        argv = ["tar", "--create", "--numeric-owner", "--directory", str(root), "."]
        try:
            with started(argv, stderr=subprocess.DEVNULL) as tar:
                if base:
                    self._add_layer(tar.stdout, reference, changes, base)
                else:
                    repository, _, tag = reference.rpartition(":")
                    self._api.import_image_from_stream(
                        tar.stdout, repository=repository, tag=tag, changes=list(changes)
                    )
                if tar.wait():
                    raise BuildError(f"the files of {reference} can't be read from {root}")
            return str(self._inspect(reference)["Id"])
        except (DockerException, requests.RequestException) as error:
            if FULL.lower() in str(error).lower():
                raise disk_full() from error
            raise BuildError(f"the engine can't take in {reference}: {error}") from error

    def _add_layer(
        self, tar: IO[bytes] | None, reference: str, changes: Sequence[str], base: str
    ) -> None:
        # The client's types leave these out.
        api: Any = self._api
        repository, _, tag = reference.rpartition(":")
        # Never started: it is there to be written to.
        container = api.create_container(base)["Id"]
        try:
            api.put_archive(container, "/", tar)
            api.commit(container, repository=repository, tag=tag, changes=list(changes))
        finally:
            api.remove_container(container)

    def pull(self, reference: str) -> tuple[str, str]:
        """Pull an image; returns its id and its digest in the registry. Raises BuildError."""
        try:
            for event in self._api.pull(reference, stream=True, decode=True):
                if "error" in event:
                    raise BuildError(unreachable(reference, event["error"]))
                self._tell(event)
            seen = self._inspect(reference)
        except (DockerException, requests.RequestException) as error:
            why = error.explanation if isinstance(error, APIError) else str(error)
            raise BuildError(unreachable(reference, str(why))) from error
        return str(seen["Id"]), str((seen.get("RepoDigests") or ["no digest"])[0])

    def tag(self, identity: str, reference: str) -> None:
        """Have an image of the engine's under another reference, too. Raises BuildError."""
        repository, _, tag = reference.rpartition(":")
        try:
            self._api.tag(identity, repository, tag)
        except (DockerException, requests.RequestException) as error:
            raise BuildError(f"the engine can't tag {identity} as {reference}: {error}") from error

    def _inspect(self, reference: str) -> dict[str, Any]:
        # The client's types leave this one out.
        inspect: Any = self._api.inspect_image
        found: dict[str, Any] = inspect(reference)
        return found

    def _tell(self, event: dict[str, Any]) -> None:
        detail = event.get("progressDetail") or {}
        if detail.get("total"):
            self._report.progress(detail["current"] / detail["total"])
        else:
            words = (event.get("id"), event.get("status"))
            self._report.log(" ".join(word for word in words if word))


def unreachable(reference: str, why: str) -> str:
    """The sentence for an image that a registry doesn't hand out."""
    return (
        f"{reference} can't be pulled ({why.strip()}): see that this machine reaches the registry,"
        " or use the stand-in images, which need none"
    )


@contextmanager
def engine(root: Path, work: Path, report: PartReport, *, network: bool) -> Iterator[Engine]:
    """Run the engine of `root` until the block ends, then remove what it left.

    `work`: directory for its log. `network`: whether it may reach the network, which
    only a pull needs. Raises BuildError with the engine's last words when it can't start.
    """
    run = root / "run/build"
    run.mkdir(parents=True, exist_ok=True)
    log = work / "engine.log"
    resolver = root / "etc/resolv.conf"
    own = resolver.read_bytes()
    if network:
        shutil.copyfile("/etc/resolv.conf", resolver)
    directory = os.open(run, os.O_PATH)
    try:
        with log.open("wb") as output, _running(root, output, network) as process:
            # A Unix socket's path may have 108 bytes: the cache's may be longer.
            api = _connect(f"unix:///proc/self/fd/{directory}/engine.sock", process, log)
            try:
                yield Engine(api, report)
            finally:
                api.close()
    finally:
        os.close(directory)
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            report.log(line)
    for place in LEFT:
        path = root / place
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    resolver.write_bytes(own)


@contextmanager
def _running(root: Path, output: IO[bytes], network: bool) -> Iterator[subprocess.Popen[bytes]]:
    with started(
        ["sh", "-c", SCRIPT, str(root), *ARGV],
        stdin=subprocess.PIPE,
        stdout=output,
        namespaces=() if network else ("--net",),
    ) as process:
        yield process
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"the throwaway engine didn't end within {STOP_S:.0f} s") from error


def _connect(url: str, process: subprocess.Popen[bytes], log: Path) -> docker.APIClient:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            return docker.APIClient(base_url=url, version="auto", timeout=REQUEST_S)
        except DockerException:
            try:
                process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue
            break
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = " | ".join(lines[-3:]) or "it printed nothing"
    raise BuildError(f"the throwaway engine that loads the images doesn't start: {said}")
