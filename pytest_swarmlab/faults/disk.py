"""Faults of a file system."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from typing import ClassVar

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults.fault import Fault
from pytest_swarmlab.swarm.node import Node

FILLER = ".swarmlab-full"
"""The file that takes all blocks, in the directory whose file system is filled."""

FULL_S = 30.0
"""Longest time to take all blocks; half a second on an embedded node."""

AGAIN_S = 0.2
"""Time until the fault takes a block that is freed."""


def free_bytes(node: Node, directory: str) -> int:
    """How much may still be written to the file system of that directory."""
    shown = node.look("stat", "--file-system", "--format=%a %S", directory)
    blocks, size = map(int, shown.stdout.split())
    return blocks * size


class DiskFull(Fault):
    """The file system of a directory has no block left, and what is freed meanwhile goes, too.

    Only one that is mounted at that very directory is filled: on any other lie the data of others.
    """

    kind: ClassVar[str] = "disk-full"

    def __init__(self, node: Node, directory: str, recorder: Recorder) -> None:
        super().__init__([node], recorder)
        self._node = node
        self._directory = directory
        self._file = f"{directory}/{FILLER}"
        self._unit = f"swarmlab-disk-full-{secrets.token_hex(4)}.service"

    def _mending(self) -> Sequence[tuple[Node, Sequence[Sequence[str]]]]:
        return [(self._node, self._emptying)]

    @property
    def _emptying(self) -> list[tuple[str, ...]]:
        return [("systemctl", "stop", self._unit), ("rm", "-f", "--", self._file)]

    def _prepare(self) -> None:
        mounted = self._node.look("stat", "--format=%m", self._directory).stdout.strip()
        if mounted != self._directory:
            raise ProviderError(
                f"the disk of {self._directory} on {self._node} was not filled, because it is also"
                f" that of {mounted}: mount a file system of its own there"
            )

    def _inject(self) -> None:
        # At once, without writing. Whether all of it was still to be had is no matter:
        free = free_bytes(self._node, self._directory)
        self._node.run("fallocate", f"--length={free}", self._file, check=False)
        # what is left is written, block by block, and so is what becomes free.
        take = (
            f"dd if=/dev/zero of={shlex.quote(self._file)} bs=4096 oflag=append,dsync conv=notrunc"
        )
        script = f"exec 2>/dev/null; while :; do {take}; sleep {AGAIN_S}; done"
        unit = f"--unit={self._unit}"
        self._node.run("systemd-run", unit, "--collect", "--quiet", "sh", "-c", script)
        full = 'test "$(stat --file-system --format=%a "$0")" = 0'
        waits.of_the_suite(self._recorder)(
            self._node.succeeds("sh", "-c", full, self._directory), within=FULL_S
        )

    def _heal(self) -> None:
        for argv in self._emptying:
            # What was injected in part has no such unit.
            self._node.run(*argv, check=argv[0] != "systemctl")
