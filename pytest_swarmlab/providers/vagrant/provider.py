"""Takes the machines of a Vagrantfile for a run, and gives them back as they were."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.evidence.events import MachinesStarted
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import NodeSpec, Topology
from pytest_swarmlab.providers.base import Found, one_kept
from pytest_swarmlab.providers.vagrant import keeper
from pytest_swarmlab.providers.vagrant.command import ABSENT, OFF, RUNNING, Vagrant
from pytest_swarmlab.providers.vagrant.ledger import Ledger, RunState, restore
from pytest_swarmlab.providers.vagrant.machines import VagrantMachines

NAMES = ("Vagrantfile", "vagrantfile")


class VagrantProvider:
    """The machines of the Vagrantfile that a directory belongs to."""

    name = "vagrant"
    owns = True

    def __init__(self, directory: Path) -> None:
        """`directory`: where the Vagrantfile is, or below."""
        self._directory = directory

    def images(self) -> list[dict[str, Any]]:
        """None: the machines bring no images along, their engines pull them from a registry."""
        return []

    def start(self, topology: Topology, *, recorder: Recorder, consoles: Path) -> VagrantMachines:
        """Boot those that are off, create those that are missing, and note which is which.

        The memory of the topology holds for machines that are created now.
        """
        root = project(self._directory)
        vagrant = Vagrant(root, memory_mib=max(n.memory_mib for n in topology.nodes))
        ledger = sort_out(topology.nodes, vagrant.states(), root)
        state, lock = RunState.create()
        try:
            state.write_label(topology, datetime.now(UTC).isoformat(timespec="seconds"))
            ledger.write(state.file)
            self._refuse_a_second(state, root)
            consoles.mkdir(parents=True, exist_ok=True)
            process = _start_keeper(state, lock)
        except BaseException:
            state.remove()
            raise
        finally:
            os.close(lock)
        machines = VagrantMachines(state, topology, vagrant, consoles=consoles, process=process)
        try:
            recorder.write(
                MachinesStarted(
                    self.name,
                    machines.id,
                    created=tuple(ledger.created),
                    booted=tuple(ledger.booted),
                    running=tuple(ledger.running),
                )
            )
            if wanted := [*ledger.created, *ledger.booted]:
                vagrant.up(wanted, log=consoles / "vagrant.log")
            machines.connect()
        except BaseException:
            machines.stop()
            raise
        return machines

    def attach(self, cluster: str, *, logs: Path) -> VagrantMachines:
        """Take over kept machines by their id, or the only ones there are."""
        kept = {s.path.name: s for s, ledger in self._states() if ledger.kept}
        state = kept[one_kept(cluster, kept)]
        for left in state.path.glob("*.engine"):
            left.unlink()  # Nobody listens there any more.
        machines = VagrantMachines(
            state,
            state.label()["topology"],
            Vagrant(Path(state.ledger().directory)),
            consoles=logs,
            process=None,
        )
        logs.mkdir(parents=True, exist_ok=True)
        # Somebody may have halted or destroyed some meanwhile: the rest can still be given back.
        machines.connect(all_run=False)
        return machines

    def find(self) -> list[Found]:
        """This user's machines that serve a run, were kept, or are owed to a killed run."""
        found = []
        for state, ledger in self._states():
            with contextlib.suppress(OSError):  # Its keeper may be removing it.
                label = state.label()
                found.append(
                    Found(
                        state.path.name,
                        ledger.kept,
                        state.alive(),
                        label["topology"],
                        label["started_at"],
                    )
                )
        return found

    def reap(self) -> list[str]:
        """Restore the machines whose owner is gone and that were not kept; returns the ids."""
        reaped = []
        for state, ledger in self._states():
            if not state.alive() and not ledger.kept:
                restore(state)
                state.remove()
                reaped.append(state.path.name)
        return reaped

    @staticmethod
    def _states() -> list[tuple[RunState, Ledger]]:
        """Runs with a ledger; others have never touched a machine, or are gone."""
        found = []
        for state in RunState.all():
            with contextlib.suppress(OSError, ValueError):
                found.append((state, state.ledger()))
        return found

    def _refuse_a_second(self, own: RunState, root: Path) -> None:
        for state, ledger in self._states():
            if state.path != own.path and ledger.directory == str(root):
                raise HostError(
                    f"the machines of {root}/Vagrantfile serve another run or were kept"
                    f" ({state.path.name}): wait for it, use them with --swarmlab-reuse,"
                    " or give them back with `swarmlab gc --kept`"
                )


def project(directory: Path) -> Path:
    """The directory of the Vagrantfile that Vagrant would use in `directory`; HostError if none."""
    start = directory.resolve()
    for place in (start, *start.parents):
        if any((place / name).is_file() for name in NAMES):
            return place
    raise HostError(f"no Vagrantfile in {start} or above it: run in the lab's directory")


def sort_out(nodes: Sequence[NodeSpec], states: Mapping[str, str], root: Path) -> Ledger:
    """Which machines exist, and in what state, before anything is done to them.

    `states`: every machine of the Vagrantfile → its state. Raises HostError for machines that the
    Vagrantfile does not have, and for states in which no run should begin.
    """
    unknown = [n.name for n in nodes if n.name not in states]
    if unknown:
        raise HostError(
            f"{root}/Vagrantfile has no machine {', '.join(unknown)}: it has"
            f" {', '.join(states) or 'none'}; ask for fewer machines, or define the missing ones"
        )
    odd = [f"{n.name} is {states[n.name]}" for n in nodes
           if states[n.name] not in {RUNNING, ABSENT, *OFF}]  # fmt: skip
    if odd:
        raise HostError(
            f"{', '.join(odd)}: a run needs machines that run, are off or don't exist; use `vagrant"
            " resume`, `vagrant halt` or `vagrant destroy`"
        )

    def those(*wanted: str) -> tuple[str, ...]:
        return tuple(n.name for n in nodes if states[n.name] in wanted)

    return Ledger(str(root), created=those(ABSENT), booted=those(*OFF), running=those(RUNNING))


def _start_keeper(state: RunState, lock: int) -> subprocess.Popen[bytes]:
    with (state.path / "keeper.log").open("wb") as log:
        return subprocess.Popen(
            # Without -P, this directory's modules would come before everybody else's.
            [sys.executable, "-P", keeper.__file__, str(state.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(lock,),
            # Ctrl-C is for the run, which ends its keeper by letting go of the pipe.
            start_new_session=True,
        )
