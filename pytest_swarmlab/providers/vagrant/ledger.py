"""The machines that a run found and created, so that any process can undo exactly that."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pytest_swarmlab.providers.uml.state import State
from pytest_swarmlab.providers.vagrant.command import ABSENT, OFF, RUNNING, Vagrant

LEAVE = "sudo docker swarm leave --force"


@dataclass(frozen=True)
class Ledger:
    """The machines of a run, by what is done with them at its end.

    `created` did not exist: they are destroyed. `booted` were off: they are shut down. `running`
    ran: they are left running. `outside`: those of the latter two that were in no swarm; they leave
    the run's. `kept`: nothing is done before somebody asks for it.
    """

    directory: str
    created: tuple[str, ...] = ()
    booted: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    kept: bool = False

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Raises OSError or ValueError when there is none."""
        entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        frozen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in entries.items()
        }
        return cls(**frozen)

    def write(self, path: Path) -> None:
        """Replace the file as a whole: a run may be killed at any moment."""
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(path)


class RunState(State):
    """The directory of one run's machines: ledger, sockets, SSH configuration, label."""

    kind: ClassVar[str] = "-vagrant"

    @property
    def file(self) -> Path:
        """The ledger's file."""
        return self.path / "ledger.json"

    @property
    def log(self) -> Path:
        """Vagrant's last messages."""
        return self.path / "vagrant.log"

    def ledger(self) -> Ledger:
        """Raises OSError or ValueError when the run came to nothing before it wrote one."""
        return Ledger.read(self.file)

    def amend(self, **changes: object) -> None:
        """Change entries of the ledger."""
        replace(self.ledger(), **changes).write(self.file)  # type: ignore[arg-type]


def restore(state: RunState) -> None:
    """Undo what a run did to the machines of its Vagrantfile.

    Raises ProviderError when Vagrant can't, HostError when there is none any more.
    """
    try:
        ledger = state.ledger()
    except (OSError, ValueError):
        return  # It was killed before it touched anything.
    vagrant, log = Vagrant(Path(ledger.directory)), state.log
    now = vagrant.states()
    made = [m for m in ledger.created if now.get(m, ABSENT) != ABSENT]
    if made:
        vagrant.destroy(made, log=log)
    for machine in ledger.running:
        if now.get(machine) in OFF:
            vagrant.up([machine], provision=False, log=log)
            now[machine] = RUNNING
    for machine in ledger.outside:
        if now.get(machine) == RUNNING:
            vagrant.on(machine, f"{LEAVE} || ! {IN_SWARM}", log=log)
    for machine in ledger.booted:
        if now.get(machine) == RUNNING:
            vagrant.halt(machine, force=False, log=log)


IN_SWARM = "sudo docker info --format '{{.Swarm.LocalNodeState}}' | grep -qvx inactive"
"""Command line that succeeds on a machine which is part of a swarm, or locked out of its own."""
