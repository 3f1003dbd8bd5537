"""Starts, finds and removes clusters of User-mode Linux nodes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.evidence.events import MachinesStarted, Notice
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.images import ImageOrigin, NodeDisk, RichReport, ensure_disk
from pytest_swarmlab.images.builder import require_processor
from pytest_swarmlab.images.commands import search_path
from pytest_swarmlab.images.interpreter import PRELOAD_VARIABLE
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.base import Found, one_kept
from pytest_swarmlab.providers.host import require_memory
from pytest_swarmlab.providers.uml import keeper, network, trial
from pytest_swarmlab.providers.uml.gate import Gate
from pytest_swarmlab.providers.uml.machines import UmlMachines
from pytest_swarmlab.providers.uml.state import State

COMMANDS = {
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Host commands that a cluster needs, and the Debian package of each."""

TUN = Path("/dev/net/tun")
"""The device that creates the machines' taps."""

UNTOLD = "unknown: an earlier version started it and did not note the kernel"
"""The kernel of a kept cluster whose label has none."""


class UmlProvider:
    """Clusters of User-mode Linux nodes on this host."""

    name = "uml"
    owns = True

    def __init__(
        self,
        *,
        cache: Path,
        origin: ImageOrigin,
        kernel: str = "auto",
        out: TextIO | None = None,
        words: Sequence[str] = (),
    ) -> None:
        """`cache`: where disks and kernels are kept; `origin`: stand-in images or a registry's.

        `kernel`: ``own``, ``debian``, or ``auto`` (`trial.choose`).
        `out`: where the progress of a build is shown, standard error by default.
        `words`: more words for the nodes' kernel command line.
        """
        self._cache = cache
        self._origin = origin
        self._kernel = kernel
        self._out = out
        self._words = tuple(words)
        self._disk: NodeDisk | None = None
        self._tried: trial.Trial | None = None

    def disk(self) -> NodeDisk:
        """The node disk; it is built at the first use."""
        if self._disk is None:
            from rich.console import Console

            with RichReport(Console(file=self._out, stderr=self._out is None)) as report:
                self._disk = ensure_disk(self._cache, origin=self._origin, report=report)
        return self._disk

    def _chosen(self, disk: NodeDisk, recorder: Recorder) -> trial.Trial:
        """The kernel that was seen to run here; chosen once, and told once."""
        if self._tried is None:
            self._tried, notices = trial.choose(self._kernel, self._cache, disk)
            for notice in notices:
                recorder.write(Notice(notice))
        return self._tried

    def images(self) -> list[dict[str, Any]]:
        """The images on the node disk with their origin."""
        return self.disk().images()

    def start(self, topology: Topology, *, recorder: Recorder, consoles: Path) -> UmlMachines:
        """Give the nodes power; `await_access` tells when each is up."""
        preflight(topology)
        disk = self.disk()
        chosen = self._chosen(disk, recorder)
        state, lock = State.create()
        try:
            started_at = datetime.now(UTC).isoformat(timespec="seconds")
            state.write_access(topology)
            state.write_label(topology, started_at, kernel=chosen.origin)
            consoles.mkdir(parents=True, exist_ok=True)
            plan = state.path / "plan.json"
            plan.write_text(
                _plan(state, topology, disk, chosen, self._words, consoles), encoding="utf-8"
            )
            process = _start_keeper(plan, lock, consoles)
        except BaseException:
            state.remove()
            raise
        finally:
            os.close(lock)
        recorder.write(MachinesStarted(self.name, state.path.name))
        return UmlMachines(
            state, topology, kernel=chosen.origin, consoles=consoles, process=process
        )

    def attach(self, cluster: str, *, logs: Path) -> UmlMachines:
        """Take over a kept cluster by its id, or the only one there is when `cluster` is empty."""
        del logs  # Its keeper writes on where it began.
        meant = one_kept(cluster, [f.id for f in self.find() if f.kept])
        state = next(s for s in State.all() if s.path.name == meant)
        label = _label(state)
        return UmlMachines(
            state,
            label["topology"],
            kernel=label["kernel"],
            consoles=state.path / "consoles",
            process=None,
        )

    def find(self) -> list[Found]:
        """This user's clusters on this host."""
        found = []
        for state in State.all():
            alive, kept = state.alive(), False
            if alive:
                with contextlib.suppress(ProviderError):
                    kept = bool(Gate(state.gate).ask("status")["kept"])
            label = _label(state)
            found.append(
                Found(state.path.name, kept, alive, label["topology"], label["started_at"])
            )
        return found

    def reap(self) -> list[str]:
        """Remove the state of clusters whose owner and keeper are both dead."""
        return [state.path.name for state in State.reap()]


def _label(state: State) -> dict[str, Any]:
    """The content of a cluster's label; missing or unreadable parts are unknown."""
    said: dict[str, Any] = {}
    with contextlib.suppress(OSError, KeyError, ValueError):
        said = state.label()
    return {"topology": Topology("unknown", ()), "started_at": "", "kernel": UNTOLD, **said}


def preflight(topology: Topology) -> None:
    """Raise HostError, before anything is created, if this host can't carry the topology."""
    require_processor()
    for command, package in COMMANDS.items():
        if shutil.which(command, path=search_path()) is None:
            raise HostError(
                f"the command {command} is missing: install {package}"
                f" (as root, `apt-get install {package}`)"
            )
    if not TUN.exists():
        raise HostError(f"{TUN} is missing: load the tun module (`modprobe tun`)")
    if not os.access(TUN, os.R_OK | os.W_OK):
        raise HostError(
            f"{TUN} refuses this user: run as root, or have root permit it"
            f" (`chmod 0666 {TUN}`, as Debian and Ubuntu have it)"
        )
    network.require_place(topology)
    require_memory(topology)


def namespaces() -> list[str]:
    """The command that puts a process in namespaces of its own; a user namespace unless root."""
    argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return argv if os.geteuid() == 0 else [*argv, "--user", "--map-root-user"]


def _plan(
    state: State,
    topology: Topology,
    disk: NodeDisk,
    chosen: trial.Trial,
    words: Sequence[str],
    consoles: Path,
) -> str:
    return json.dumps(
        {
            "state": str(state.path),
            "base": str(disk.base),
            "kernel": str(chosen.kernel.program),
            "kernel_words": [*chosen.kernel.record.words, *words],
            "card": chosen.kernel.record.card,
            "preload_variable": PRELOAD_VARIABLE,
            "preload": chosen.preload,
            "client": network.client(topology),
            "consoles": str(consoles),
            "nodes": [
                {
                    "name": node.name,
                    "tap": network.tap(node.name, number),
                    "address": node.address,
                    "memory_mib": node.memory_mib,
                    "seed": str(state.seed(node.name)),
                }
                for number, node in enumerate(topology.nodes)
            ],
        }
    )


def _start_keeper(plan: Path, lock: int, consoles: Path) -> subprocess.Popen[str]:
    log = consoles / "keeper.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [*namespaces(), sys.executable, "-I", keeper.__file__, str(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PATH": search_path()},
            pass_fds=(lock,),
            start_new_session=True,
        )
    if process.stdout is None or process.stdout.readline().strip() != "ready":
        process.kill()
        process.communicate()
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise HostError(
            "the cluster's namespaces or network can't be made here:"
            f" {said[-1] if said else 'no reason was given'}."
            + ("" if os.geteuid() == 0 else " Run as root, or allow user namespaces.")
        )
    return process
