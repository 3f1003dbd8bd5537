"""Turns an inventory's machines off and on by its owner's commands, through a keeper."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.providers import ssh
from pytest_swarmlab.providers.inventory import keeper
from pytest_swarmlab.providers.inventory.file import Inventory, ssh_config
from pytest_swarmlab.providers.inventory.powered_off import COMMAND_S, Machine, PoweredOff
from pytest_swarmlab.providers.restoring import last_line

END_S = COMMAND_S + 60
"""Longest that a run's end waits for machines to be turned on, seconds: the keeper tries longer."""

UNSAID = "the process that does it is not through, or killed"

LOOKING = ("-o", "ConnectTimeout=3")
"""A machine without power accepts no connection: so long it is waited for."""


class Switch:
    """Asks the run's keeper, which is started when the first machine is turned off.

    `off`: the names of machines that are off, or not yet what they were.
    """

    def __init__(self, inventory: Inventory, addresses: Mapping[str, str]) -> None:
        """`addresses`: node → the address that its commands are given."""
        self._inventory = inventory
        self._addresses = addresses
        self._hosts = {host.name: host for host in inventory.hosts}
        self._state: PoweredOff | None = None
        self._held = -1
        self._keeper: subprocess.Popen[bytes] | None = None
        self._requests = 0
        self._one = threading.Lock()
        self.off: set[str] = set()

    def turn_off(self, node: str, owed: Sequence[Sequence[str]]) -> None:
        """Cut its power; returns when it no longer answers. Nothing where that was done already.

        `owed`: commands of the node that it is to run once it is back. Raises ProviderError.
        """
        with self._one:
            if node in self.off:
                return
            state = self._begun()
            self.off.add(node)
            self._ask("off", machine=asdict(self._machine(state, node, owed)))

    def turn_on(self, node: str) -> None:
        """Give it power again, if it was turned off. Raises ProviderError."""
        with self._one:
            if node in self.off:
                self._ask("on", name=node)

    def settle(self, node: str) -> None:
        """Have it run what it is owed, since it answers again. Raises ProviderError."""
        with self._one:
            if node in self.off:
                self._ask("settle", name=node)
                self.off.remove(node)

    def end(self) -> None:
        """Have the keeper turn on what is still off, and end. Idempotent.

        Raises ProviderError where it can't.
        """
        with self._one:
            process, self._keeper = self._keeper, None
            if process is None or self._state is None:
                return
            # What it still answers is for nobody: it does all that was asked, and then ends.
            with contextlib.suppress(subprocess.TimeoutExpired, BrokenPipeError):
                process.communicate(timeout=END_S)
            left = _left(self._state) if process.returncode != 0 else []
            _let_go(process)
            os.close(self._held)
            if left:
                raise ProviderError(
                    f"{', '.join(left)} could not be turned on again:"
                    f" {last_line(self._state.log) or UNSAID};"
                    " do it by hand, or let `swarmlab gc` try again"
                )
            self._state.remove()

    def _machine(self, state: PoweredOff, node: str, owed: Sequence[Sequence[str]]) -> Machine:
        host = self._hosts[node]
        if host.power is None:
            raise ProviderError(f"{node} has no power commands in its inventory")
        power = host.power.of(node, self._addresses[node])

        def there(argv: Sequence[str], *, sudo: bool) -> tuple[str, ...]:
            program, *words = ssh.command(state.ssh_config, node, argv, sudo=sudo)
            return (program, *LOOKING, *words)

        return Machine(
            node,
            off=power.off,
            on=power.on,
            answers=there(["true"], sudo=False),
            owed=tuple(there(argv, sudo=host.sudo) for argv in owed),
        )

    def _begun(self) -> PoweredOff:
        if self._state is None:
            self._state, self._held = PoweredOff.create()
            config = ssh_config(self._inventory, self._state.path)
            self._state.ssh_config.write_text(config, encoding="utf-8")
            self._state.begin(self._inventory.path.absolute())
        return self._state

    def _ask(self, do: str, **arguments: Any) -> None:
        self._requests += 1
        request = {"number": self._requests, "do": do, **arguments}
        process = self._kept()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        # An answer that Ctrl-C kept us from reading comes first.
        for line in process.stdout or ():
            answer = json.loads(line)
            if answer["number"] == request["number"]:
                if answer["why"]:
                    raise ProviderError(answer["why"])
                return
        # Its pipes close a moment before it counts as ended, by which `_kept` knows it.
        process.wait()
        raise ProviderError(
            "the process that turns machines off and on has ended: it was killed, or is out of"
            " memory"
        )

    def _kept(self) -> subprocess.Popen[bytes]:
        """The keeper; another where one was killed."""
        state = self._begun()
        if self._keeper is None or self._keeper.poll() is not None:
            if self._keeper is not None:
                _let_go(self._keeper)
            with state.log.open("ab") as log:
                self._keeper = subprocess.Popen(
                    # Without -P, this directory's modules would come before everybody else's.
                    [sys.executable, "-P", keeper.__file__, str(state.path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    pass_fds=(self._held,),
                    # Ctrl-C is for the run, whose end it waits for.
                    start_new_session=True,
                )
        return self._keeper


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes to a keeper; one that goes on trying is nobody's to wait for."""
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    if process.returncode is None:
        process.returncode = 0


def _left(state: PoweredOff) -> list[str]:
    """What is off; none where the keeper has removed the list."""
    try:
        return list(state.machines())
    except (OSError, ValueError):
        return []
